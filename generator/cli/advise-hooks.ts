import { findHookMistakes } from "../check/hook-files.js";
import type { Mesh } from "../model/mesh.js";
import type { ProjectDiagnostic } from "../plan-output.js";
import { readHookFiles } from "./read-hook-files.js";

/** What can be said of the hooks folder without running it. */
export async function adviseHooks(mesh: Mesh): Promise<readonly ProjectDiagnostic[]> {
  return findHookMistakes(mesh, await readHookFiles());
}
