import { adoptTable, compareTable, releaseTable } from "./compare-table.js";
import type { DatabaseState, ForeignKeySchema, TableSchema } from "./database-schema.js";
import { type Kind, type Matches, matchNames } from "./match.js";
import { ALLOW, type Refuse } from "./refusal.js";
import { type TableNames, tableName } from "./renamed-tables.js";
import { forgetMoments } from "./row-moments.js";
import { orderSteps, type Step } from "./steps.js";
import { type Trigger, triggerText } from "./trigger-definitions.js";
import { digest, type WrittenState } from "./written.js";

const TABLES: Kind = { one: "table", of: "", within: {}, place: (table) => ({ table }) };

function columnsIn(table: string): Kind {
  return { one: "column", of: ` of "${table}"`, within: { table }, place: (column) => ({ table, column }) };
}

/** The steps from one state to the other, in order. Calls `refuse` for each that may lose data or fail on the rows that are there. */
export function compareDatabases(before: WrittenState, next: DatabaseState, refuse: Refuse): readonly Step[] {
  const tables = matchNames(before.tables, next.schema.tables, TABLES, refuse);
  const pairs = tables.kept.map((pair) => ({
    ...pair,
    columns: matchNames(pair.previous.columns, pair.next.columns, columnsIn(pair.next.name), refuse),
  }));
  const names: TableNames = new Map(pairs.map((pair) => [pair.previous.name, tableName(pair)]));
  const rekeyed = new Set([...names.values()].flatMap((name) => (name.rekeyed ? [name.table] : [])));
  return orderSteps([
    ...tables.dropped.flatMap((table) =>
      dropTable(table, { dropped: tables.dropped, names }, tables.unclear ? () => undefined : refuse),
    ),
    ...tables.renames.map((rename): Step => ({ kind: "rename_table", ...rename })),
    ...pairs.flatMap((pair) => compareTable(pair, names, refuse)),
    ...placeTables(tables),
    ...tables.added.flatMap((table) => (table.existing === true ? adoptTable(table) : [])),
    ...createTables(
      tables.added.filter(({ existing }) => existing !== true),
      next.schema.tables.filter(({ name }) => !rekeyed.has(name)),
    ),
    ...compareTriggers({ before, next, names, released: tables.dropped.filter(({ existing }) => existing) }),
  ]);
}

/** Schemas of tables that come, and what `mesh` knows of places. */
function placeTables({ added, dropped, kept }: Matches<TableSchema>): readonly Step[] {
  const renamed = kept.filter(({ previous, next }) => next.at !== undefined && previous.name !== next.name);
  const made = added.filter(({ existing }) => existing !== true).flatMap(({ at }) => at?.schema ?? []);
  return [
    ...[...dropped, ...renamed.map(({ previous }) => previous)].flatMap((table): readonly Step[] =>
      table.at ? [{ kind: "forget_place", table }] : [],
    ),
    ...[...new Set(made)].map((schema): Step => ({ kind: "create_schema", schema })),
    ...[...added, ...renamed.map(({ next }) => next)].flatMap((table): readonly Step[] =>
      table.at ? [{ kind: "note_place", table }] : [],
    ),
  ];
}

function dropTable(
  table: TableSchema,
  { dropped, names }: { readonly dropped: readonly TableSchema[]; readonly names: TableNames },
  refuse: Refuse,
): readonly Step[] {
  if (table.existing === true) return releaseTable(table);
  refuse({
    code: "drop-table",
    at: {},
    message: `table "${table.name}" would be dropped with all of its rows`,
    hint: `if it has a new name, say renamed_from: ${table.name} on the new table; to drop it, take it out of use first, then generate with ${ALLOW}`,
  });
  // Foreign keys between tables that go together, or to a key that goes, would hold these back; without CASCADE they go first.
  const between = table.foreignKeys.filter(
    (key) =>
      key.table !== table.name &&
      (dropped.some((other) => other.name === key.table) || names.get(key.table)?.rekeyed === true),
  );
  return [
    { kind: "await_cascades", table: table.name, reason: "end" },
    ...between.map(({ name }): Step => ({ kind: "drop_foreign_key", table: table.name, name })),
    ...forgetMoments(table.timed),
    { kind: "drop_table", table: table.name },
  ];
}

