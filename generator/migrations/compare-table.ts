import { compareColumns } from "./compare-columns.js";
import type { ColumnSchema, ConstraintSchema, TableSchema } from "./database-schema.js";
import { ALLOW, type PlaceInDatabase, type Refuse } from "./refusal.js";
import { columnsOf, type TableNames, type TablePair, translate } from "./renamed-tables.js";
import { compareMoments, forgetMoments, scheduleRows } from "./row-moments.js";
import { compareSoftDeletion } from "./soft-deletion.js";
import type { Step } from "./steps.js";

export function compareTable(pair: TablePair, names: TableNames, refuse: Refuse): readonly Step[] {
  const { previous, next, columns } = pair;
  // A refusal has been reported: nothing is emitted, and comparing on would start from a guess of what each column was.
  if (columns.unclear) return [];
  if (isMoved(pair)) return refuseMove(pair, refuse);
  if (next.existing === true) return compareExisting(pair, refuse);
  return [
    ...awaitCascades(pair),
    ...compareSoftDeletion(pair, columnsOf(columns)),
    ...compareColumns(columns, { table: next.name, oldTable: previous.name }, refuse),
    ...compareKey(pair, refuse),
    ...compareUniques(pair, refuse),
    ...compareChecks(pair, refuse),
    ...compareIndexes(pair),
    ...compareForeignKeys(pair, names, refuse),
    ...compareMoments(pair),
  ];
}

function isMoved({ previous, next }: TablePair): boolean {
  const place = ({ at, existing }: TableSchema) =>
    JSON.stringify([at?.schema, existing === true ? at?.table : undefined, existing]);
  return place(previous) !== place(next);
}

function refuseMove({ previous, next }: TablePair, refuse: Refuse): readonly Step[] {
  const became = previous.existing !== next.existing;
  refuse({
    code: "move-table",
    at: { table: next.name },
    message: became
      ? `table "${next.name}" ${next.existing === true ? "was made by the mesh" : "existed before the mesh"}, and would count as the opposite`
      : `table "${next.name}" would be another table of PostgreSQL, and its rows other entities`,
    hint: `say what it said before, or give the other table another name in this file`,
    impossible: true,
  });
  return [];
}

/** Checks and indexes of ours; what they stand on is not for a migration to change. */
function compareExisting({ previous, next }: TablePair, refuse: Refuse): readonly Step[] {
  const named = [previous, next].flatMap(({ key, checks, indexes }) => [key, ...checks, ...indexes]);
  const deletions = [previous, next].flatMap(({ softDeletion }) => softDeletion?.column ?? []);
  const names = new Set([
    ...named.flatMap(({ columns }) => columns),
    ...[previous, next].flatMap(({ timed }) => timed.map(({ column: name }) => name)),
    ...deletions,
  ]);
  const column = (name: string): ColumnSchema => ({
    name,
    renamedFrom: undefined,
    type: "TEXT",
    nullable: true,
    default: undefined,
  });
  const kept = [...names].map((name) => ({ previous: column(name), next: column(name) }));
  const pair = { previous, next, columns: { kept, dropped: [], added: [], renames: [], unclear: false } };
  // The table is as it is: what changes is which column the mesh takes for its key.
  const hasNewIds =
    previous.adopts !== undefined && next.adopts !== undefined && compareKey(pair, refuse).length > 0;
  const isNew = next.adopts !== undefined && (hasNewIds || previous.adopts?.entity !== next.adopts.entity);
  return [
    ...awaitCascades(pair),
    ...compareSoftDeletion(pair, columnsOf(pair.columns)),
    ...compareChecks(pair, refuse),
    ...compareIndexes(pair),
    ...compareMoments(pair),
    ...(isNew && next.adopts !== undefined
      ? [{ kind: "adopt_rows", table: next, adoption: next.adopts } as const]
      : []),
  ];
}

/** What the mesh adds to a table that exists. */
export function adoptTable(table: TableSchema): readonly Step[] {
  return [
    ...table.checks.flatMap((constraint): readonly Step[] => [
      { kind: "add_check", table: table.name, constraint },
      { kind: "validate_check", table: table.name, constraint },
    ]),
    ...table.indexes.map((index): Step => ({ kind: "create_index", table: table.name, index })),
    ...(table.adopts === undefined ? [] : [{ kind: "adopt_rows", table, adoption: table.adopts } as const]),
    ...scheduleRows(table, table.timed),
  ];
}

