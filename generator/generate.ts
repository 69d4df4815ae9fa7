import type { EmittedFile } from "./emit/file.js";
import { fingerprint, LOCK_FILE, type Lock, type Origin, parseLock, sha256 } from "./emit/lock.js";
import { findHistory } from "./evolve/history.js";
import type { Mesh, Service } from "./model/mesh.js";
import type { Templates } from "./templates.js";

/*
 * The heart of `mesh generate`: what is to be written and removed, decided before anything is touched.
 * ts-morph, ajv and the templates are loaded only when there is something to emit.
 */

/** The output folder, as the cli opens it. Paths are relative to it, with `/` between their parts. */
export interface OutputFolder {
  /** Names of the files right inside a folder; none when it is missing. */
  list(folder: string): readonly string[];
  read(path: string): string | undefined;
  /** Makes the folders on the way. */
  write(path: string, text: string): void;
  /** Removes the folders that this leaves empty. */
  remove(path: string): void;
}

export interface MigrationFile {
  readonly name: string;
  readonly text: string;
  readonly sha256: string;
}

/** What only shows where the mesh meets what was generated before. */
export interface Finding {
  readonly code: string;
  /** The keys that lead to it in mesh.yaml; undefined: it is not about what mesh.yaml says. */
  readonly path?: readonly string[];
  /** The file that it is about instead; generated/ where it is not said. */
  readonly file?: string;
  readonly message: string;
  readonly hint?: string;
}

/** Why nothing is emitted: going on would break a promise about the data that is already there. */
export type Refusal = Finding;

/** Of generator/evolve: all migrations of each service, those that exist untouched, at most one new. */
export type PlanMigrations = (input: {
  readonly previous: Mesh | undefined;
  readonly next: Mesh;
  readonly existing: Readonly<Record<string, readonly Omit<MigrationFile, "sha256">[]>>;
  readonly allowDestructive: boolean;
  readonly templates: Templates;
}) => {
  readonly files: Readonly<Record<string, readonly MigrationFile[]>>;
  readonly refusals: readonly Refusal[];
};

export interface GenerateInput extends Origin {
  readonly folder: Pick<OutputFolder, "list" | "read">;
  /** Loads the planner: like the emitters, it is not needed when nothing has changed. */
  readonly loadMigrationPlanner: () => Promise<PlanMigrations>;
  readonly allowDestructive: boolean;
  /** `--check`: emits and compares even where the lock says that nothing has changed. */
  readonly distrustLock?: boolean;
}

export interface OutputPlan {
  /** In the order of writing; the lock comes last, so that a run that is cut off is not taken for a finished one. */
  readonly write: readonly EmittedFile[];
  /**
   * Files of an earlier run that no longer come out, and migrations that have gone to another service with
   * their database. Never a file that no run has written.
   */
  readonly remove: readonly string[];
  /** Files that already are as they should be. */
  readonly keep: readonly string[];
  /** Where the folder differs from what mesh.yaml says; empty when it is up to date. */
  readonly drift: readonly Drift[];
  /** When there is any, nothing is to be written. */
  readonly refusals: readonly Refusal[];
  /** What is said of a plan that is carried out all the same. */
  readonly warnings: readonly Finding[];
}

/**
 * `changed`: edited since it was generated. `missing`: generated, then deleted. `outdated`: not yet
 * generated from the mesh as it is now. `stale`: generated, and no longer part of the output.
 */
export interface Drift {
  readonly path: string;
  readonly kind: "changed" | "missing" | "outdated" | "stale";
}