/**
 * Referenced tables first, with foreign keys inline. Where tables refer to each other in a circle, or to one that gets its key later (it is
 * not among `tables`), the foreign key is added afterwards.
 */
function createTables(added: readonly TableSchema[], tables: readonly TableSchema[]): readonly Step[] {
  const pending = new Set(added.map((table) => table.name));
  const present = new Set(tables.map((table) => table.name).filter((name) => !pending.has(name)));
  const steps: Step[] = [];
  const later: Step[] = [];
  let waiting = [...added];
  while (waiting.length > 0) {
    const ready = (key: ForeignKeySchema, table: TableSchema) =>
      key.table === table.name || present.has(key.table);
    const next = waiting.find((table) => table.foreignKeys.every((key) => ready(key, table))) ?? waiting[0];
    if (next === undefined) break;
    const inline = next.foreignKeys.filter((key) => ready(key, next));
    steps.push({ kind: "create_table", table: next, inline });
    for (const constraint of next.foreignKeys.filter((key) => !inline.includes(key))) {
      later.push({ kind: "add_foreign_key", table: next.name, constraint });
    }
    present.add(next.name);
    waiting = waiting.filter((table) => table !== next);
  }
  return [...steps, ...later];
}

interface TriggerComparison {
  readonly before: WrittenState;
  readonly next: DatabaseState;
  readonly names: TableNames;
  /** Tables that exist and are no longer the mesh's. */
  readonly released: readonly TableSchema[];
}

/**
 * Functions and triggers are compared as text. A trigger follows its table through a renaming by itself,
 * but then its text has changed, and it is made anew under the names that a fresh database has.
 */
function compareTriggers({ before, next, names, released }: TriggerComparison): readonly Step[] {
  const functions = new Map(before.functions.map((definition) => [definition.name, definition.digest]));
  const keptFunctions = new Set(next.triggers.functions.map(({ name }) => name));
  // The type of a column cannot be changed under a trigger that names it.
  const retyped = new Map([...names.values()].map((name) => [name.table, name.retyped]));
  const blocked = ({ table, columns }: Trigger) => columns.some((column) => retyped.get(table)?.has(column));
  const triggers = new Set(before.triggers.map((trigger) => trigger.digest));
  const keptTriggers = new Set(
    next.triggers.triggers.filter((item) => !blocked(item)).map((trigger) => digest(triggerText(trigger))),
  );
  const existing = new Set(before.tables.flatMap((table) => (table.existing === true ? table.name : [])));
  const made = next.schema.tables.flatMap(({ name }): readonly Step[] => [
    ...next.triggers.functions
      .filter(
        (definition) =>
          definition.table === name && functions.get(definition.name) !== digest(definition.text),
      )
      .map((definition): Step => ({ kind: "create_function", definition })),
    ...next.triggers.triggers
      .filter(
        (trigger) =>
          trigger.table === name && (blocked(trigger) || !triggers.has(digest(triggerText(trigger)))),
      )
      .map((trigger): Step => ({ kind: "create_trigger", trigger })),
  ]);
  return [
    ...before.triggers
      // Triggers of a dropped table are dropped with it.
      .filter(({ table }) => names.has(table) || released.some(({ name }) => name === table))
      .filter((trigger) => !keptTriggers.has(trigger.digest))
      .map(
        ({ table, name }): Step => ({
          kind: "drop_trigger",
          table,
          name,
          existing: existing.has(table) ? true : undefined,
        }),
      ),
    ...before.functions
      .filter((definition) => !keptFunctions.has(definition.name))
      .map(({ name }): Step => ({ kind: "drop_function", name })),
    ...made,
  ];
}