/** What it takes away again; its triggers go by themselves. */
export function releaseTable({ name: table, checks, indexes, timed }: TableSchema): readonly Step[] {
  return [
    { kind: "await_cascades", table, reason: "end" },
    ...checks.map(({ name }): Step => ({ kind: "drop_constraint", table, name, existing: true })),
    ...indexes.map(({ name }): Step => ({ kind: "drop_index", table, name, existing: true })),
    ...forgetMoments(timed),
  ];
}

interface Comparison<T extends ConstraintSchema> {
  readonly dropped: readonly T[];
  readonly renamed: readonly { readonly from: string; readonly to: string }[];
  readonly added: readonly T[];
}

/** Pairs constraints that mean the same for the same columns, also where a column was renamed. */
function compareConstraints<T extends ConstraintSchema>(
  pair: TablePair,
  of: (table: TableSchema) => readonly T[],
  same: (previous: T, next: T) => boolean = () => true,
): Comparison<T> {
  const names = columnsOf(pair.columns);
  const [previous, next] = [of(pair.previous), of(pair.next)];
  const pairs = next.flatMap((item) => {
    const match = previous.find(
      (old) => translate(old.columns, names)?.join("\0") === item.columns.join("\0") && same(old, item),
    );
    return match === undefined ? [] : [{ previous: match, next: item }];
  });
  return {
    // What stands on a column that is dropped goes with the column.
    dropped: previous.filter(
      (item) => translate(item.columns, names) !== undefined && !pairs.some((pair) => pair.previous === item),
    ),
    renamed: pairs
      .filter((pair) => pair.previous.name !== pair.next.name)
      .map((pair) => ({ from: pair.previous.name, to: pair.next.name })),
    added: next.filter((item) => !pairs.some((pair) => pair.next === item)),
  };
}

function constraintSteps<T extends ConstraintSchema>(
  { previous, next }: TablePair,
  { dropped, renamed, added }: Comparison<T>,
  add: (constraint: T) => Step,
): readonly Step[] {
  return [
    ...dropped.map(
      ({ name }): Step => ({
        kind: "drop_constraint",
        table: previous.name,
        name,
        existing: previous.existing,
      }),
    ),
    ...renamed.map((rename): Step => ({ kind: "rename_constraint", table: next.name, ...rename })),
    ...added.map(add),
  ];
}

function compareKey(pair: TablePair, refuse: Refuse): readonly Step[] {
  const { previous, next } = pair;
  const comparison = compareConstraints(pair, ({ key }) => [key]);
  if (comparison.added.length > 0) {
    refuse({
      code: "change-key",
      at: columnPlace(next.name, next.key.columns),
      message: `the key of table "${next.name}" would change from ${previous.key.columns.join(", ")} to ${next.key.columns.join(", ")}: every row would become another entity`,
      hint:
        next.existing === true
          ? `say the former key; ${ALLOW} takes the new one, and no service that holds the old ids is told`
          : `make a new table with the new key, copy the rows, and drop the old one later; ${ALLOW} changes the key in place, and no service that holds the old ids is told`,
    });
  }
  return constraintSteps(pair, comparison, (constraint) => ({
    kind: "add_key",
    table: next.name,
    constraint,
  }));
}

/** Tasks know their rows by the key's values, in its order. */
function awaitCascades({ previous, next, columns }: TablePair): readonly Step[] {
  const key = translate(previous.key.columns, columnsOf(columns));
  return key?.join("\0") === next.key.columns.join("\0")
    ? []
    : [{ kind: "await_cascades", table: previous.name, reason: "key" }];
}

function compareUniques(pair: TablePair, refuse: Refuse): readonly Step[] {
  const { next } = pair;
  const comparison = compareConstraints(pair, ({ uniques }) => uniques);
  for (const { columns } of comparison.added.filter((item) => !isEmptyAtFirst(item, pair))) {
    refuse({
      code: "restrict-rows",
      at: columnPlace(next.name, columns),
      message: `${named(next.name, columns)} would become UNIQUE, which fails where rows share a value`,
      hint: `look for duplicates first (GROUP BY ${columns.join(", ")} HAVING count(*) > 1), settle them, then generate with ${ALLOW}`,
    });
  }
  return constraintSteps(pair, comparison, (constraint) => ({
    kind: "add_unique",
    table: next.name,
    constraint,
  }));
}

