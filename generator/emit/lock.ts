import { createHash } from "node:crypto";
import type { Mesh } from "../model/mesh.js";
import type { Templates } from "../templates.js";
import type { EmittedFile } from "./file.js";

/** Name of the file by which a run knows what the last one was made from and what it wrote. */
export const LOCK_FILE = "mesh.lock.json";

export interface Lock {
  readonly lockVersion: 2;
  readonly generator: string;
  /** Of all that the output follows from: the model, the generator and its templates. */
  readonly fingerprint: string;
  /** sha256 of each emitted file by its path; neither the lock nor the migrations. */
  readonly files: Hashes;
  /** The same of migrations. They are append-only: these may be joined by others, never change and never go. */
  readonly migrations: Hashes;
}

/** By path. */
export type Hashes = Readonly<Record<string, string>>;

/**
 * What an earlier run has left. It saves work and shows what was tampered with, and nothing is built on it: lost, of
 * another branch or full of conflict markers, it costs a run that emits everything.
 */
export interface FoundLock extends Pick<Lock, "files" | "migrations"> {
  /** undefined where the lock cannot be read as a whole. */
  readonly fingerprint: string | undefined;
  /** In locks of older generators, whose migrations do not tell what they lead to. */
  readonly model: Mesh | undefined;
}

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

export interface Origin {
  readonly mesh: Mesh;
  readonly version: string;
  readonly templates: Templates;
}

/** Taken from the model, not from mesh.yaml's text: a comment or a moved block changes nothing that is emitted. */
export function fingerprint({ mesh, version, templates }: Origin): string {
  const texts = Object.entries(templates).sort(([a], [b]) => (a < b ? -1 : 1));
  return sha256(JSON.stringify([mesh, version, texts]));
}

/** The lock as text: a line for each file, so that two branches which each add some merge line by line. */
export function printLock(origin: Origin, files: readonly EmittedFile[], migrations: Hashes): string {
  const lock: Lock = {
    lockVersion: 2,
    generator: origin.version,
    fingerprint: fingerprint(origin),
    files: Object.fromEntries(files.map(({ path, text }) => [path, sha256(text)] as const).sort(byPath)),
    migrations: Object.fromEntries(Object.entries(migrations).sort(byPath)),
  };
  return `${JSON.stringify(lock, null, 2)}\n`;
}

function byPath([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}

/** undefined where there is none. */
export function parseLock(text: string | undefined): FoundLock | undefined {
  if (text === undefined) return undefined;
  const lock = parseJson(text);
  if (lock?.lockVersion === 2) {
    const { fingerprint, files = {}, migrations = {} } = lock as unknown as Partial<Lock>;
    return { fingerprint, files, migrations, model: undefined };
  }
  if (lock?.lockVersion === 1) return readOldLock(lock as unknown as OldLock);
  return salvageLock(text);
}

function parseJson(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

interface OldLock {
  readonly files: Hashes;
  readonly migrations: Readonly<
    Record<string, readonly { readonly name: string; readonly sha256: string }[]>
  >;
  readonly model: Mesh;
}

function readOldLock({ files, migrations, model }: OldLock): FoundLock {
  const hashes = Object.entries(migrations).flatMap(([service, chain]) =>
    chain.map(({ name, sha256 }) => [`${service}/migrations/${name}`, sha256] as const),
  );
  return { fingerprint: undefined, files, migrations: Object.fromEntries(hashes), model };
}

const MIGRATION = /^[^/]+\/migrations\/[^/]+\.sql$/;

/** A merge has left its markers: the lines of both sides are still there to be read. */
function salvageLock(text: string): FoundLock {
  const lines = [...text.matchAll(/^\s*"([^"]+)": "([0-9a-f]{64})",?\r?$/gm)];
  const hashes = lines.flatMap(([, path = "", hash = ""]) =>
    path.includes(".") ? [[path, hash] as const] : [],
  );
  const isMigration = ([path]: readonly [string, string]) => MIGRATION.test(path);
  return {
    fingerprint: undefined,
    files: Object.fromEntries(hashes.filter((line) => !isMigration(line))),
    migrations: Object.fromEntries(hashes.filter(isMigration)),
    model: undefined,
  };
}
