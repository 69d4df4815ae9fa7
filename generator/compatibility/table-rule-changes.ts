import { conditionText } from "../flow/condition-text.js";
import { printDuration } from "../language/words.js";
import type { CacheOf, Column, Reference, Table } from "../model/mesh.js";
import { type Change, type ChangeKind, changeKinds, changeOf } from "./change.js";
import type { KindFacts } from "./change-class.js";
import { classFor, columnChange, noteFor, orderOfCopy, type TableAbout } from "./column-change.js";
import { narrowerCopies } from "./copies.js";
import { same } from "./meshes.js";
import { distinct, httpReadersOf, partiesOf } from "./readers.js";
import { noticedOverHttp } from "./writers.js";

type Names = ReadonlyMap<string, string>;

/** What a table demands of its rows: key, uniques, references, values, conditions, soft deletion. */
export function compareTableRules(about: TableAbout, names: Names): readonly Change[] {
  const { previous, next } = about.pair;
  const renamed = (columns: readonly string[]) => columns.map((name) => names.get(name) ?? name);
  const columns = previous.columns.flatMap((old): readonly (readonly [Column, Column])[] => {
    const now = next.columns.find(({ name }) => name === names.get(old.name));
    return now === undefined ? [] : [[old, now]];
  });
  return [
    ...(same(renamed(previous.key), next.key)
      ? []
      : [
          tableRule(
            "key-changed",
            about,
            `has the key ${next.key.join(", ")}, no longer ${previous.key.join(", ")}`,
            [...renamed(previous.key), ...previous.key, ...next.key],
          ),
        ]),
    ...compareSets(about, { previous: uniquesOf(previous).map(renamed), next: uniquesOf(next) }, UNIQUE),
    ...compareSets(about, { previous: previous.indexes.map(renamed), next: next.indexes }, INDEX),
    ...columns.flatMap(([old, now]) => [
      ...compareReference(old, now, about),
      ...compareValues(old, now, about),
      ...compareCheck(old, now, about),
    ]),
    ...compareChecks(about),
    ...compareSoftDeletion(about, names),
    ...compareBackfill(about),
    ...compareCopy(about),
  ];
}

function tableRule(
  kind: ChangeKind,
  about: TableAbout,
  says: string,
  columns: readonly string[] | undefined,
): Change {
  const { pair, database, meshes } = about;
  const owner = database.next.service;
  const { noticedBy }: KindFacts = changeKinds[kind];
  const concerns = distinct([
    { service: owner, as: "its running replicas" },
    ...noticedOverHttp(kind, pair.next, [owner, meshes.next]),
  ]);
  return changeOf(kind, {
    path: ["databases", database.next.name, "tables", pair.next.name, ...(KEYS[kind] ?? [])],
    message: `${database.next.name}: ${pair.next.name} ${says}${noteFor(kind, pair.next)}`,
    concerns: noticedBy === "nobody" ? [] : concerns,
    parties: partiesOf(owner, concerns, meshes.next),
    rows: {
      database: database.next.name,
      tables: [pair.previous.name, pair.next.name],
      ...(columns !== undefined && { columns }),
    },
    ...(kind === "key-changed" ? keyClass(about) : classFor(kind, pair.next)),
    ...orderOfCopy(pair.next, meshes.next, { kind, concerns }),
  });
}

/** Of a table that exists the key is what the mesh takes for it: it matters where it makes ids, of events or of resources. */
function keyClass({ pair, database, meshes }: TableAbout): ReturnType<typeof classFor> {
  const { name, service } = database.next;
  const { next } = pair;
  const told = meshes.flows.next.emittedFrom({ database: name, table: next.name });
  if (next.existing !== true || told.some(({ emit }) => emit?.id === undefined))
    return classFor("key-changed", next);
  const isServed = httpReadersOf(next, service, meshes.next).length > 0;
  return { class: isServed ? "breaking-consumer" : "compatible" };
}

/** Under which key of the table it is said. */
const KEYS: Partial<Record<ChangeKind, readonly string[]>> = {
  "key-changed": ["key"],
  "unique-added": ["unique"],
  "unique-removed": ["unique"],
  "index-added": ["indexes"],
  "index-removed": ["indexes"],
  "check-added": ["checks"],
  "check-removed": ["checks"],
  "backfill-added": ["backfill"],
  "soft-deletion-added": ["soft_delete"],
  "soft-deletion-removed": ["soft_delete"],
  "copy-source-changed": ["cache"],
  "sync-changed": ["sync"],
};

