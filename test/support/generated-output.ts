import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import type { OutputFolder } from "../../generator/emit/file.js";
import { sha256 } from "../../generator/emit/lock.js";
import {
  applyPlan,
  type GenerateInput,
  type OutputPlan,
  type PlanMigrations,
  planOutput,
} from "../../generator/plan-output.js";
import { compile, ROOT } from "./compile.js";

/** Every file under a folder, by its path relative to it. */
export function readTree(folder: string): Record<string, string> {
  if (!existsSync(folder)) return {};
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const paths = entries.map((entry) => relative(folder, join(entry.parentPath, entry.name))).sort();
  return Object.fromEntries(paths.map((path) => [path, readFileSync(join(folder, path), "utf8")]));
}

export function writeTree(folder: string, tree: Readonly<Record<string, string>>): void {
  rmSync(folder, { recursive: true, force: true });
  for (const [path, text] of Object.entries(tree)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

export const templates = Object.fromEntries(
  Object.entries(readTree(join(ROOT, "templates"))).filter(([path]) => !path.startsWith("sql/")),
);

/** A folder in memory that records writes and removals. */
export interface MemoryFolder extends OutputFolder {
  readonly files: Map<string, string>;
  readonly done: string[];
}

export function memoryFolder(tree: Readonly<Record<string, string>> = {}): MemoryFolder {
  const files = new Map(Object.entries(tree));
  const done: string[] = [];
  return {
    files,
    done,
    folders: () => [...new Set([...files.keys()].flatMap((path) => path.split("/").slice(0, -1)[0] ?? []))],
    list: (folder) =>
      [...files.keys()]
        .filter((path) => dirname(path) === folder)
        .map((path) => path.slice(folder.length + 1)),
    read: (path) => files.get(path),
    write(path, text) {
      done.push(`write ${path}`);
      files.set(path, text);
    },
    remove(path) {
      done.push(`remove ${path}`);
      files.delete(path);
    },
  };
}

/** A planner that changes no migration. */
export const keepMigrations: PlanMigrations = ({ existing }) => ({
  files: Object.fromEntries(
    Object.entries(existing).map(([service, files]) => [
      service,
      files.map(({ name, text }) => ({ name, text, sha256: sha256(text) })),
    ]),
  ),
  refusals: [],
});

export function plan(
  text: string,
  folder: OutputFolder,
  options: Partial<GenerateInput> = {},
): Promise<OutputPlan> {
  return planOutput({
    mesh: compile(text),
    version: "1.2.3",
    templates,
    folder,
    loadMigrationPlanner: async () => keepMigrations,
    allowDestructive: false,
    ...options,
  });
}

/** Generates into the folder, as the command line does. */
export async function generate(
  text: string,
  folder: OutputFolder,
  options?: Partial<GenerateInput>,
): Promise<OutputPlan> {
  const planned = await plan(text, folder, options);
  if (planned.refusals.length === 0) applyPlan(planned, folder);
  return planned;
}

/** The whole output for a mesh.yaml. */
export async function outputOf(text: string): Promise<Record<string, string>> {
  const folder = memoryFolder();
  await generate(text, folder);
  return Object.fromEntries(folder.files);
}
