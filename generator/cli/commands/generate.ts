import { changeToJson } from "../../compatibility/report/diff-json.js";
import { renderShort } from "../../compatibility/report/diff-text.js";
import type { PlacedChange } from "../../compatibility/report/placed-changes.js";
import type { Compilation } from "../../compile.js";
import { plural } from "../../diagnostics/plural.js";
import type { Mesh } from "../../model/mesh.js";
import type { OutputPlan } from "../../plan-output.js";
import { GENERATED, MESH_FILE } from "../../project/paths.js";
import { colour, print, printJson, tell } from "../../terminal/terminal.js";
import { adviseHooks } from "../advise-hooks.js";
import { DIFF_PAINT } from "../diff/diff-paint.js";
import { compareWithLast, readLastMesh } from "../diff/edits-since.js";
import type { ExitCode } from "../exit-code.js";
import {
  gatherWarnings,
  planProject,
  printWarnings,
  reportRefusals,
  warningsToJson,
  writeProject,
} from "../generation.js";
import { compileProject, reportBriefly, reportDiagnostics, UNWRITTEN } from "../project.js";

export interface GenerateOptions {
  readonly check?: boolean;
  readonly watch?: boolean;
  readonly allowDestructive?: boolean;
  /** Emits even where the lock says that nothing has changed. For work on the generator, whose version an edit of its code does not change. */
  readonly force?: boolean;
  readonly json?: boolean;
}

/** Compiles mesh.yaml into generated/. All or nothing: any error, and not one file is touched. */
export async function generate(options: GenerateOptions): Promise<ExitCode> {
  if (!options.watch) return await generateOnce(options);
  const { watchMesh } = await import("../watch.js");
  await watchMesh(() => generateOnce(options));
  return 0;
}

async function generateOnce(options: GenerateOptions): Promise<ExitCode> {
  const started = performance.now();
  const compilation = await compileProject();
  const { mesh, diagnostics } = compilation;
  // One JSON document per run: the diagnostics when there is an error, else what was done.
  if (!options.json) reportBriefly(compilation);
  else if (!mesh) reportDiagnostics(diagnostics, true);
  if (!mesh) return 1;
  const plan = await planProject(mesh, { ...options, distrustLock: options.check || options.force });
  if (plan.refusals.length > 0) {
    reportRefusals(plan.refusals, compilation, { json: options.json, consequence: UNWRITTEN });
    return 1;
  }
  const found = gatherWarnings([...plan.warnings, ...(await adviseHooks(mesh))], compilation);
  if (!options.json) printWarnings(found);
  const warnings = warningsToJson(found, compilation);
  if (options.check) return reportDrift(plan, { mesh, warnings }, options);
  const changes = plan.write.length === 0 ? [] : await findEdits(compilation);
  writeProject(plan);
  if (options.json)
    printJson({ ...summary(plan), diagnostics: warnings, changes: changes.map(changeToJson) });
  else
    print(
      [describe(plan, mesh, performance.now() - started), ...renderShort(changes, DIFF_PAINT)].join("\n"),
    );
  return 0;
}

/** Of an edit since the last run; none where there was no run, or one that the lock tells nothing of. */
async function findEdits(compilation: Compilation): Promise<readonly PlacedChange[]> {
  const last = await readLastMesh();
  return last === undefined ? [] : await compareWithLast(last, compilation);
}

function reportDrift(
  plan: OutputPlan,
  { mesh, warnings }: { readonly mesh: Mesh; readonly warnings: readonly object[] },
  { json }: GenerateOptions,
): ExitCode {
  if (json) printJson({ drift: plan.drift, diagnostics: warnings });
  else if (plan.drift.length === 0) print(describe(plan, mesh, undefined));
  else {
    for (const { path, kind } of plan.drift) print(`${GENERATED}/${path}: ${colour.yellow(kind)}`);
    tell(
      colour.red(
        `${plural(plan.drift.length, "file")} not as ${MESH_FILE} says: run \`mesh generate\` and commit`,
      ),
    );
  }
  return plan.drift.length === 0 ? 0 : 1;
}

function summary({ write, remove, keep }: OutputPlan) {
  return { written: write.map(({ path }) => path), removed: remove, unchanged: keep.length };
}

function describe({ write, remove, keep }: OutputPlan, mesh: Mesh, ms: number | undefined): string {
  const what = `${plural(mesh.services.length, "service")}, ${plural(mesh.events.length, "event")}`;
  const time = ms === undefined ? "" : colour.dim(` (${Math.round(ms)} ms)`);
  if (write.length === 0 && remove.length === 0) return `${colour.green("up to date")}: ${what}${time}`;
  const parts = [
    `${write.length} written`,
    ...(remove.length ? [`${remove.length} removed`] : []),
    `${keep.length} unchanged`,
  ];
  // Migrations are listed by name: they are to be reviewed before they are committed.
  const migrations = write.filter(({ path }) => path.includes("/migrations/"));
  return [
    `${colour.green("generated")} ${what}: ${parts.join(", ")}${time}`,
    ...migrations.map(({ path }) => `  new migration ${GENERATED}/${path}`),
  ].join("\n");
}
