import type { OutputFolder } from "./emit/file.js";
import { type ExistingMigration, migrationPath, readFollows } from "./migrations/lineage.js";
import { readModel } from "./migrations/written.js";
import type { Mesh, Service } from "./model/mesh.js";
import { ownServices } from "./model/own-services.js";

/*
 * Which migrations each service's database has had, whichever folder they are in. A migration is known to the
 * database that ran it, so a chain goes where its database goes: to another service, when that is who has it now,
 * and along with its service when only the database's own name is new.
 */

type Reader = Pick<OutputFolder, "list" | "read" | "folders">;

export interface Chain {
  readonly service: string;
  readonly files: readonly ExistingMigration[];
  /** Paths of those files that are in the folder of another service. */
  readonly oldPaths: readonly string[];
  /** Files in the service's folder that are neither of this chain nor of one that moves to another service. */
  readonly unexplained: readonly ExistingMigration[];
}

/** Files of one folder of which each follows another of them, or is followed. */
interface Fragment {
  readonly folder: string;
  readonly files: readonly ExistingMigration[];
  /** Databases of its last files: several where branches met, none where no file has a model. */
  readonly databases: ReadonlySet<string>;
}

export function findChains(mesh: Mesh, folder: Reader): readonly Chain[] {
  const fragments = folder.folders().flatMap((name) => readFragments(name, folder));
  return ownServices(mesh.services).map((service) => findChain(service, mesh, fragments));
}

function findChain({ name, database }: Service, mesh: Mesh, fragments: readonly Fragment[]): Chain {
  const own = fragments.filter((fragment) => fragment.folder === name);
  const isKept = (known: string) => mesh.databases.some((kept) => kept.name === known);
  const ofDatabase = fragments.filter(({ databases }) => database !== undefined && databases.has(database));
  const free = own.filter(({ databases }) => ![...databases].some(isKept));
  const mine = ofDatabase.length > 0 ? ofDatabase : free;
  const strangers = own.filter((fragment) => !mine.includes(fragment) && fragment.databases.size === 0);
  const elsewhere = mine.filter((fragment) => fragment.folder !== name);
  // Where no file comes from another folder they belong to this chain, and only lack the line that says what they follow.
  const all = [...mine, ...(elsewhere.length === 0 ? strangers : [])].flatMap(({ files }) => files);
  const files = [...new Map(all.map((file) => [file.name, file])).values()];
  return {
    service: name,
    files: files.sort((a, b) => (a.name < b.name ? -1 : 1)),
    oldPaths: elsewhere.flatMap((fragment) =>
      fragment.files.map((file) => migrationPath(fragment.folder, file.name)),
    ),
    unexplained: elsewhere.length === 0 ? [] : strangers.flatMap((fragment) => fragment.files),
  };
}

const followsOf = ({ text }: ExistingMigration) => readFollows(text) ?? [];

function readFragments(name: string, folder: Reader): readonly Fragment[] {
  const rest = new Set(readMigrations(name, folder));
  const fragments: Fragment[] = [];
  for (const first of rest) {
    const files = [first];
    rest.delete(first);
    for (const file of files) {
      const near = [...rest].filter(
        (other) => followsOf(other).includes(file.name) || followsOf(file).includes(other.name),
      );
      for (const other of near) rest.delete(other);
      files.push(...near);
    }
    const followed = new Set(files.flatMap(followsOf));
    const databases = files
      .filter((file) => !followed.has(file.name))
      .flatMap((end) => databaseOf(end, files) ?? []);
    fragments.push({ folder: name, files, databases: new Set(databases) });
  }
  return fragments;
}

/** As the model of the file says, or of the nearest file before it that has one. */
function databaseOf(end: ExistingMigration, files: readonly ExistingMigration[]): string | undefined {
  const before = new Set([end]);
  for (const file of before) {
    const model = readModel(file.text);
    if (model !== undefined) return model.owner.database;
    for (const parent of files) if (followsOf(file).includes(parent.name)) before.add(parent);
  }
  return undefined;
}

function readMigrations(service: string, folder: Reader): readonly ExistingMigration[] {
  return folder
    .list(`${service}/migrations`)
    .filter((name) => name.endsWith(".sql"))
    .sort()
    .map((name) => ({ name, text: folder.read(migrationPath(service, name)) ?? "" }));
}
