import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { findHookMistakes, HOOKS_FOLDER, type HookFile } from "../check/hook-files.js";
import type { Mesh } from "../model/mesh.js";
import type { ProjectDiagnostic } from "../plan-output.js";

/** What can be said of the hooks folder without running it. */
export async function adviseHooks(mesh: Mesh): Promise<readonly ProjectDiagnostic[]> {
  return findHookMistakes(mesh, await readHookFiles());
}

/** Sorted by name; none where there is no folder. */
export async function readHookFiles(): Promise<readonly HookFile[]> {
  const entries = await readdir(HOOKS_FOLDER, { withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
      throw error;
    },
  );
  const names = entries
    .filter((entry) => entry.isFile() && /(?<!\.d)\.[jt]s$/.test(entry.name))
    .map(({ name }) => name);
  return await Promise.all(
    names.sort().map(async (name) => ({ name, text: await readFile(join(HOOKS_FOLDER, name), "utf8") })),
  );
}
