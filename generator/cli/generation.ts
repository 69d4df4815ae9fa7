import type { Compilation } from "../compile.js";
import { diagnosticsToJson } from "../diagnostics/render.js";
import { applyPlan, type OutputPlan, planOutput, type Refusal } from "../generate.js";
import type { Mesh } from "../model/mesh.js";
import { openOutputFolder } from "./output-folder.js";
import { readTemplates, readVersion } from "./package.js";
import { compileProject, GENERATED, reportDiagnostics } from "./project.js";
import { colour, printJson, tell, withProgress } from "./terminal.js";

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
      loadMigrationPlanner: async () => (await import("../evolve/plan.js")).planMigrations,
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
  { locate }: Pick<Compilation, "locate">,
  json?: boolean,
): void {
  const located = refusals.flatMap(({ path, ...refusal }) => (path ? [{ ...refusal, path }] : []));
  const others = refusals.filter(({ path }) => path === undefined);
  const diagnostics = locate(located);
  if (json) {
    printJson({ refusals: [...others, ...diagnosticsToJson(diagnostics)] });
    return;
  }
  for (const { code, message, hint } of others) {
    tell(`${GENERATED} - ${colour.red(`error ${code}`)}: ${message}`);
    if (hint) tell(`  ${colour.dim("hint:")} ${hint}`);
  }
  reportDiagnostics(diagnostics, false);
}

/** For commands that stand on generated code. undefined: mesh.yaml is wrong, and that has been said. */
export async function bringUpToDate(): Promise<Mesh | undefined> {
  const compilation = await compileProject();
  const { mesh, diagnostics } = compilation;
  reportDiagnostics(diagnostics, false);
  if (!mesh) return undefined;
  const plan = await planProject(mesh);
  reportRefusals(plan.refusals, compilation);
  if (plan.refusals.length > 0) return undefined;
  writeProject(plan);
  if (plan.write.length > 0) tell(colour.dim(`generated ${plan.write.length} files anew`));
  return mesh;
}
