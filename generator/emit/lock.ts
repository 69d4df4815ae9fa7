import { createHash } from "node:crypto";
import type { Mesh } from "../model/mesh.js";
import { visible } from "../quote/visible.js";
import type { Templates } from "../templates.js";
import type { EmittedFile } from "./file.js";

/** Name of the file by which a run knows what the last one was made from and what it wrote. */
export const LOCK_FILE = "mesh.lock.json";

export interface Lock {
  readonly lockVersion: 1;
  readonly generator: string;
  /** Of all that the output follows from: the model, the generator and its templates. */
  readonly fingerprint: string;
  /** sha256 of each emitted file by its path; neither the lock nor the migrations. */
  readonly files: Hashes;
  /** The same of migrations, which are append-only: others may come, none of these changes or goes. */
  readonly migrations: Hashes;
  /** What the output was made from, to say what the next edit changes. Nothing is generated from it. */
  readonly model: Mesh;
}

/** By path. */
export type Hashes = Readonly<Record<string, string>>;

/**
 * The lock of an earlier run. It saves work, and shows which files were edited; nothing is generated from it. Where it is
 * lost, of another branch or full of conflict markers, the next run emits everything.
 */
export interface FoundLock extends Pick<Lock, "files" | "migrations"> {
  /** undefined where the lock cannot be read as a whole. */
  readonly fingerprint: string | undefined;
}

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

export interface Origin {
  readonly mesh: Mesh;
  readonly version: string;
  readonly templates: Templates;
}

const known = new WeakMap<Mesh, Origin & { readonly fingerprint: string }>();

/** Taken from the model, not from mesh.yaml's text: a comment or a moved block changes nothing that is emitted. */
export function fingerprint({ mesh, version, templates }: Origin): string {
  const last = known.get(mesh);
  if (last?.version === version && last.templates === templates) return last.fingerprint;
  const texts = Object.entries(templates).sort(([a], [b]) => (a < b ? -1 : 1));
  const found = sha256(JSON.stringify([mesh, version, texts]));
  known.set(mesh, { mesh, version, templates, fingerprint: found });
  return found;
}

/** The lock as text: a line for each file, so that two branches which each add some merge line by line. */
export function printLock(origin: Origin, files: readonly EmittedFile[], migrations: Hashes): string {
  const lock: Omit<Lock, "model"> = {
    lockVersion: 1,
    generator: origin.version,
    fingerprint: fingerprint(origin),
    files: Object.fromEntries(files.map(({ path, text }) => [path, sha256(text)] as const).sort(byPath)),
    migrations: Object.fromEntries(Object.entries(migrations).sort(byPath)),
  };
  const head = JSON.stringify(lock, null, 2).slice(0, -"\n}".length);
  return visible(`${head},\n  "model": ${printModel(origin.mesh)}\n}\n`);
}

/** A line for each service, database, event and so on, for the same reason. */
function printModel(mesh: Mesh): string {
  const parts = Object.entries(mesh).flatMap(([key, value]: [string, unknown]) => {
    if (value === undefined) return [];
    const lines = Array.isArray(value) ? value.map((item) => `      ${JSON.stringify(item)}`) : [];
    const text = lines.length === 0 ? JSON.stringify(value) : `[\n${lines.join(",\n")}\n    ]`;
    return [`    ${JSON.stringify(key)}: ${text}`];
  });
  return `{\n${parts.join(",\n")}\n  }`;
}

function byPath([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
