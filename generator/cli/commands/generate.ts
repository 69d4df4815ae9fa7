import { existsSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { findHookMistakes } from "../../check/hook-files.js";
import { changeToJson } from "../../compatibility/report/diff-json.js";
import { renderShort } from "../../compatibility/report/diff-text.js";
import type { PlacedChange } from "../../compatibility/report/placed-changes.js";
import type { Compilation } from "../../compile.js";
import { STATE_FOLDER } from "../../dev/endpoints.js";
import { plural } from "../../diagnostics/plural.js";
import type { Mesh } from "../../model/mesh.js";
import type { OutputPlan } from "../../plan-output.js";
import { GENERATED, MESH_FILE } from "../../project/paths.js";
import { colour, print, printJson, tell } from "../../terminal/terminal.js";
import { chooseTakenBack } from "../choose-taken-back.js";
import { DIFF_PAINT } from "../diff/diff-paint.js";
import { compareWithLast, readLastMesh } from "../diff/edits-since.js";
import type { ExitCode } from "../exit-code.js";
import { gatherWarnings, printWarnings, reportRefusals, warningsToJson } from "../findings.js";
import { planProject, writeProject } from "../generation.js";
import { type RecalledRun, recallRun, rememberRun } from "../last-run.js";
import {
  compileSources,
  countWarnings,
  readSources,
  reportBriefly,
  reportDiagnostics,
  UNWRITTEN,
} from "../project.js";

export interface GenerateOptions {
  readonly check?: boolean;
  readonly watch?: boolean;
  readonly allowDestructive?: boolean;
  /** Migrations that no commit has, by their paths: they and what follows them are planned anew. */
  readonly takeBack?: readonly string[];
  /** Emits even where the lock says that nothing has changed. For work on the generator, whose version an edit of its code does not change. */
  readonly force?: boolean;
  readonly json?: boolean;
}

/** In bytes. From there on the heap may grow to twice what a full collection left, not four times: a sixth less memory, in no more time. */
const LARGE = 512 * 1024;

/** Compiles mesh.yaml into generated/. All or nothing: any error, and not one file is touched. */
export async function generate(options: GenerateOptions): Promise<ExitCode> {
  if (!options.watch) return await generateOnce(options);
  const { watchMesh } = await import("../watch.js");
  await watchMesh(() => generateOnce(options));
  return 0;
}

async function generateOnce(options: GenerateOptions): Promise<ExitCode> {
  const started = performance.now();
  const sources = await readSources();
  const takeBack = options.takeBack === undefined ? undefined : chooseTakenBack(options.takeBack);
  const recalled = options.check || options.force || takeBack ? undefined : await recallRun(sources);
  if (recalled !== undefined) return reportRecalled(recalled, options, started);
  if (sources.bytes.length > LARGE) setFlagsFromString("--heap-growing-percent=100");
  const compilation = compileSources(sources);
  const { mesh, diagnostics } = compilation;
  // One JSON document per run: the diagnostics when there is an error, else what was done.
  if (!options.json) reportBriefly(compilation);
  else if (!mesh) reportDiagnostics(diagnostics, true);
  if (!mesh) return 1;
  // Hardly a run has to say more of its places, and the texts of a large mesh need the memory.
  if (!options.watch) compilation.forgetSyntax();
  const plan = await planProject(mesh, {
    ...options,
    takeBack,
    distrustLock: options.check || options.force,
  });
  if (plan.refusals.length > 0) {
    reportRefusals(plan, compilation, { json: options.json, consequence: UNWRITTEN });
    return 1;
  }
  const found = gatherWarnings([...plan.warnings, ...findHookMistakes(mesh, sources.hooks)], compilation);
  if (!options.json) printWarnings(found);
  const warnings = warningsToJson(found, compilation);
  if (options.check) return reportDrift(plan, { mesh, warnings }, options);
  // What is taken back reached nobody.
  const changes = plan.write.length === 0 || takeBack ? [] : await findEdits(compilation);
  writeProject(plan);
  // Files that are left alone, and folders of SQL, are looked at in each run.
  const isWhole = plan.warnings.length === 0 && mesh.databases.every(({ sql }) => sql === undefined);
  if (isWhole && !options.watch)
    await rememberRun(sources, mesh, { ...sizeOf(mesh), diagnostics, found, warnings });
  if (options.json)
    printJson({ ...summary(plan), diagnostics: warnings, changes: changes.map(changeToJson) });
  else
    print(
      [describe(plan, sizeOf(mesh), performance.now() - started), ...renderShort(changes, DIFF_PAINT)].join(
        "\n",
      ),
    );
  if (!options.json && plan.takenBack.length > 0) tellOfDatabases();
  return 0;
}

/** What they have had is no longer among the files, so what comes next would not fit. */
function tellOfDatabases(): void {
  const dev = existsSync(STATE_FOLDER) ? " (`mesh dev --fresh` where `mesh dev` ran)" : "";
  tell(`a database that has had what was taken back has to begin anew${dev}`);
}

function reportRecalled(run: RecalledRun, { json }: GenerateOptions, started: number): ExitCode {
  if (json)
    printJson({ written: [], removed: [], unchanged: run.unchanged, diagnostics: run.warnings, changes: [] });
  else {
    countWarnings(run.diagnostics);
    printWarnings(run.found);
    print(describe({ write: [], remove: [], takenBack: [], keep: [] }, run, performance.now() - started));
  }
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
  else if (plan.drift.length === 0) print(describe(plan, sizeOf(mesh), undefined));
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

type Size = Pick<RecalledRun, "services" | "events">;

function sizeOf({ services, events }: Mesh): Size {
  return { services: services.length, events: events.length };
}

type Done = Pick<OutputPlan, "write" | "remove" | "takenBack" | "keep">;

function describe(
  { write, remove, takenBack, keep }: Done,
  { services, events }: Size,
  ms: number | undefined,
): string {
  const what = `${plural(services, "service")}, ${plural(events, "event")}`;
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
    ...takenBack.map((path) => `  took back ${GENERATED}/${path}`),
    ...migrations.map(({ path }) => `  new migration ${GENERATED}/${path}`),
  ].join("\n");
}
