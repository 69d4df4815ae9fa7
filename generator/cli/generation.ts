import type { Compilation } from "../compile.js";
import type { Diagnostic } from "../diagnostics/diagnostic.js";
import { plural } from "../diagnostics/plural.js";
import { diagnosticsToJson } from "../diagnostics/render.js";
import type { Severity } from "../diagnostics/severity.js";
import { applyPlan, type Finding, type OutputPlan, planOutput, type Refusal } from "../generate.js";
import type { Mesh } from "../model/mesh.js";
import { openOutputFolder } from "../project/output-folder.js";
import { readTemplates, readVersion } from "../project/package.js";
import { GENERATED } from "../project/paths.js";
import { colour, printJson, tell, withProgress } from "../terminal/terminal.js";
import { adviseHooks } from "./hook-files.js";
import { compileProject, reportDiagnostics, severityColour } from "./project.js";

export interface GenerationOptions {
  readonly allowDestructive?: boolean | undefined;
  /** Emit and compare even where the lock says that nothing has changed. */
  readonly distrustLock?: boolean | undefined;
}

/** What is to be done to generated/ so that it says what the mesh means. Nothing is touched yet. */
export async function planProject(mesh: Mesh, options: GenerationOptions = {}): Promise<OutputPlan> {
  const [version, templates] = await Promise.all([readVersion(), readTemplates()]);
  return withProgress("generating", () =>
    planOutput({
      mesh,
      version,
      templates,
      folder: openOutputFolder(GENERATED),
      loadMigrationPlanner: async () => (await import("../emit/sql/emit-migrations.js")).emitMigrations,
      allowDestructive: options.allowDestructive ?? false,
      distrustLock: options.distrustLock ?? false,
    }),
  );
}

export function writeProject(plan: OutputPlan): void {
  applyPlan(plan, openOutputFolder(GENERATED));
}

/** Each at its place in mesh.yaml, as any other mistake; what is wrong with a generated file has none there. */
export function reportRefusals(
  refusals: readonly Refusal[],
  compilation: Pick<Compilation, "locate">,
  json?: boolean,
): void {
  const { located, others } = placeFindings(refusals, "error", compilation);
  if (json) printJson({ refusals: [...others, ...diagnosticsToJson(located)] });
  else tellFindings({ located, others }, "error");
}

/** On stderr, beside whatever the command does after all. */
export function reportWarnings(warnings: readonly Finding[], compilation: Pick<Compilation, "locate">): void {
  tellFindings(placeFindings(warnings, "warning", compilation), "warning");
}

/** As `--json` has them, errors included, of the file alone and of its meeting with what was generated before. */
export function warningsToJson(
  warnings: readonly Finding[],
  compilation: Pick<Compilation, "locate" | "diagnostics">,
): readonly object[] {
  const { located, others } = placeFindings(warnings, "warning", compilation);
  const unplaced = others.map((finding) => ({ ...finding, severity: "warning" }));
  return [...diagnosticsToJson([...compilation.diagnostics, ...located]), ...unplaced];
}

interface PlacedFindings {
  readonly located: readonly Diagnostic[];
  readonly others: readonly Finding[];
}

function placeFindings(
  findings: readonly Finding[],
  severity: Severity,
  { locate }: Pick<Compilation, "locate">,
): PlacedFindings {
  const mistakes = findings.flatMap(({ path, code, message, hint }) =>
    path ? [{ code, message, ...(hint !== undefined && { hint }), path, severity }] : [],
  );
  return { located: locate(mistakes), others: findings.filter(({ path }) => path === undefined) };
}

function tellFindings({ located, others }: PlacedFindings, severity: Severity): void {
  const paint = severityColour[severity];
  for (const { code, message, hint, file = GENERATED } of others) {
    tell(`${file} - ${paint(`${severity} ${code}`)}: ${message}`);
    if (hint) tell(`  ${colour.dim("hint:")} ${hint}`);
  }
  reportDiagnostics(located, false);
}

/** For commands that stand on generated code. undefined: mesh.yaml is wrong, and that has been said. */
export async function bringUpToDate(): Promise<Mesh | undefined> {
  const compilation = await compileProject();
  const { mesh, diagnostics } = compilation;
  reportDiagnostics(diagnostics, false);
  if (!mesh) return undefined;
  const plan = await planProject(mesh);
  if (plan.refusals.length > 0) {
    reportRefusals(plan.refusals, compilation);
    return undefined;
  }
  reportWarnings([...plan.warnings, ...(await adviseHooks(mesh))], compilation);
  writeProject(plan);
  if (plan.write.length > 0) tell(colour.dim(`generated ${plural(plan.write.length, "file")} anew`));
  return mesh;
}
