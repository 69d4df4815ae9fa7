import { isMigrationPath, isPlainPath } from "./file.js";
import type { FoundLock, Hashes } from "./lock.js";

/*
 * The lock as it is found: of an earlier run, of a merge, or of whoever sent us a branch. Nothing in it is believed
 * before it has the shape that a run gives it; the paths in it are read, compared and removed.
 */

/** `problem` ends a sentence about the file. */
export type LockReading =
  | { readonly lock: FoundLock | undefined; readonly problem?: never }
  | { readonly problem: string };

export function readLock(text: string | undefined): LockReading {
  if (text === undefined) return { lock: undefined };
  const value = parseJson(text);
  if (value === undefined) return { lock: salvageLock(text) };
  if (!isRecord(value)) return { problem: "is no JSON object" };
  if (value.lockVersion === 1) return readFields(value);
  return { problem: `has "lockVersion": ${show(value.lockVersion)}, and this generator knows 1` };
}

type Fields = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function readFields({ fingerprint, files, migrations }: Fields): LockReading {
  if (typeof fingerprint !== "string" || !HASH.test(fingerprint)) return { problem: 'has no "fingerprint"' };
  const problem =
    problemOf("files", files, isFilePath) ?? problemOf("migrations", migrations, isMigrationPath);
  if (problem !== undefined) return { problem };
  return {
    lock: { fingerprint, files: files as Hashes, migrations: migrations as Hashes },
  };
}

const HASH = /^[0-9a-f]{64}$/;

function problemOf(key: string, value: unknown, isPath: (path: string) => boolean): string | undefined {
  if (!isRecord(value)) return `has no "${key}" with a hash for each path`;
  for (const [path, hash] of Object.entries(value)) {
    if (!isPath(path)) return `names ${show(path)} under "${key}", which no run writes`;
    if (typeof hash !== "string" || !HASH.test(hash)) return `has no sha256 for ${show(path)}`;
  }
  return undefined;
}

function isFilePath(path: string): boolean {
  return isPlainPath(path) && !isMigrationPath(path);
}

function show(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 100) ?? "nothing";
}

/** Of a lock in which a merge has left its markers, or lines of both sides: the lines that a run writes. */
function salvageLock(text: string): FoundLock {
  const lines = [...text.matchAll(/^\s*"([^"]+)": "([0-9a-f]{64})",?\r?$/gm)];
  const hashes = lines.map(([, path = "", hash = ""]) => [path, hash] as const);
  return {
    fingerprint: undefined,
    files: Object.fromEntries(hashes.filter(([path]) => path.includes(".") && isFilePath(path))),
    migrations: Object.fromEntries(hashes.filter(([path]) => isMigrationPath(path))),
  };
}
