import { type Chain, findChains } from "./chains.js";
import { type EmittedFile, isMigrationPath, type OutputFolder } from "./emit/file.js";
import { type FoundLock, fingerprint, LOCK_FILE, type Origin, sha256 } from "./emit/lock.js";
import { isMarked } from "./emit/mark.js";
import { readLock } from "./emit/read-lock.js";
import type { emitMigrations } from "./emit/sql/emit-migrations.js";
import { type ExistingMigration, restoring } from "./migrations/lineage.js";
import { describeChange } from "./source/conflict-markers.js";
import { findTakeBack, folderWithout, takingBack } from "./take-back.js";

/*
 * The heart of `mesh generate`: what is to be written and removed, decided before anything is touched.
 * ts-morph, ajv and the templates are loaded only when there is something to emit.
 */

/** A mistake or warning that mesh.yaml alone does not show: it is about what was generated before, or about hooks. */
export interface ProjectDiagnostic {
  readonly code: string;
  /** The keys that lead to it in mesh.yaml; undefined: it is not about what mesh.yaml says. */
  readonly path?: readonly string[];
  /** The file that it is about instead; generated/ where it is not said. */
  readonly file?: string;
  readonly message: string;
  readonly hint?: string;
}

/** Why nothing is emitted: going on would break a promise about the data that is already there. */
export type Refusal = ProjectDiagnostic;

/** All migrations of each service, those that exist untouched, at most one new. */
export type PlanMigrations = typeof emitMigrations;

export interface GenerateInput extends Origin {
  readonly folder: Pick<OutputFolder, "folders" | "list" | "read">;
  /** Loads the planner: like the emitters, it is not needed when nothing has changed. */
  readonly loadMigrationPlanner: () => Promise<PlanMigrations>;
  readonly allowDestructive: boolean;
  /** `--check`: emits and compares even where the lock says that nothing has changed. */
  readonly distrustLock?: boolean;
  /** Paths of migrations that are planned anew, as if they had never been; the lock may know of some that are gone already. */
  readonly takeBack?: ReadonlySet<string>;
  /** Whether a commit has the migration; undefined: nobody knows. It is asked where something is refused. */
  readonly isCommitted?: (path: string) => boolean | undefined;
}

export interface OutputPlan {
  /** In the order of writing; the lock comes last, so that a run that is cut off is not taken for a finished one. */
  readonly write: readonly EmittedFile[];
  /**
   * Files of an earlier run that no longer come out, and migrations that have gone to another service with
   * their database. Never a file that no run has written.
   */
  readonly remove: readonly string[];
  /** Migrations among these that go before anything is written: what is planned in their stead follows the same ones. */
  readonly takenBack: readonly string[];
  /** Files that already are as they should be. */
  readonly keep: readonly string[];
  /** Where the folder differs from what mesh.yaml says; empty when it is up to date. */
  readonly drift: readonly Drift[];
  /** When there is any, nothing is to be written. */
  readonly refusals: readonly Refusal[];
  /** Migrations by which the refusals go, where they are taken back; no commit has them, nor what follows them. */
  readonly takeBackInstead?: readonly string[];
  /** Reported although the plan is carried out. */
  readonly warnings: readonly ProjectDiagnostic[];
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
  const { mesh, takeBack = NONE } = input;
  const folder = folderWithout(input.folder, takeBack);
  const { lock: found, problem } = { lock: undefined, ...readLock(folder.read(LOCK_FILE)) };
  if (problem !== undefined) return refuse([malformedLock(problem)]);
  const lock = found && withoutMigrations(found, takeBack);
  const isTrusted =
    lock !== undefined &&
    takeBack.size === 0 &&
    !input.distrustLock &&
    lock.fingerprint === fingerprint(input);
  if (isTrusted && isAsLocked(lock, folder)) return upToDate(lock);