function compareChecks(pair: TablePair, refuse: Refuse): readonly Step[] {
  const { previous, next } = pair;
  const names = columnsOf(pair.columns);
  const comparison = compareConstraints(
    pair,
    ({ checks }) => checks,
    (old, item) => old.condition("value") === item.condition("value"),
  );
  for (const { columns, values } of comparison.added.filter((item) => !isNewColumn(item, pair))) {
    // A CHECK on what a message can carry loses nothing: the migration fails on such rows, and names them.
    if (values === undefined) continue;
    const old = previous.checks.find(
      (item) => item.values && translate(item.columns, names)?.join("\0") === columns.join("\0"),
    )?.values;
    if (old?.every((value) => values.includes(value)) === true) continue;
    const lost = old?.filter((value) => !values.includes(value)).join(", ");
    refuse({
      code: "restrict-rows",
      at: columnPlace(next.name, columns),
      message: `${named(next.name, columns)} would be restricted to one_of [${values.join(", ")}], which fails where rows hold ${lost ?? "anything else"}`,
      hint: `change those rows first, then generate with ${ALLOW}`,
    });
  }
  return [
    ...constraintSteps(pair, comparison, (constraint) => ({
      kind: "add_check",
      table: next.name,
      constraint,
    })),
    ...comparison.added.map((constraint): Step => ({ kind: "validate_check", table: next.name, constraint })),
  ];
}

function compareIndexes(pair: TablePair): readonly Step[] {
  const { previous, next } = pair;
  const comparison = compareConstraints(pair, ({ indexes }) => indexes);
  return [
    ...comparison.dropped.map(
      ({ name }): Step => ({ kind: "drop_index", table: previous.name, name, existing: previous.existing }),
    ),
    ...comparison.renamed.map((rename): Step => ({ kind: "rename_index", table: next.name, ...rename })),
    ...comparison.added.map((index): Step => ({ kind: "create_index", table: next.name, index })),
  ];
}

function compareForeignKeys(pair: TablePair, tables: TableNames, refuse: Refuse): readonly Step[] {
  const { previous, next } = pair;
  const names = columnsOf(pair.columns);
  const comparison = compareConstraints(
    pair,
    ({ foreignKeys }) => foreignKeys,
    (old, item) => {
      const parent = tables.get(old.table);
      return (
        parent?.table === item.table &&
        parent.columns.get(old.target) === item.target &&
        old.onDelete === item.onDelete &&
        // A foreign key cannot join two types: it is made anew once both columns have the new one.
        !parent.retyped.has(item.target) &&
        !item.columns.some((column) => tables.get(previous.name)?.retyped.has(column))
      );
    },
  );
  for (const key of comparison.added.filter((item) => !isEmptyAtFirst(item, pair))) {
    // With another ON DELETE the same reference held before: no row breaks it.
    const held = previous.foreignKeys.some(
      (old) =>
        translate(old.columns, names)?.join() === key.columns.join() &&
        tables.get(old.table)?.table === key.table &&
        tables.get(old.table)?.columns.get(old.target) === key.target,
    );
    if (held) continue;
    refuse({
      code: "restrict-rows",
      at: columnPlace(next.name, key.columns),
      message: `${named(next.name, key.columns)} would reference "${key.table}", which fails where rows refer to nothing`,
      hint: `look for such rows first, settle them, then generate with ${ALLOW}`,
    });
  }
  // A foreign key goes with its column, but too late where it holds the key of its parent.
  const holding = previous.foreignKeys.filter(
    (key) => tables.get(key.table)?.rekeyed === true && translate(key.columns, names) === undefined,
  );
  return [
    ...[...comparison.dropped, ...holding].map(
      ({ name }): Step => ({ kind: "drop_foreign_key", table: previous.name, name }),
    ),
    ...constraintSteps(pair, { ...comparison, dropped: [] }, (constraint) => ({
      kind: "add_foreign_key",
      table: next.name,
      constraint,
    })),
  ];
}

/** Every row holds NULL in a column that is new, so no row can break a constraint on it yet. */
function isEmptyAtFirst({ columns }: ConstraintSchema, pair: TablePair): boolean {
  return pair.columns.added.some(
    (column) => columns.includes(column.name) && column.nullable && column.default === undefined,
  );
}

function isNewColumn({ columns }: ConstraintSchema, pair: TablePair): boolean {
  return pair.columns.added.some((column) => columns.includes(column.name));
}

/** Several columns together are a property of their table. */
function columnPlace(table: string, columns: readonly string[]): PlaceInDatabase {
  const [column] = columns;
  return column === undefined || columns.length > 1 ? { table } : { table, column };
}

function named(table: string, columns: readonly string[]): string {
  return columns.length === 1
    ? `column "${table}.${columns[0]}"`
    : `columns ${columns.join(", ")} of "${table}"`;
}
