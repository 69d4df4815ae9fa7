import { castBetween } from "./casts.js";
import type { ColumnSchema } from "./database-schema.js";
import type { Matches } from "./match.js";
import { ALLOW, type Refuse } from "./refusal.js";
import { identifier } from "./sql-names.js";
import { IDENTITY } from "./sql-types.js";
import type { Step } from "./steps.js";

/** `table`: its new name, `oldTable`: the one it still has while things are dropped. */
export function compareColumns(
  matches: Matches<ColumnSchema>,
  { table, oldTable }: { readonly table: string; readonly oldTable: string },
  refuse: Refuse,
): readonly Step[] {
  for (const column of matches.dropped) refuseDrop(table, column, refuse);
  for (const column of matches.added) refuseRequired(table, column, refuse);
  return [
    ...matches.dropped.map((column): Step => ({ kind: "drop_column", table: oldTable, column: column.name })),
    ...matches.renames.map((rename): Step => ({ kind: "rename_column", table, ...rename })),
    ...matches.kept.flatMap(({ previous, next }) => compareColumn(table, previous, next, refuse)),
    ...matches.added.map((column): Step => ({ kind: "add_column", table, column })),
  ];
}

function compareColumn(
  table: string,
  previous: ColumnSchema,
  next: ColumnSchema,
  refuse: Refuse,
): readonly Step[] {
  const column = next.name;
  const steps: Step[] = [];
  const retyped = previous.type !== next.type;
  // A default of the old type stands in the way of the new one: it is taken off and set again.
  const [wasCounted, isCounted] = [previous.default === IDENTITY, next.default === IDENTITY];
  if (wasCounted && !isCounted) steps.push({ kind: "drop_identity", table, column });
  if (!wasCounted && previous.default !== undefined && (retyped || isCounted || next.default === undefined)) {
    steps.push({ kind: "drop_default", table, column });
  }
  if (retyped) {
    if (!castBetween(previous.type, next.type).lossless) refuseNarrowing(table, previous, next, refuse);
    steps.push({ kind: "change_type", table, column, from: previous.type, to: next.type });
  }
  if (isCounted && !wasCounted) steps.push({ kind: "add_identity", table, column });
  if (!isCounted && next.default !== undefined && (retyped || previous.default !== next.default)) {
    steps.push({ kind: "set_default", table, column, value: next.default });
  }
  if (!previous.nullable && next.nullable) steps.push({ kind: "drop_not_null", table, column });
  if (previous.nullable && !next.nullable) {
    if (next.default === undefined) refuseNotNull(table, column, refuse);
    else steps.push({ kind: "fill_nulls", table, column, value: next.default });
    steps.push({ kind: "set_not_null", table, column });
  }
  return steps;
}

function refuseDrop(table: string, column: ColumnSchema, refuse: Refuse): void {
  refuse({
    code: "drop-column",
    at: { table },
    message: `column "${table}.${column.name}" would be dropped with its values`,
    hint: `if it has a new name, say renamed_from: ${column.name} on the new column; to drop it, release a version that no longer uses it (null: true), then generate with ${ALLOW}`,
  });
}

function refuseRequired(table: string, column: ColumnSchema, refuse: Refuse): void {
  if (column.nullable || column.default !== undefined) return;
  refuse({
    code: "require-column",
    at: { table, column: column.name },
    message: `new column "${table}.${column.name}" is NOT NULL without a default, which fails as soon as the table has a row`,
    hint: `give it a default, or stage it: add it with null: true, fill it, then take null away; ${ALLOW} is for tables that are known to be empty`,
  });
}

function refuseNotNull(table: string, column: string, refuse: Refuse): void {
  refuse({
    code: "require-column",
    at: { table, column },
    message: `column "${table}.${column}" would become NOT NULL, which fails on rows where it is NULL`,
    hint: `give it a default (the migration then fills it in), or fill the rows first (UPDATE ${identifier(table)} SET ${identifier(column)} = … WHERE ${identifier(column)} IS NULL) and generate with ${ALLOW}`,
  });
}

function refuseNarrowing(table: string, previous: ColumnSchema, next: ColumnSchema, refuse: Refuse): void {
  refuse({
    code: "narrow-type",
    at: { table, column: next.name },
    message: `column "${table}.${next.name}" would change from ${previous.type} to ${next.type}, which loses or rejects values`,
    hint: `stage it: add a second column of the new type, copy what fits, then drop the old one; ${ALLOW} casts in place and fails as a whole if one value does not fit`,
  });
}
