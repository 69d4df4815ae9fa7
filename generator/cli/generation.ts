import { applyPlan, type OutputPlan, planOutput, type Refusal } from "../generate.js";
import type { Mesh } from "../model/mesh.js";
import { openOutputFolder } from "./output-folder.js";
import { readTemplates, readVersion } from "./package.js";
import { compileProject, GENERATED, reportDiagnostics } from "./project.js";
import { colour, tell, withProgress } from "./terminal.js";

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

export function reportRefusals(refusals: readonly Refusal[]): void {
  for (const { code, message, hint } of refusals) {
    tell(`${GENERATED} - ${colour.red(`error ${code}`)}: ${message}`);
    if (hint) tell(`  ${colour.dim("hint:")} ${hint}`);
  }
}

/** For commands that stand on generated code. undefined: mesh.yaml is wrong, and that has been said. */
export async function bringUpToDate(): Promise<Mesh | undefined> {
  const { mesh, diagnostics } = await compileProject();
  reportDiagnostics(diagnostics, false);
  if (!mesh) return undefined;
  const plan = await planProject(mesh);
  reportRefusals(plan.refusals);
  if (plan.refusals.length > 0) return undefined;
  writeProject(plan);
  if (plan.write.length > 0) tell(colour.dim(`generated ${plan.write.length} files anew`));
  return mesh;
}