function uniquesOf({ columns, unique }: Table): readonly (readonly string[])[] {
  return [...columns.filter((column) => column.unique && !column.key).map(({ name }) => [name]), ...unique];
}

const UNIQUE = { added: "unique-added", removed: "unique-removed", says: "unique" } as const;
const INDEX = { added: "index-added", removed: "index-removed", says: "indexed" } as const;

function compareSets(
  about: TableAbout,
  { previous, next }: { previous: readonly (readonly string[])[]; next: readonly (readonly string[])[] },
  { added, removed, says }: typeof UNIQUE | typeof INDEX,
): readonly Change[] {
  const has = (sets: readonly (readonly string[])[], set: readonly string[]) =>
    sets.some((other) => other.join("\0") === set.join("\0"));
  const change = (kind: ChangeKind, columns: readonly string[], text: string): Change => {
    const column =
      columns.length === 1 ? about.pair.next.columns.find(({ name }) => name === columns[0]) : undefined;
    if (column !== undefined && kind === "unique-removed") return uniqueRemoved(column, about);
    return column?.unique === true && kind === added
      ? columnChange(kind, { ...about, column, says: text, key: "unique" })
      : tableRule(kind, about, `${columns.join(", ")}: ${text}`, columns);
  };
  const isThere = (set: readonly string[]) =>
    set.every((name) => about.pair.next.columns.some((column) => column.name === name));
  return [
    ...next.filter((set) => !has(previous, set)).map((set) => change(added, set, `${says} now`)),
    // What goes with its column is said of the column.
    ...previous
      .filter((set) => !has(next, set) && isThere(set))
      .map((set) => change(removed, set, `no longer ${says}`)),
  ];
}

function uniqueRemoved(column: Column, about: TableAbout): Change {
  const pairs = about.meshes.former.columns(about.pair).kept;
  const { previous = column } = pairs.find(({ next }) => next.name === column.name) ?? {};
  const narrower = narrowerCopies(previous, about, ({ unique }) => !unique);
  return columnChange("unique-removed", {
    ...about,
    column,
    says: "no longer unique",
    key: "unique",
    narrower,
  });
}

function compareReference(old: Column, now: Column, about: TableAbout): readonly Change[] {
  const [was, is] = [old.references, now.references];
  const formerly = was && formerReference(was, about);
  if (same(formerly, is) || about.pair.next.existing === true) return [];
  const said = { ...about, column: now, key: "references" };
  if (is === undefined) {
    return [columnChange("reference-removed", { ...said, says: `no longer references ${was?.table}` })];
  }
  if (formerly?.table !== is.table || formerly.column !== is.column) {
    return [columnChange("reference-added", { ...said, says: `references ${is.table}.${is.column}` })];
  }
  const kind = is.onDelete === "restrict" ? "reference-restricts" : "reference-deletes";
  // Emptying a column is less than deleting its row.
  const isLess = formerly.onDelete === "cascade" && is.onDelete === "set_null";
  const says = `on_delete: ${is.onDelete}, no longer ${formerly.onDelete}`;
  const parent = about.database.next.tables.find(({ name }) => name === is.table);
  // No reference sees a row that is deleted softly.
  const note = `; it does not see rows of ${is.table} that are deleted softly`;
  const change = { ...said, key: "on_delete", says };
  return [
    columnChange(
      isLess ? "reference-removed" : kind,
      parent?.softDelete === undefined
        ? change
        : { ...change, says: `${says}${note}`, class: "operational", order: "any" },
    ),
  ];
}

function formerReference(
  { table, column, onDelete }: Reference,
  { database, meshes }: TableAbout,
): Reference {
  const pair = meshes.former.tables(database.next.name).kept.find(({ previous }) => previous.name === table);
  const target =
    pair && meshes.former.columns(pair).kept.find(({ previous }) => previous.name === column)?.next.name;
  return { table: pair?.next.name ?? table, column: target ?? column, onDelete };
}

