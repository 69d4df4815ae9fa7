import { findBreaks } from "./breaks.js";
import { compareDatabases } from "./compare-database.js";
import type { DatabaseState } from "./database-schema.js";
import { type ExistingMigration, type Lineage, type Link, nameFor } from "./lineage.js";
import { type Block, placesOf, type Section, type SqlPrinter } from "./migration-text.js";
import { findMoved, type Neighbour } from "./moved-tables.js";
import { type MigrationRefusal, type PlaceInDatabase, pathTo } from "./refusal.js";
import type { Step } from "./steps.js";
import { titleOf } from "./title.js";
import { asWritten, type Owner, printModel, type WrittenState } from "./written.js";

/*
 * The next migration of a chain. Where branches met there is one for them all, with the steps from each branch's
 * end to the model: a database takes those of the branch that it is on, and leaves the others' files out. So
 * whatever the branches did, the same thing twice or opposite things, each database comes to the same end.
 */

export interface Goal {
  readonly owner: Owner;
  readonly next: DatabaseState;
  /** Tables of others, in the same PostgreSQL database. */
  readonly neighbours: readonly Neighbour[];
  readonly sql: SqlPrinter;
  readonly allowDestructive: boolean;
}

export interface Continuation {
  /** undefined: the chain leads to the model already, or it is refused. */
  readonly file: ExistingMigration | undefined;
  readonly refusals: readonly MigrationRefusal[];
}

export function continueLineage(lineage: Lineage, goal: Goal): Continuation {
  const { heads } = lineage;
  const moved = heads.find(({ model }) => model !== undefined && model.owner.schema !== goal.owner.schema);
  if (moved !== undefined) {
    const { service, database, schema: to = "mesh" } = goal.owner;
    const refusal = movedMesh(service, { from: moved.model?.owner.schema ?? "mesh", to });
    return { file: undefined, refusals: [{ ...refusal, service, path: pathTo(database, {}) }] };
  }
  const byHand = findByHand(lineage, goal.owner.service);
  const ways = heads.map((head) => findWay(lineage.stateAfter(head), goal));
  const known = ways.flatMap((way) => way ?? []);
  if (known.length < heads.length) return { file: undefined, refusals: [lostModel(goal.owner.service)] };
  const refusals = [...byHand, ...refusalsOf(lineage, known, goal)];
  if (refusals.length > 0) return { file: undefined, refusals };
  const isCurrent = heads.length === 1 && known[0]?.steps.length === 0 && owns(heads[0], goal.owner);
  return { file: isCurrent ? undefined : writeNext(lineage, known, goal), refusals: [] };
}

/** Whether the file's model names this owner: the chain is found by that name. */
function owns(head: Link | undefined, { service, database }: Owner): boolean {
  return head?.model?.owner.service === service && head.model.owner.database === database;
}

interface Way {
  readonly from: WrittenState;
  readonly steps: readonly Step[];
  readonly refusals: readonly MigrationRefusal[];
  /** Where rows that were fine before would no longer be. */
  readonly restricted: readonly PlaceInDatabase[];
}

function findWay(from: WrittenState | undefined, { owner, next, neighbours }: Goal): Way | undefined {
  if (from === undefined) return undefined;
  const restricted: PlaceInDatabase[] = [];
  const moved = findMoved(from, { database: owner.database, tables: next.schema.tables }, neighbours);
  const refusals: MigrationRefusal[] = moved.refusals.map((refusal) => ({
    ...refusal,
    service: owner.service,
  }));
  const staying = from.tables.filter(({ name }) => !moved.tables.has(name));
  const steps = compareDatabases({ ...from, tables: staying }, next, ({ at, ...refusal }) => {
    refusals.push({ ...refusal, service: owner.service, path: pathTo(owner.database, at) });
    if (refusal.code === "restrict-rows") restricted.push(at);
  });
  return { from, steps, refusals, restricted };
}

/**
 * A destructive step that one branch was allowed, and has taken since the branches parted, needs no second permission for
 * the databases of the others. A step that no branch has taken does, and so does dropping what only one branch has made.
 */
function refusalsOf(lineage: Lineage, ways: readonly Way[], goal: Goal): readonly MigrationRefusal[] {
  const all = new Map(ways.flatMap((way) => way.refusals).map((refusal) => [refusal.message, refusal]));
  const parted = ways.length > 1 ? findWay(stateWhereParted(lineage), goal) : undefined;
  const isDone = ({ message }: MigrationRefusal) =>
    parted?.refusals.some((refusal) => refusal.message === message) === true &&
    ways.some(({ refusals }) => !refusals.some((refusal) => refusal.message === message));
  return [...all.values()].filter((refusal) =>
    refusal.impossible === true ? true : !goal.allowDestructive && !isDone(refusal),
  );
}

