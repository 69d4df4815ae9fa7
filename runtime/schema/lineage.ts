import { readFollows } from "./head.js";
import { type AppliedMigration, checksum, type Migration, MigrationError } from "./ledger.js";

/*
 * The order of a service's migrations. Each names in its head what it follows; one that joins branches names
 * them all, and has a section of SQL for the databases of each. Files of older generators do not say it: their
 * numbers are their order, and they come first.
 */

interface Link {
  readonly migration: Migration;
  /** Names; none for the first. */
  readonly follows: readonly string[];
}

export interface Lineage {
  readonly links: ReadonlyMap<string, Link>;
  /** The one that nothing follows; undefined when there are no files. */
  readonly head: Link | undefined;
}

/** Throws `MigrationError` where the files are no whole chain with one end. */
export function readLineage(files: readonly Migration[]): Lineage {
  const sorted = files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const numbered = sorted.filter(({ text }) => readFollows(text) === undefined);
  numbered.forEach(checkNumber);
  const follows = (migration: Migration): readonly string[] =>
    readFollows(migration.text) ?? numbered.slice(0, numbered.indexOf(migration)).slice(-1).map(nameOf);
  const links = new Map(
    sorted.map((migration) => [migration.name, { migration, follows: follows(migration) }]),
  );
  const followed = new Set([...links.values()].flatMap((link) => link.follows));
  for (const link of links.values()) checkLink(link, links);
  const [head, other] = [...links.values()].filter(({ migration }) => !followed.has(migration.name));
  if (head !== undefined && other !== undefined) throw twoHeads(head, other, numbered);
  if (head === undefined && files.length > 0) {
    throw new MigrationError(
      `each migration beside ${files[0]?.path} follows another: one of them says so wrongly`,
    );
  }
  return { links, head };
}

const nameOf = ({ name }: Migration) => name;

const NUMBERED = /^(\d{4})_[a-z0-9_]+\.sql$/;

/** Numbers run from 0001 without gaps: a gap is a file that did not travel. */
function checkNumber({ name, path }: Migration, index: number): void {
  const number = NUMBERED.exec(name)?.[1];
  const expected = String(index + 1).padStart(4, "0");
  if (number === undefined || Number(number) < index + 1) {
    throw new MigrationError(
      `${path} does not say what it follows; begin it with a line "-- follows: <the migration before it>"`,
    );
  }
  if (Number(number) > index + 1) {
    throw new MigrationError(
      `migration ${expected} is missing: ${path} follows a gap; restore it from version control, ` +
        'or begin the file with a line "-- follows: <the migration before it>"',
    );
  }
}

const HASHED = /_([0-9a-f]{10})\.sql$/;

function checkLink({ migration, follows }: Link, links: Lineage["links"]): void {
  const { name, path, text } = migration;
  const hash = readFollows(text) === undefined ? undefined : HASHED.exec(name)?.[1];
  if (hash !== undefined && !checksum(text).startsWith(hash)) {
    throw new MigrationError(
      `${path} has changed since it was generated; restore it from version control and put the change into mesh.yaml`,
    );
  }
  const missing = follows.find((parent) => !links.has(parent));
  if (missing !== undefined) {
    throw new MigrationError(`${path} follows ${missing}, which is missing; restore it from version control`);
  }
}

function twoHeads(head: Link, other: Link, numbered: readonly Migration[]): MigrationError {
  const unplaced = [head, other].find(({ migration }) => numbered.includes(migration));
  if (unplaced !== undefined) {
    const last = unplaced === head ? other : head;
    return new MigrationError(
      `${unplaced.migration.path} does not say what it follows; begin it with a line "-- follows: ${last.migration.name}"`,
    );
  }
  return new MigrationError(
    `${head.migration.path} and ${other.migration.name} are of two branches, and nothing joins them; run mesh generate`,
  );
}

/** A migration that is still to come, with the SQL for this database. */
export interface Pending extends Migration {
  /** What is to run, with the line numbers of the file. */
  readonly sql: string;
  /** Of other branches: what they do is part of it, so the database has had them, too. */
  readonly includes: readonly Migration[];
}

/**
 * The way from what the database has had to the head, and from nothing along the first branch. Throws where what it
 * has had is not the beginning of any way.
 */
export function findPending(
  { links, head }: Lineage,
  applied: readonly AppliedMigration[],
): readonly Pending[] {
  const done = new Set(applied.map(({ name }) => name).filter((name) => links.has(name)));
  const ancestors = openAncestors(links);
  for (const name of done) {
    const left = [...ancestors(name)].find((parent) => !done.has(parent));
    const [first, later] = [links.get(left ?? ""), links.get(name)];
    if (first !== undefined && later !== undefined) throw outOfOrder(first.migration, later.migration);
  }
  const pending: Pending[] = [];
  const reach = (name: string) => [name, ...ancestors(name)].filter((each) => done.has(each)).length;
  let at = head;
  while (at !== undefined && !done.has(at.migration.name)) {
    const { migration, follows } = at;
    // Of several branches the one that this database is on; the first where it is on none.
    const parent = follows.toSorted((a, b) => reach(b) - reach(a))[0];
    const own = parent === undefined ? [] : [parent, ...ancestors(parent)];
    const includes = [...ancestors(migration.name)].filter((name) => !own.includes(name) && !done.has(name));
    pending.unshift({
      ...migration,
      sql: follows.length > 1 ? sectionFor(migration.text, follows, parent) : migration.text,
      includes: includes.flatMap((name) => links.get(name)?.migration ?? []),
    });
    at = parent === undefined ? undefined : links.get(parent);
  }
  const had = at === undefined ? [] : [at.migration.name, ...ancestors(at.migration.name)];
  const stray = [...done].find((name) => !had.includes(name));
  if (stray !== undefined && pending.length > 0) {
    throw new MigrationError(
      `this database has had ${stray} and ${had[0] ?? "others"}, which are of two branches, and nothing joins them`,
    );
  }
  return pending;
}

/** Names of all that come before, nearest first. */
function openAncestors(links: Lineage["links"]): (name: string) => ReadonlySet<string> {
  const known = new Map<string, ReadonlySet<string>>();
  return function ancestors(name: string): ReadonlySet<string> {
    const before = known.get(name);
    if (before !== undefined) return before;
    known.set(name, new Set());
    const parents = links.get(name)?.follows ?? [];
    const found: ReadonlySet<string> = new Set([
      ...parents,
      ...parents.flatMap((parent) => [...ancestors(parent)]),
    ]);
    known.set(name, found);
    return found;
  };
}

/** The head of the file and what stands below "-- after: <name>"; the lines of other sections are left empty. */
function sectionFor(text: string, follows: Link["follows"], parent: string | undefined): string {
  let section = parent;
  const lines = text.split("\n").map((line) => {
    if (line.startsWith("-- after: "))
      section = follows.find((name) => line === `-- after: ${name}`) ?? section;
    return section === parent ? line : "";
  });
  return lines.join("\n");
}

function outOfOrder(first: Migration, later: Migration): MigrationError {
  return new MigrationError(
    `migration ${first.path} is new but comes before ${later.name}, which is already applied; ` +
      `begin it with a line "-- follows: <the last one>"`,
  );
}