  const chains = findChains(mesh, folder);
  const isCommitted = input.isCommitted ?? (() => undefined);
  const tampered = lock === undefined ? [] : findTampered(lock, { folder, chains, isCommitted });
  if (tampered.length > 0) return refuse(tampered);
  const existing = Object.fromEntries(chains.map(({ service, files }) => [service, files]));
  const planMigrations = await input.loadMigrationPlanner();
  const { allowDestructive, templates } = input;
  const migrations = planMigrations({ next: mesh, existing, allowDestructive, templates });
  const refusals = [...migrations.refusals, ...findMisplacedEvents(chains, migrations.files)];
  if (refusals.length > 0) {
    const isRefused = (service: string, files: readonly ExistingMigration[]) =>
      planMigrations({
        next: { ...mesh, services: mesh.services.filter(({ name }) => name === service) },
        existing: { [service]: files },
        allowDestructive,
        templates,
      }).refusals.length > 0;
    const services = refusals.map(({ service }) => service);
    const further = findTakeBack({ services, chains, isRefused, isCommitted });
    return { ...refuse(refusals), ...(further && { takeBackInstead: [...takeBack, ...further] }) };
  }

  const [{ emitMesh }, { meshJsonSchema: languageSchema }] = await Promise.all([
    import("./emit/emit.js"),
    import("./language/mesh-schema.js"),
  ]);
  const files = await emitMesh(mesh, { ...input, migrations: migrations.files, languageSchema });
  const obsolete = [
    ...Object.keys(lock?.files ?? {}),
    ...chains.flatMap(({ oldPaths }) => oldPaths),
    ...takeBack,
  ];
  const plan = compare(files, { lock, folder: input.folder, obsolete });
  return { ...plan, takenBack: plan.remove.filter((path) => takeBack.has(path)) };
}

const NONE: ReadonlySet<string> = new Set();

function withoutMigrations(lock: FoundLock, paths: ReadonlySet<string>): FoundLock {
  const kept = Object.entries(lock.migrations).filter(([path]) => !paths.has(path));
  return { ...lock, migrations: Object.fromEntries(kept) };
}

/**
 * Carries out a plan that has no refusals. Where it is cut off the next run goes on: a migration that moves
 * is removed from its old folder only when it stands in the new one, and the lock is written last.
 */
export function applyPlan({ remove, takenBack, write }: OutputPlan, folder: OutputFolder): void {
  for (const path of takenBack) folder.remove(path);
  for (const path of remove) if (!isMigrationPath(path)) folder.remove(path);
  for (const { path, text } of write) if (path !== LOCK_FILE) folder.write(path, text);
  for (const path of remove) if (isMigrationPath(path)) folder.remove(path);
  for (const { path, text } of write) if (path === LOCK_FILE) folder.write(path, text);
}

type Reader = GenerateInput["folder"];

/** Whether the folder holds what the lock says, byte for byte, and no migration beside that. */
export function isAsLocked(lock: FoundLock, folder: Reader): boolean {
  const migrations = folder
    .folders()
    .flatMap((service) => folder.list(`${service}/migrations`).map((name) => `${service}/migrations/${name}`))
    .filter(isMigrationPath);
  return (
    [...Object.entries(lock.files), ...Object.entries(lock.migrations)].every(
      ([path, hash]) => hashOf(folder.read(path)) === hash,
    ) && migrations.every((path) => lock.migrations[path] !== undefined)
  );
}

function upToDate(lock: FoundLock): OutputPlan {
  const keep = [...Object.keys(lock.files), ...Object.keys(lock.migrations), LOCK_FILE];
  return { ...NOTHING_TO_DO, keep };
}

function refuse(refusals: readonly Refusal[]): OutputPlan {
  return { ...NOTHING_TO_DO, refusals };
}

const NOTHING_TO_DO: OutputPlan = {
  write: [],
  remove: [],
  takenBack: [],
  keep: [],
  drift: [],
  refusals: [],
  warnings: [],
};

interface Present {
  readonly lock: FoundLock | undefined;
  readonly folder: Reader;
  /** To be removed, unless they come out again. */
  readonly obsolete: readonly string[];
}

