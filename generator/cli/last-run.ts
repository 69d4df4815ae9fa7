import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { Diagnostic } from "../diagnostics/diagnostic.js";
import { fingerprint, LOCK_FILE, sha256 } from "../emit/lock.js";
import { readLock } from "../emit/read-lock.js";
import type { Mesh } from "../model/mesh.js";
import { isAsLocked } from "../plan-output.js";
import { openOutputFolder } from "../project/output-folder.js";
import { readTemplates, readVersion } from "../project/package.js";
import { GENERATED } from "../project/paths.js";
import { readRegularFile } from "../project/regular-file.js";
import { UsageError } from "../project/usage-error.js";
import type { Warnings } from "./findings.js";
import type { Sources } from "./project.js";

/*
 * What the last `mesh generate` here made of mesh.yaml, for the next one: from the same bytes, beside the same hooks, the same program
 * makes the same. Whether generated/ is what comes of it is looked at all the same: each file is read, and compared with the lock.
 * `--check` does not ask, and commands that need the mesh cannot.
 */

interface Result {
  readonly services: number;
  readonly events: number;
  /** Warnings of mesh.yaml alone. */
  readonly diagnostics: readonly Diagnostic[];
  /** What hooks are warned of. */
  readonly found: Warnings;
  /** As `--json` prints them, those that mesh.yaml ignores included. */
  readonly warnings: readonly object[];
}

interface Kept extends Result {
  /** Of the sources, and of the program that read them. */
  readonly key: string;
  /** Of the mesh, as the lock has it. */
  readonly fingerprint: string;
}

/** What a run says that finds everything as it should be. */
export interface RecalledRun extends Result {
  readonly unchanged: number;
}

const FOLDER = "node_modules/.cache/meshwright";
const FILE = `${FOLDER}/generate.json`;
const MOST_BYTES = 16 * 1024 * 1024;

/** undefined: something is to be done, or nothing is known. */
export async function recallRun(sources: Sources): Promise<RecalledRun | undefined> {
  const kept = await readKept();
  if (kept === undefined || kept.key !== (await keyOf(sources))) return undefined;
  const folder = openOutputFolder(GENERATED);
  const { lock } = { lock: undefined, ...readLock(folder.read(LOCK_FILE)) };
  if (lock?.fingerprint !== kept.fingerprint || !isAsLocked(lock, folder)) return undefined;
  return { ...kept, unchanged: Object.keys(lock.files).length + Object.keys(lock.migrations).length + 1 };
}

/** Where there is no node_modules, or nothing may be written there, the next run compiles again. */
export async function rememberRun(sources: Sources, mesh: Mesh, result: Result): Promise<void> {
  const [key, version, templates] = await Promise.all([keyOf(sources), readVersion(), readTemplates()]);
  if (key === undefined) return;
  const kept: Kept = { key, fingerprint: fingerprint({ mesh, version, templates }), ...result };
  const beside = `${FILE}.${process.pid}`;
  try {
    for (const folder of ["node_modules/.cache", FOLDER]) makeFolder(folder);
    writeFileSync(beside, JSON.stringify(kept));
    renameSync(beside, FILE);
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

/** undefined: this program is not bundled, as in tests, and nothing tells it from another. */
async function keyOf({ bytes, hooks }: Sources): Promise<string | undefined> {
  const [program, version, templates] = await Promise.all([
    // It names all other files of the bundle, and their names have hashes of what is in them.
    readIfThere(new URL("main.js", import.meta.url)),
    readVersion(),
    readTemplates(),
  ]);
  if (program === undefined) return undefined;
  const runtime = createRequire(import.meta.url)("@meshwright/runtime/package.json") as { version: string };
  // Byte for byte: what is no UTF-8 is a mistake.
  const mesh = Buffer.from(bytes).toString("base64");
  return sha256(JSON.stringify([program, version, runtime.version, templates, mesh, hooks]));
}

async function readIfThere(path: string | URL): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw error;
  }
}

/** undefined also where something else stands there: what is kept saves time, and is nothing that a run may fail for. */
async function readKept(): Promise<Kept | undefined> {
  try {
    const bytes = await readRegularFile(FILE, MOST_BYTES);
    const kept = bytes && (JSON.parse(new TextDecoder().decode(bytes)) as Kept | null);
    return kept ?? undefined;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof UsageError) return undefined;
    throw error;
  }
}

/** The system's: no such file, no right to it, no space. */
function isRefusal(error: unknown): boolean {
  return error instanceof Error && "syscall" in error;
}