function compareValues(old: Column, now: Column, about: TableAbout): readonly Change[] {
  const [was, is] = [old.oneOf, now.oneOf];
  const said = { ...about, column: now, key: "one_of" };
  if (same(was === undefined ? undefined : [...was].sort(), is === undefined ? undefined : [...is].sort()))
    return [];
  const lost = was === undefined ? undefined : was.filter((value) => is !== undefined && !is.includes(value));
  if (is !== undefined && (lost === undefined || lost.length > 0)) {
    const what = lost === undefined ? `takes ${is.join(", ")} alone` : `no longer takes ${lost.join(", ")}`;
    return [columnChange("values-narrowed", { ...said, says: what })];
  }
  const gained =
    is === undefined ? "anything" : is.filter((value) => was?.includes(value) !== true).join(", ");
  const narrower = narrowerCopies(
    old,
    about,
    ({ oneOf }) => oneOf === undefined || (is?.every((value) => oneOf.includes(value)) ?? false),
  );
  return [columnChange("values-widened", { ...said, says: `takes ${gained} as well`, narrower })];
}

function compareCheck(old: Column, now: Column, about: TableAbout): readonly Change[] {
  const said = { ...about, column: now, key: "check" };
  if (
    old.check === now.check ||
    (old.name !== now.name && now.check !== undefined && old.check !== undefined)
  )
    return [];
  return now.check === undefined
    ? [columnChange("check-removed", { ...said, says: `no longer holds ${old.check}` })]
    : [columnChange("check-added", { ...said, says: `holds ${now.check}` })];
}

function compareChecks(about: TableAbout): readonly Change[] {
  const { previous, next } = about.pair;
  const has = (table: Table, condition: string) =>
    table.checks.some((check) => check.condition === condition);
  return [
    ...next.checks
      .filter(({ condition }) => !has(previous, condition))
      .map(({ condition, columns }) => tableRule("check-added", about, `holds ${condition}`, columns)),
    ...previous.checks
      .filter(({ condition }) => !has(next, condition))
      .map(({ condition, columns }) =>
        tableRule("check-removed", about, `no longer holds ${condition}`, columns),
      ),
  ];
}

function compareSoftDeletion(about: TableAbout, names: Names): readonly Change[] {
  const { previous, next } = about.pair;
  const was = previous.softDelete && (names.get(previous.softDelete) ?? previous.softDelete);
  if (was === next.softDelete) return [];
  return was === undefined
    ? [
        tableRule(
          "soft-deletion-added",
          about,
          `is softly deleted by ${next.softDelete}${staying(about)}`,
          undefined,
        ),
      ]
    : [tableRule("soft-deletion-removed", about, `is no longer softly deleted by ${was}`, undefined)];
}

/** PostgreSQL's references see no deletion in it. */
function staying({ database, pair }: TableAbout): string {
  const referring = database.next.tables.filter(({ columns }) =>
    columns.some(({ references }) => references?.table === pair.next.name),
  );
  const names = referring.map(({ name }) => name).join(", ");
  return names === "" ? "" : `: rows of ${names} that reference one stay, whatever on_delete says`;
}

function compareBackfill(about: TableAbout): readonly Change[] {
  const { previous, next } = about.pair;
  // Hooks that ran have run: without it nothing else happens.
  return next.backfill === undefined || previous.backfill === next.backfill
    ? []
    : [tableRule("backfill-added", about, "tells hooks of all rows that were there", undefined)];
}

function compareCopy(about: TableAbout): readonly Change[] {
  const [was, is] = [about.pair.previous.cache, about.pair.next.cache];
  if (same(was, is)) return [];
  if (was?.entity !== is?.entity) {
    const says = `is ${is === undefined ? "no copy" : `a copy of ${is.entity}`}, no longer ${was === undefined ? "a table of its own" : `of ${was.entity}`}`;
    return [tableRule("copy-source-changed", about, says, undefined)];
  }
  return [
    ...(same(was?.where, is?.where)
      ? []
      : [
          tableRule(
            "copy-source-changed",
            about,
            `keeps ${keptText(is)}, no longer ${keptText(was)}`,
            undefined,
          ),
        ]),
    ...(same(was?.sync, is?.sync)
      ? []
      : [tableRule("sync-changed", about, `takes ${syncText(is)}, no longer ${syncText(was)}`, undefined)]),
  ];
}

function keptText(copy: CacheOf | undefined): string {
  const where = copy?.where ?? [];
  return where.length === 0 ? "all rows" : `rows where ${where.map(conditionText).join(" and ")}`;
}

function syncText(copy: CacheOf | undefined): string {
  const { sync } = copy ?? {};
  if (sync === undefined) return "no snapshots";
  const { service, path, header, everySeconds } = sync;
  const every = everySeconds === 0 ? "never asked again" : `every ${printDuration(everySeconds)}`;
  return `snapshots from ${service} ${path} by ${header}, ${every}`;
}
