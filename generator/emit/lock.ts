import { createHash } from "node:crypto";
import type { Mesh } from "../model/mesh.js";
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
  readonly files: Readonly<Record<string, string>>;
  /** Migrations are append-only: these may be joined by others, never change and never go. */
  readonly migrations: Readonly<
    Record<string, readonly { readonly name: string; readonly sha256: string }[]>
  >;
  /** What mesh.yaml meant: the next run's migrations lead from here. */
  readonly model: Mesh;
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

/**
 * The lock as text: one line per file, migration, service, table set and event, so that two branches
 * which each add an event merge without a conflict on one huge line.
 */
export function printLock(
  origin: Origin,
  files: readonly EmittedFile[],
  migrations: Lock["migrations"],
): string {
  const hashes = files
    .map(({ path, text }) => [path, sha256(text)] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const lock: Lock = {
    lockVersion: 1,
    generator: origin.version,
    fingerprint: fingerprint(origin),
    files: Object.fromEntries(hashes),
    migrations,
    model: origin.mesh,
  };
  return `${printLines(lock, 3, "")}\n`;
}

/** The lock of an earlier run; undefined where there is none or it cannot be read: everything is emitted anew then. */
export function parseLock(text: string | undefined): Lock | undefined {
  if (text === undefined) return undefined;
  try {
    const lock: unknown = JSON.parse(text);
    return isLock(lock) ? lock : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isLock(value: unknown): value is Lock {
  return typeof value === "object" && value !== null && "lockVersion" in value && value.lockVersion === 1;
}

/** JSON with its outer levels broken into lines and its inner ones kept on one. */
function printLines(value: unknown, levels: number, indent: string): string {
  if (levels === 0 || typeof value !== "object" || value === null) return JSON.stringify(value);
  const inner = `${indent}  `;
  const print = (item: unknown) => printLines(item, levels - 1, inner);
  const [open, lines, close] = Array.isArray(value)
    ? ["[", value.map(print), "]"]
    : ["{", definedEntries(value).map(([key, item]) => `${JSON.stringify(key)}: ${print(item)}`), "}"];
  if (lines.length === 0) return open + close;
  return `${open}\n${lines.map((line) => inner + line).join(",\n")}\n${indent}${close}`;
}

function definedEntries(value: object): [string, unknown][] {
  return Object.entries(value).filter(([, item]) => item !== undefined);
}