export async function planOutput(input: GenerateInput): Promise<OutputPlan> {
  const { folder, mesh } = input;
  const lock = parseLock(folder.read(LOCK_FILE));
  if (lock !== undefined && !input.distrustLock && isUpToDate(lock, input)) return upToDate(lock);

  const chains = findChains(mesh, lock, folder);
  const tampered = lock === undefined ? [] : findTampered(lock, folder, chains);
  if (tampered.length > 0) return refuse(tampered);
  const existing = Object.fromEntries(chains.map(({ service, files }) => [service, files]));
  const planMigrations = await input.loadMigrationPlanner();
  const { allowDestructive, templates } = input;
  const previous = lock?.model;
  const migrations = planMigrations({ previous, next: mesh, existing, allowDestructive, templates });
  const refusals = [...migrations.refusals, ...findStrays(chains, migrations.files)];
  if (refusals.length > 0) return refuse(refusals);

  const [{ emitMesh }, { meshJsonSchema: languageSchema }] = await Promise.all([
    import("./emit/emit.js"),
    import("./language/json-schema.js"),
  ]);
  const files = await emitMesh(mesh, { ...input, migrations: migrations.files, languageSchema });
  const obsolete = [...Object.keys(lock?.files ?? {}), ...chains.flatMap(oldPaths)];
  return compare(files, { lock, folder, obsolete });
}

/**
 * Carries out a plan that has no refusals. Where it is cut off the next run goes on: a migration that moves
 * leaves its old place only when it stands in the new one, and the lock is the last to know.
 */
export function applyPlan({ remove, write }: OutputPlan, folder: OutputFolder): void {
  for (const path of remove) if (!isMigration(path)) folder.remove(path);
  for (const { path, text } of write) if (path !== LOCK_FILE) folder.write(path, text);
  for (const path of remove) if (isMigration(path)) folder.remove(path);
  for (const { path, text } of write) if (path === LOCK_FILE) folder.write(path, text);
}

function isMigration(path: string): boolean {
  return /^[^/]+\/migrations\/[^/]+\.sql$/.test(path);
}

type Reader = GenerateInput["folder"];

function isUpToDate(lock: Lock, { folder, ...origin }: GenerateInput): boolean {
  return (
    lock.fingerprint === fingerprint(origin) &&
    Object.entries(lock.files).every(([path, hash]) => hashOf(folder.read(path)) === hash) &&
    Object.entries(lock.migrations).every(([service, files]) => {
      const present = migrationNames(service, folder);
      return present.length === files.length && files.every(({ name }, index) => present[index] === name);
    }) &&
    findTampered(lock, folder, []).length === 0
  );
}

function upToDate(lock: Lock): OutputPlan {
  const keep = [...Object.keys(lock.files), ...lockedMigrations(lock).map(({ path }) => path), LOCK_FILE];
  return { write: [], remove: [], keep, drift: [], refusals: [], warnings: [] };
}

function refuse(refusals: readonly Refusal[]): OutputPlan {
  return { write: [], remove: [], keep: [], drift: [], refusals, warnings: [] };
}

interface Present {
  readonly lock: Lock | undefined;
  readonly folder: Reader;
  /** To be removed, unless they come out again. */
  readonly obsolete: readonly string[];
}

function compare(files: readonly EmittedFile[], { lock, folder, obsolete }: Present): OutputPlan {
  const emitted = new Set(files.map(({ path }) => path));
  const write = files.filter(({ path, text }) => folder.read(path) !== text);
  const remove = obsolete.filter(
    (path) => !emitted.has(path) && isInside(path) && folder.read(path) !== undefined,
  );
  const written = new Set(write);
  return {
    write,
    remove,
    keep: files.filter((file) => !written.has(file)).map(({ path }) => path),
    drift: [
      ...write.map(({ path }): Drift => ({ path, kind: driftOf(path, lock, folder) })),
      ...remove.map((path): Drift => ({ path, kind: "stale" })),
    ],
    refusals: [],
    warnings: [],
  };
}

function driftOf(path: string, lock: Lock | undefined, folder: Reader): Drift["kind"] {
  const locked = lock?.files[path];
  const present = folder.read(path);
  if (locked === undefined) return "outdated";
  if (present === undefined) return "missing";
  return sha256(present) === locked ? "outdated" : "changed";
}

/** A lock that was tampered with must not make us delete a file elsewhere. */
function isInside(path: string): boolean {
  return !path.startsWith("/") && !path.split(/[\\/]/).includes("..");
}

function hashOf(text: string | undefined): string | undefined {
  return text === undefined ? undefined : sha256(text);
}

/** The migrations that a service's database has had, and whose folder they are in. */
interface Chain {
  readonly service: string;
  /** The service that had the database when they were generated. */
  readonly from: string;
  readonly files: readonly Omit<MigrationFile, "sha256">[];
  /** Files that stand already where a chain moves in, and that no chain takes away from there. */
  readonly unexplained: readonly Omit<MigrationFile, "sha256">[];
}

