import { factsOf } from "@meshwright/runtime/column-types";
import { relationOf } from "@meshwright/runtime/simulation";
import { escapeIdentifier as quote } from "pg";
import type { CheckedColumns, OwnedTable } from "./mesh.js";
import { KEYS, VALUES } from "./plan.js";
import { keyParts, valueFor } from "./values.js";
import { livingValue } from "./written-values.js";

/*
 * Values that a table's CHECK constraints take together: drawn from what writers write anyway and from the constants that the
 * constraints name, and asked of PostgreSQL.
 */

/** Rows that PostgreSQL is asked about, and how many of those that it takes are kept. */
const ASKED = 2_000;
const KEPT = 12;

interface Check {
  /** SQL over the columns. */
  readonly condition: string;
  readonly columns: readonly string[];
}

/** Undefined where the table has no CHECK. */
export async function findCheckedRows(owned: OwnedTable): Promise<CheckedColumns | undefined> {
  const { service, table } = owned;
  const checks = await service.database.query<Check>(
    `SELECT pg_get_expr(conbin, conrelid) AS condition, ARRAY(
  SELECT attname::text FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY (conkey) ORDER BY attnum) AS columns
FROM pg_constraint WHERE contype = 'c' AND conrelid = $1::regclass ORDER BY conname`,
    [relationOf(table)],
  );
  const named = new Set(checks.flatMap(({ columns }) => columns));
  const columns = table.columns.filter(({ name }) => named.has(name));
  if (columns.length === 0) return undefined;
  const candidates = columns.map((column) => {
    if (column.name === table.softDelete) return livingValue(table).map(([, value]) => value);
    return [
      ...new Set([
        ...(owned.key.includes(column)
          ? Array.from(
              { length: KEYS },
              (_, number) => keyParts(owned, number)[owned.key.indexOf(column)] ?? "",
            )
          : Array.from({ length: VALUES }, (_, value) => valueFor(owned, column, value))),
        ...(column.oneOf === undefined
          ? checks.filter((check) => check.columns.includes(column.name)).flatMap(constantsOf)
          : column.oneOf.map(String)),
      ]),
    ];
  });
  const rows = combinations(candidates);
  const taken = await ask(owned, columns, { rows, checks });
  return { columns: columns.map(({ name }) => name), rows: spread(taken) };
}

/** The constants of a condition, and their neighbours: a bound is met by one of the three. */
function constantsOf({ condition }: Check): readonly string[] {
  const texts = [...condition.matchAll(/'((?:[^']|'')*)'/g)].map(([, text = ""]) =>
    text.replaceAll("''", "'"),
  );
  const numbers = [...condition.matchAll(/(?<![\w'.])-?\d+(?:\.\d+)?/g)].map(([number]) => Number(number));
  return [
    // A pattern of LIKE without its wildcards is matched by it.
    ...texts.flatMap((text) => [text, text.replace(/[%_]/g, "x")]),
    ...numbers.flatMap((number) => [number, number + 1, number - 1]).map(String),
  ];
}

/** All of them, or so many that differ in every column. */
function combinations(candidates: readonly (readonly (string | null)[])[]): readonly (string | null)[][] {
  const total = candidates.reduce((product, { length }) => Math.min(product * length, ASKED * 1_000), 1);
  const step = Math.max(1, Math.floor(total / ASKED));
  return Array.from({ length: Math.min(total, ASKED) }, (_, at) => {
    let index = at * step + (at % step);
    return candidates.map((values) => {
      const value = values[index % values.length] ?? null;
      index = Math.floor(index / values.length);
      return value;
    });
  });
}

/** PostgreSQL 15 has no `pg_input_is_valid`. */
const IS_VALUE = `CREATE OR REPLACE FUNCTION mesh__sim.is_value(value text, type text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
  EXECUTE format('SELECT %L::%s', value, type);
  RETURN true;
EXCEPTION WHEN OTHERS THEN RETURN false;
END $$`;

interface Question {
  readonly rows: readonly (readonly (string | null)[])[];
  readonly checks: readonly Check[];
}

/** The rows that every CHECK takes. One that is no value of its column's type is none. */
async function ask(
  { service: { database } }: OwnedTable,
  columns: OwnedTable["columns"],
  { rows, checks }: Question,
): Promise<readonly (readonly (string | null)[])[]> {
  const isValue = (at: number, sql: string) => `mesh__sim.is_value("$values" ->> ${at}, '${sql}')`;
  const typed = columns.map(({ name, type }, at) => {
    const { sql } = factsOf(type);
    return `CASE WHEN ${isValue(at, sql)} THEN ("$values" ->> ${at})::${sql} END AS ${quote(name)}`;
  });
  const valid = columns.map(({ type }, at) => isValue(at, factsOf(type).sql));
  const conditions = [...valid, ...checks.map(({ condition }) => `(${condition}) IS NOT FALSE`)];
  await database.query(IS_VALUE);
  const found = await database.query<{ values: readonly (string | null)[] }>(
    `SELECT "$values" AS values FROM (
  SELECT "$rows".*, ${typed.join(", ")} FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS "$rows" ("$values", "$at")
) AS "$typed" WHERE ${conditions.join(" AND ")} ORDER BY "$at"`,
    [JSON.stringify(rows)],
  );
  return found.map(({ values }) => values);
}

/** Some of them, from the first to the last. */
function spread<T>(rows: readonly T[]): readonly T[] {
  const step = Math.max(1, Math.floor(rows.length / KEPT));
  return rows.filter((_, at) => at % step === 0).slice(0, KEPT);
}
