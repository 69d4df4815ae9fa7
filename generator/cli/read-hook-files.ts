import { readFileSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { HOOKS_FOLDER, type HookFile } from "../check/hook-files.js";
import type { Mesh } from "../model/mesh.js";

/** Sorted by name; none where there is no folder. `recursive`: with those of folders within it, called by their paths: `mail/send.ts`. */
export async function readHookFiles({ recursive = false } = {}): Promise<readonly HookFile[]> {
  // As texts: the entries of Node 20.11 do not know their folder.
  const paths = await readdir(HOOKS_FOLDER, { recursive }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
    throw error;
  });
  const scripts = paths.filter((path) => /(?<!\.d)\.[jt]s$/.test(path)).sort();
  const files = await Promise.all(scripts.map(readHookFile));
  return files.filter((file) => file !== undefined);
}

/** The file of each service's hooks, as a service that runs from TypeScript looks for them. */
export function hookPaths(mesh: Mesh, sources: readonly HookFile[]): ReadonlyMap<string, string> {
  const there = new Set(sources.map(({ name }) => name));
  return new Map(
    mesh.services.flatMap(({ name }) => {
      const file = ["ts", "js"].map((ending) => `${name}.${ending}`).find((each) => there.has(each));
      return file === undefined ? [] : [[name, `${HOOKS_FOLDER}/${file}`] as const];
    }),
  );
}

/** undefined: there is no such file. */
export function readProjectText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** undefined: it is a folder. */
async function readHookFile(path: string): Promise<HookFile | undefined> {
  const at = join(HOOKS_FOLDER, path);
  if (!(await stat(at)).isFile()) return undefined;
  return { name: path.replaceAll(sep, "/"), text: await readFile(at, "utf8") };
}