function stateWhereParted({ links, heads, ancestors, stateAfter }: Lineage): WrittenState | undefined {
  const common = links.findLast((link) => heads.every((head) => ancestors(head).has(link)));
  return common && stateAfter(common);
}

function writeNext(lineage: Lineage, ways: readonly Way[], { owner, next, sql }: Goal): ExistingMigration {
  const { heads } = lineage;
  const isJoin = heads.length > 1;
  const sections = heads.map(
    (head, index): Section => ({
      after: isJoin ? head.file.name : undefined,
      byHand: missedByHand(lineage, head),
      steps: ways[index]?.steps ?? [],
    }),
  );
  const steps = sections.flatMap((section) => section.steps);
  const { slug, text } = steps.length > 0 ? titleOf(steps) : { slug: "model", text: "its model" };
  const breaks = ways.flatMap((way) => findBreaks({ ...way, next: next.schema }));
  const [first] = heads;
  // Where no file before it was generated, this one holds the whole state.
  const isKnown =
    first !== undefined && [first, ...lineage.ancestors(first)].some(({ model }) => model !== undefined);
  const migration = sql.print({
    title: `${owner.service}: ${isJoin ? "joins branches: " : ""}${text}.`,
    head: printHead(heads, breaks),
    sections,
    places: placesOf([...ways.flatMap(({ from }) => from.tables), ...next.schema.tables]),
    model: printModel(owner, isKnown ? ways[0]?.from : undefined, asWritten(next)),
  });
  const depth = 1 + Math.max(...heads.map(lineage.depth));
  return { name: nameFor(migration, { depth, slug: isJoin ? `join_${slug}` : slug }), text: migration };
}

/** The head lines that the runtime reads. */
export function printHead(follows: readonly Link[], breaks: readonly string[]): readonly string[] {
  const names = follows.map(({ file }) => file.name);
  return [
    `follows: ${names.length === 0 ? "nothing" : names.join(", ")}`,
    `older releases: ${breaks.length === 0 ? "run on" : `stop, since ${[...new Set(breaks)].join("; ")}`}`,
  ];
}

/** Files by people that only other branches have. */
function otherBranches({ links, heads, ancestors }: Lineage, head: Link): readonly Link[] {
  const own = new Set([head, ...ancestors(head)]);
  const all = new Set(heads.flatMap((other) => [other, ...ancestors(other)]));
  return links.filter((link) => all.has(link) && !own.has(link));
}

function missedByHand(lineage: Lineage, head: Link): readonly Block[] {
  return otherBranches(lineage, head)
    .filter(({ model }) => model === undefined)
    .map(({ file }) => ({
      comment: [`As ${file.name} says, which a person wrote on another branch:`],
      text: file.text
        .replaceAll("\r\n", "\n")
        .replace(/^-- follows: .*\n/, "")
        .trim(),
    }));
}

/** Refuses to join a branch on which SQL by hand follows generated files: it may depend on them, so it cannot be repeated on another branch. */
function findByHand(lineage: Lineage, service: string): readonly MigrationRefusal[] {
  return lineage.heads.flatMap((head) => {
    const others = otherBranches(lineage, head);
    const written = others.find(({ model }) => model === undefined);
    if (written === undefined || others.every(({ model }) => model === undefined)) return [];
    const path = `generated/${service}/migrations/${written.file.name}`;
    return [
      {
        code: "migration-by-hand" as const,
        service,
        message: `${path} was written by hand on a branch that generated others, and ${head.file.name} stands beside them`,
        hint: `if no database has had it, let it follow: sed -i 's/^-- follows: .*/-- follows: ${head.file.name}/' ${path} && rm generated/mesh.lock.json`,
        impossible: true as const,
      },
    ];
  });
}

/** What the mesh keeps would be in another schema, which is empty. */
export function movedMesh(
  service: string,
  { from, to }: { readonly from: string; readonly to: string },
): Pick<MigrationRefusal, "code" | "message" | "hint" | "impossible"> {
  return {
    code: "move-mesh",
    message: `what the mesh knows of this database is in its schema ${from}, and would be in ${to}: outbox, versions and what was heard do not move`,
    hint: `leave name and "shares" of the database as they were; or begin anew: remove generated/${service}/migrations, and start with a new database`,
    impossible: true,
  };
}

function lostModel(service: string): MigrationRefusal {
  return {
    code: "lost-model",
    service,
    path: ["services", service],
    message: `none of the migrations of service "${service}" was generated, so what its database is after them is not known`,
    hint: "restore those that were generated; or, if no database has had any, move these away, generate, and let them follow what was generated",
    impossible: true,
  };
}
