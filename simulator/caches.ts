import type { ColumnDefinition, ConsumerDefinition, TableDefinition } from "@meshwright/runtime";
import { factsOf } from "@meshwright/runtime/column-types";
import {
  carriedColumns,
  columnShownAs,
  idSql,
  keyColumns,
  keyList,
  livingRows,
  memberFilling,
  relationOf,
  wireRow,
} from "@meshwright/runtime/simulation";
import { escapeLiteral, escapeIdentifier as quote } from "pg";
import { readEarlierRows } from "./earlier-rows.js";
import type { Copy, Holding, OwnedTable, SimulatedMesh, Untold } from "./mesh.js";

/*
 * Convergence: compares a cache with the owned table that it copies.
 */

/** The cache's columns that events carry, the key included; without those whose changes may be in no event. */
function comparedColumns(
  { cache, events }: ConsumerDefinition,
  { columns }: Untold,
): readonly ColumnDefinition[] {
  if (cache === undefined) return [];
  const carried = new Set(events.flatMap(({ event }) => carriedColumns(event, cache)));
  return cache.columns.filter(({ name }) => carried.has(name) && !columns.includes(name));
}

const ALL_TOLD: Untold = { columns: [], deletions: false };

/**
 * One line for each row that differs: rows that the cache lacks, and rows that only the cache has. `byEventsAlone`: no snapshot was
 * read since, so what no event tells is left out; so it is of a cache that reads none.
 */
export async function compareCache(
  { service, consumer, owner }: Copy & { readonly owner: OwnedTable },
  { untold, byEventsAlone }: { readonly untold: SimulatedMesh["untold"]; readonly byEventsAlone: boolean },
): Promise<readonly string[]> {
  const { cache } = consumer;
  const isHealed = consumer.sync !== undefined && !byEventsAlone;
  const left = (!isHealed && untold[service.definition.name]?.[cache?.name ?? ""]) || ALL_TOLD;
  const columns = comparedColumns(consumer, left);
  if (cache === undefined || columns.length === 0) return [];
  // No event tells of rows from before the mesh.
  const unheard = consumer.sync === undefined ? await readEarlierRows({ owner }) : [];
  // Either side in the types of the cache, under the names that its owner's rows have.
  const read = (table: TableDefinition, nameIn: (column: ColumnDefinition) => string, condition: string) => {
    const compared = columns.map((column) => ({
      ...column,
      name: nameIn(column),
      member: memberFilling(column),
    }));
    const row = wireRow({ columns: compared }, '"$held"', memberFilling);
    const held = compared.map((column) => heldAs(column, table));
    const ids = `ARRAY[${[...unheard].map((id) => escapeLiteral(id)).join(", ")}]::text[]`;
    return `SELECT ${row} AS row FROM ${relationOf(table)} AS "$row", LATERAL (SELECT ${held.join(", ")}) AS "$held" WHERE ${condition} AND ${idSql(keyColumns(table), '"$row"')} <> ALL (${ids}) ORDER BY ${keyList(keyColumns(table), '"$row"')}`;
  };
  const nameAtOwner = (column: ColumnDefinition) => columnShownAs(owner.table, memberFilling(column));
  const [here, there] = await Promise.all([
    service.database.query<{ row: string }>(read(cache, ({ name }) => name, "true")),
    owner.service.database.query<{ row: string }>(
      read(
        owner.table,
        nameAtOwner,
        [holdingSql(cache.where ?? [], cache, nameAtOwner), ...livingRows(owner.table, '"$row"')].join(
          " AND ",
        ),
      ),
    ),
  ]);
  const [cached, owned] = [new Set(here.map(({ row }) => row)), new Set(there.map(({ row }) => row))];
  return [
    ...[...owned]
      .filter((row) => !cached.has(row))
      .map((row) => `${consumer.durable}: the cache lacks ${row}`),
    ...[...cached]
      .filter((row) => !left.deletions && !owned.has(row))
      .map((row) => `${consumer.durable}: the cache has ${row}, its source does not`),
  ];
}

/** SQL: the value of the table's column as the cache has it: a char without its padding, of a real the digits that travel. */
function heldAs({ name, type }: ColumnDefinition, { columns }: TableDefinition): string {
  const own = columns.find((column) => column.name === name)?.type ?? type;
  const [cell, { kind, padded, bits }] = [`"$row".${quote(name)}`, factsOf(own)];
  const isWider = own !== type && (padded === true || (kind === "number" && bits !== undefined));
  return `${isWider ? `${cell}::text::${factsOf(type).cast}` : cell} AS ${quote(name)}`;
}

/** SQL: the row, `"$row"`, holds all of it. `nameIn`: what the columns are called there. */
export function holdingSql(
  said: readonly Holding[],
  { columns }: Pick<TableDefinition, "columns">,
  nameIn: (column: ColumnDefinition) => string,
): string {
  const parts = said.map(({ column: name, values = [], isNull }) => {
    const column = columns.find((each) => each.name === name);
    const { kind, cast, zoned } = factsOf(column?.type ?? "text");
    const cell = `"$row".${quote(column === undefined ? name : nameIn(column))}`;
    if (isNull !== undefined)
      return `${kind === "document" ? `nullif(${cell}::jsonb, 'null')` : cell} IS ${isNull ? "" : "NOT "}NULL`;
    const texts = values.map((value) => escapeLiteral(String(value))).join(", ");
    // A timestamp would ignore the offset of its text.
    return kind === "moment" && !zoned
      ? `${cell} AT TIME ZONE 'UTC' = ANY (ARRAY[${texts}]::timestamptz[])`
      : `${cell} = ANY (ARRAY[${texts}]::${cast}[])`;
  });
  return ["true", ...parts].join(" AND ");
}