function findChains(mesh: Mesh, lock: Lock | undefined, folder: Reader): readonly Chain[] {
  return mesh.services
    .filter((service) => !service.external)
    .map((service) => findChain(service, { mesh, lock, folder }));
}

function findChain(
  service: Service,
  { mesh, lock, folder }: { readonly mesh: Mesh; readonly lock: Lock | undefined; readonly folder: Reader },
): Chain {
  const { name } = service;
  const own = readMigrations(name, folder);
  const from = findHistory(lock?.model, mesh, service)?.service ?? name;
  if (from === name) {
    // Where the database it had has gone to another service, what stands here goes with it.
    const had = lock?.model.databases.find((database) => database.service === name);
    const isGone = had?.name !== service.database && mesh.databases.some((kept) => kept.name === had?.name);
    return { service: name, from, files: isGone ? [] : own, unexplained: [] };
  }
  const left = readMigrations(from, folder);
  const namesOf = (files: readonly { readonly name: string }[] = []) =>
    new Set(files.map((file) => file.name));
  const locked = namesOf(lock?.migrations[from]);
  const leaving = namesOf(lock?.migrations[name]);
  const waiting = namesOf(left);
  // The user, or a run that was cut off, may have moved some of them already.
  const moved = own.filter((file) => locked.has(file.name) && !waiting.has(file.name));
  const files = [...left, ...moved].sort((a, b) => (a.name < b.name ? -1 : 1));
  return { service: name, from, files, unexplained: own.filter((file) => !leaving.has(file.name)) };
}

/** Where the files of a chain stood before its database had another service. */
function oldPaths({ service, from, files }: Chain): readonly string[] {
  return service === from ? [] : files.map(({ name }) => `${from}/migrations/${name}`);
}

function readMigrations(service: string, folder: Reader): Chain["files"] {
  return migrationNames(service, folder).map((name) => ({
    name,
    text: folder.read(`${service}/migrations/${name}`) ?? "",
  }));
}

function migrationNames(service: string, folder: Reader): string[] {
  return folder
    .list(`${service}/migrations`)
    .filter((name) => name.endsWith(".sql"))
    .sort();
}

function lockedMigrations(lock: Lock) {
  return Object.entries(lock.migrations).flatMap(([service, files]) =>
    files.map(({ name, sha256 }) => ({ service, name, path: `${service}/migrations/${name}`, sha256 })),
  );
}

/** Databases may have run a migration the day it was written: it is neither edited nor dropped afterwards. */
function findTampered(lock: Lock, folder: Reader, chains: readonly Chain[]): Refusal[] {
  return lockedMigrations(lock).flatMap(({ service, name, path, sha256: locked }) => {
    const found = hashOf(folder.read(path));
    if (found === locked) return [];
    const chain = chains.find(({ from }) => from === service);
    if (found === undefined && hashOf(chain?.files.find((file) => file.name === name)?.text) === locked)
      return [];
    return {
      code: found === undefined ? "migration-missing" : "migration-changed",
      message: `${path} ${found === undefined ? "is missing" : "has been changed since it was generated"}`,
      hint: `restore it from version control; a further change belongs into mesh.yaml and becomes a new migration`,
    };
  });
}

/** Beside a chain that moves in they would be taken for part of it. What a run that was cut off has put there is. */
function findStrays(chains: readonly Chain[], planned: ReturnType<PlanMigrations>["files"]): Refusal[] {
  return chains.flatMap(({ service, from, unexplained }) => {
    const isPlanned = ({ name, text }: (typeof unexplained)[number]) =>
      planned[service]?.some((file) => file.name === name && file.text === text);
    return unexplained
      .filter((file) => !isPlanned(file))
      .map(({ name }) => ({
        code: "migration-in-the-way",
        path: ["services", service],
        message: `${service}/migrations/${name} stands where the migrations of "${from}" are to go with their database`,
        hint: "it is none of that database's: move it elsewhere, or delete it if no database has had it",
      }));
  });
}
