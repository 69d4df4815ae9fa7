import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Compilation, compileMesh } from "../../compile.js";
import { hasErrors } from "../../diagnostics/diagnostic.js";
import { plural } from "../../diagnostics/plural.js";
import { readLockedMesh } from "../../emit/locked-mesh.js";
import type { Mesh } from "../../model/mesh.js";
import { readTemplates, readVersion } from "../../project/package.js";
import { MESH_FILE } from "../../project/paths.js";
import { readRegularFile } from "../../project/regular-file.js";
import { UsageError } from "../../project/usage-error.js";
import { MOST_BYTES } from "../../source/bytes.js";
import { findCommit } from "./git.js";

/** What mesh.yaml is compared with. */
export interface FormerMesh {
  readonly mesh: Mesh;
  /** undefined: of a lock, which knows no places. */
  readonly placeAt: Compilation["placeAt"] | undefined;
  /** Files of a folder beside it, by name; undefined: not known. */
  readonly folder: (path: string) => ReadonlyMap<string, string> | undefined;
}

/** A file where there is one of that name, else a commit; a lock where the name ends as JSON does. */
export async function readFormerMesh(against: string): Promise<FormerMesh> {
  const isFile = existsSync(against) && statSync(against).isFile();
  if (!isFile) return readCommit(against);
  return against.endsWith(".json") ? await readLocked(against) : await readMeshFile(against);
}

function readCommit(ref: string): FormerMesh {
  const commit = findCommit(ref);
  const bytes = commit.read(MESH_FILE);
  if (bytes === undefined) throw new UsageError(`${ref} has no ${MESH_FILE} in this folder`);
  const folder = (path: string) =>
    new Map(commit.list(path).map((name) => [name, commit.read(`${path}/${name}`)?.toString("utf8") ?? ""]));
  return { ...compiled(bytes, `${ref}:${MESH_FILE}`), folder };
}

async function readMeshFile(path: string): Promise<FormerMesh> {
  const bytes = await readRegularFile(path, MOST_BYTES);
  if (bytes === undefined) throw new UsageError(`there is no file ${path}`);
  return { ...compiled(bytes, path), folder: (name) => readFolder(join(dirname(path), name)) };
}

export function readFolder(folder: string): ReadonlyMap<string, string> {
  if (!existsSync(folder)) return new Map();
  const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(files.map(({ name }) => [name, readFileSync(join(folder, name), "utf8")]));
}

function compiled(bytes: Uint8Array, file: string): Pick<FormerMesh, "mesh" | "placeAt"> {
  const { mesh, diagnostics, placeAt } = compileMesh(bytes, { file, warnings: false });
  if (mesh !== undefined) return { mesh, placeAt };
  const [first] = diagnostics.filter((diagnostic) => hasErrors([diagnostic]));
  const where = first === undefined ? file : `${file}:${first.start.line}:${first.start.column}`;
  throw new UsageError(
    `${file} is no mesh to this generator: ${where} ${first?.message ?? ""} (${plural(diagnostics.length, "mistake")})`,
    "compare with a commit whose mesh.yaml it takes",
  );
}

async function readLocked(path: string): Promise<FormerMesh> {
  const [version, templates, bytes] = await Promise.all([
    readVersion(),
    readTemplates(),
    readRegularFile(path, MOST_LOCK_BYTES),
  ]);
  const text = new TextDecoder().decode(bytes);
  const { mesh, problem } = { mesh: undefined, problem: "", ...readLockedMesh(text, { version, templates }) };
  if (mesh === undefined) {
    throw new UsageError(
      `${path} ${problem}`,
      "compare with a commit instead (mesh diff --against HEAD), or generate first",
    );
  }
  return { mesh, placeAt: undefined, folder: () => undefined };
}

/** A lock holds the model, which says more than mesh.yaml does. */
const MOST_LOCK_BYTES = 32 * MOST_BYTES;