function compare(files: readonly EmittedFile[], { lock, folder, obsolete }: Present): OutputPlan {
  const emitted = new Set(files.map(({ path }) => path));
  const write = files.filter(({ path, text }) => folder.read(path) !== text);
  const stale = obsolete.filter((path) => !emitted.has(path) && folder.read(path) !== undefined);
  // Anybody may have written the lock: a file without the header of generated files stays.
  const remove = stale.filter((path) => isMigrationPath(path) || isMarked(path, folder.read(path) ?? ""));
  const written = new Set(write);
  return {
    write,
    remove,
    takenBack: [],
    keep: files.filter((file) => !written.has(file)).map(({ path }) => path),
    drift: [
      ...write.map(({ path }): Drift => ({ path, kind: driftOf(path, lock, folder) })),
      ...remove.map((path): Drift => ({ path, kind: "stale" })),
    ],
    refusals: [],
    warnings: stale.filter((path) => !remove.includes(path)).map(leftAlone),
  };
}

function leftAlone(path: string): ProjectDiagnostic {
  return {
    code: "left-alone",
    file: `generated/${path}`,
    message: "this is no longer generated, and does not say that it ever was: it stays as it is",
    hint: "remove it, or move it out of generated/",
  };
}

function driftOf(path: string, lock: FoundLock | undefined, folder: Reader): Drift["kind"] {
  const locked = lock?.files[path];
  const present = folder.read(path);
  if (locked === undefined) return "outdated";
  if (present === undefined) return "missing";
  return sha256(present) === locked ? "outdated" : "changed";
}

function malformedLock(problem: string): Refusal {
  return {
    code: "lock-malformed",
    file: `generated/${LOCK_FILE}`,
    message: `the lock ${problem}: no run has left it so`,
    hint: "restore it from version control, or delete it: the next run makes it anew",
  };
}

function hashOf(text: string | undefined): string | undefined {
  return text === undefined ? undefined : sha256(text);
}

/** Migrations that were edited or removed: some database may have applied them the day they were written. */
function findTampered(
  lock: FoundLock,
  {
    folder,
    chains,
    isCommitted,
  }: {
    readonly folder: Reader;
    readonly chains: readonly Chain[];
    readonly isCommitted: NonNullable<GenerateInput["isCommitted"]>;
  },
): Refusal[] {
  return Object.entries(lock.migrations).flatMap(([path, locked]) => {
    const text = folder.read(path);
    const found = hashOf(text);
    const name = path.slice(path.lastIndexOf("/") + 1);
    // The user, or a run that was cut off, may have moved it already.
    const isMoved = chains.some(({ files }) =>
      files.some((file) => file.name === name && hashOf(file.text) === locked),
    );
    if (found === locked || (found === undefined && isMoved)) return [];
    return {
      code: found === undefined ? "migration-missing" : "migration-changed",
      message: text === undefined ? `${path} is missing` : describeChange(path, text),
      hint:
        isCommitted(path) === false
          ? `no commit has it: unless a database that you keep has had it, have it planned anew: ${takingBack([path])}`
          : `${restoring(`generated/${path}`)}; a further change belongs into mesh.yaml and becomes a new migration`,
    };
  });
}

/** Files that stand where a chain is to move: they would be taken for part of it. What a run that was cut off has put there belongs to it. */
function findMisplacedEvents(
  chains: readonly Chain[],
  planned: ReturnType<PlanMigrations>["files"],
): (Refusal & { readonly service?: never })[] {
  return chains.flatMap(({ service, unexplained }) => {
    const isPlanned = ({ name, text }: (typeof unexplained)[number]) =>
      planned[service]?.some((file) => file.name === name && file.text === text);
    return unexplained
      .filter((file) => !isPlanned(file))
      .map(({ name }) => ({
        code: "migration-in-the-way",
        path: ["services", service],
        message: `${service}/migrations/${name} stands where the migrations of another service are to go with their database`,
        hint: "it is none of that database's: move it elsewhere, or delete it if no database has had it",
      }));
  });
}
