import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compileMesh } from "../../generator/compile.js";
import type { Mesh } from "../../generator/model/mesh.js";

/** The repository's folder. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Reads a file, given by its path in the repository. */
export function readMesh(path = "mesh.yaml"): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** The model of a mesh that must have no mistakes. */
export function compile(text: string): Mesh {
  const { mesh, diagnostics } = compileMesh(text, { file: "mesh.yaml" });
  if (mesh === undefined)
    throw new Error(
      `the test's mesh does not compile: ${JSON.stringify(diagnostics, undefined, 2)}\n${text}`,
    );
  return mesh;
}
