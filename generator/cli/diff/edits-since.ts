import { compareMeshes } from "../../compatibility/compare-meshes.js";
import { type PlacedChange, placeChanges } from "../../compatibility/report/placed-changes.js";
import type { Compilation } from "../../compile.js";
import { LOCK_FILE } from "../../emit/lock.js";
import { readLockedMesh } from "../../emit/locked-mesh.js";
import type { Mesh } from "../../model/mesh.js";
import { openOutputFolder } from "../../project/output-folder.js";
import { readTemplates, readVersion } from "../../project/package.js";
import { GENERATED } from "../../project/paths.js";

/** What the mesh was when it was generated last; undefined: never, by another generator, or a merge has touched the lock. */
export async function readLastMesh(): Promise<Mesh | undefined> {
  const text = openOutputFolder(GENERATED).read(LOCK_FILE);
  if (text === undefined) return undefined;
  const [version, templates] = await Promise.all([readVersion(), readTemplates()]);
  const locked = readLockedMesh(text, { version, templates });
  return "mesh" in locked ? locked.mesh : undefined;
}

/** What the edit since then means, worst first. */
export async function compareWithLast(
  last: Mesh,
  { mesh, placeAt }: Pick<Compilation, "mesh" | "placeAt">,
): Promise<readonly PlacedChange[]> {
  if (mesh === undefined) return [];
  return placeChanges(compareMeshes(last, mesh, { templates: await readTemplates() }), placeAt, undefined);
}
