import { plural } from "../diagnostics/plural.js";
import type { Mesh } from "../model/mesh.js";
import { applyPlan, type OutputPlan, planOutput, type Refusal } from "../plan-output.js";
import { openOutputFolder } from "../project/output-folder.js";
import { readTemplates, readVersion } from "../project/package.js";
import { GENERATED } from "../project/paths.js";
import { colour, tell, withProgress } from "../terminal/terminal.js";
import { adviseHooks } from "./advise-hooks.js";
import { refuseCustomSql } from "./custom-sql.js";
import { openCommitted } from "./diff/git.js";
import { gatherWarnings, printWarnings, reportRefusals } from "./findings.js";
import { compileProject, reportBriefly, UNWRITTEN } from "./project.js";

export interface GenerationOptions {
  readonly allowDestructive?: boolean | undefined;
  /** Emit and compare even where the lock says that nothing has changed. */
  readonly distrustLock?: boolean | undefined;
  /** Paths of migrations in generated/ that are planned anew. */
  readonly takeBack?: ReadonlySet<string> | undefined;
}

/** What is to be done to generated/ so that it says what the mesh means. Nothing is touched yet. */
export async function planProject(mesh: Mesh, options: GenerationOptions = {}): Promise<OutputPlan> {
  const [version, templates] = await Promise.all([readVersion(), readTemplates()]);
  return await withProgress("generating", async () => {
    const plan = await planOutput({
      mesh,
      version,
      templates,
      folder: openOutputFolder(GENERATED),
      loadMigrationPlanner: async () => (await import("../emit/sql/emit-migrations.js")).emitMigrations,
      allowDestructive: options.allowDestructive ?? false,
      distrustLock: options.distrustLock ?? false,
      ...(options.takeBack && { takeBack: options.takeBack }),
      isCommitted: openCommitted(),
    });
    if (plan.refusals.length > 0) return plan;
    const paths = [...plan.write.map(({ path }) => path), ...plan.keep];
    return { ...plan, refusals: await refuseCustomSql(mesh, paths) };
  });
}

/** What is wrong with the folders of SQL that the mesh names: files beside mesh.yaml, which its compiler does not see. */
export async function findSqlRefusals(mesh: Mesh): Promise<readonly Refusal[]> {
  if (mesh.databases.every(({ sql }) => sql === undefined)) return [];
  const { refusals } = await planProject(mesh, { allowDestructive: true });
  return refusals.filter(({ code }) => code === "sql-folder" || code === "sql-file");
}

export function writeProject(plan: OutputPlan): void {
  applyPlan(plan, openOutputFolder(GENERATED));
}

/** Generates what is missing, for commands that run generated code. undefined: mesh.yaml has errors, which were printed. */
export async function bringUpToDate(): Promise<Mesh | undefined> {
  const compilation = await compileProject();
  const { mesh } = compilation;
  reportBriefly(compilation);
  if (!mesh) return undefined;
  const plan = await planProject(mesh);
  if (plan.refusals.length > 0) {
    reportRefusals(plan, compilation, { consequence: UNWRITTEN });
    return undefined;
  }
  printWarnings(gatherWarnings([...plan.warnings, ...(await adviseHooks(mesh))], compilation));
  writeProject(plan);
  if (plan.write.length > 0) tell(colour.dim(`generated ${plural(plan.write.length, "file")} anew`));
  return mesh;
}
