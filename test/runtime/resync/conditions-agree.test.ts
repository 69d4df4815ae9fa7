import type pg from "pg";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { condition } from "../../../generator/emit/sql/triggers/condition.js";
import type { Condition, Event, Table } from "../../../generator/model/mesh.js";
import { toCell } from "../../../runtime/database/columns.js";
import type { ColumnDefinition } from "../../../runtime/definition/table-definition.js";
import { buildConditions, membershipOf } from "../../../runtime/inbox/membership.js";
import { wireRow } from "../../../runtime/simulation.js";
import { type ColumnType, factsOf } from "../../../runtime/values/column-types.js";
import { createDatabase } from "../../support/servers.js";
import { createPool } from "../../support/user-consumer.js";

/*
 * `when` of an event is SQL in the owner's triggers, and `where` of a copy is asked of what messages say: one condition.
 */

let pool: pg.Pool;
beforeAll(async () => {
  pool = createPool(await createDatabase(inject("postgres"), "conditions"));
});
afterAll(() => pool.end());

const LOWER = "0188e2a1-7c4e-7b3a-9f53-0f5e0c1d2a3b";

it.each<[ColumnType, readonly (string | number | boolean)[], readonly string[]]>([
  ["text", ["a", "", "null", "é"], ["A", " a", "a "]],
  ["varchar(3)", ["a", "abc"], ["a ", "A"]],
  ["uuid", [LOWER.toUpperCase(), LOWER], ["0188e2a1-7c4e-7b3a-9f53-0f5e0c1d2a3c"]],
  ["integer", [0, -5], ["5"]],
  ["bigint", ["9007199254740993", 5], ["9007199254740992", "-5"]],
  ["number", [0, 0.1, 1e21, 1e-7, 1e17], ["-0", "0.10000000000000002", "5e-324"]],
  ["numeric(6,2)", [1.5, "1.50", 100, "-0.10", 0], ["10", "1000", "0.01"]],
  ["numeric", ["1.500", 0, "12345678901234567890.5"], ["1.5", "0.000", "-1.5", "12345678901234567890.50"]],
  ["boolean", [true], ["false"]],
  ["date", ["2026-01-02", "0099-12-31"], ["2026-01-03"]],
])("a condition holds in PostgreSQL where it holds for messages: %s", async (type, values, others) => {
  const column: ColumnDefinition = {
    name: "value",
    type,
    nullable: true,
    ...(type === "bigint" && { wide: true }),
  };
  const conditions: Condition[] = [
    ...values.map((value): Condition => ({ column: "value", values: [value], isNull: undefined })),
    { column: "value", values, isNull: undefined },
    ...[true, false].map((isNull): Condition => ({ column: "value", values: [], isNull })),
  ];
  const table = { name: "t", key: "id", columns: [column] };
  const holds = conditions.map((when) =>
    condition({ emit: { when: [when] } } as unknown as Event, table as unknown as Table, {
      statement: "insert",
      means: "insert",
    }),
  );
  const { rows } = await pool.query<{ wire: string; held: boolean[] }>(
    `SELECT ${wireRow(table, "added")} AS wire, ARRAY[${holds.map((sql) => `(${sql}) IS TRUE`).join(", ")}] AS held
     FROM (SELECT unnest($1::text[])::${factsOf(type).sql} AS value) AS added`,
    [[...values.map(String), ...others, null]],
  );
  for (const { wire, held } of rows) {
    const cells = [toCell(column, typeof wire === "string" ? JSON.parse(wire) : wire, "value")];
    const inside = conditions.map(({ values, isNull }) => {
      const where = [{ column: "value", values, ...(isNull !== undefined && { isNull }) }];
      return membershipOf({ conditions: buildConditions([column], where) }, cells) === "inside";
    });
    expect([wire, inside]).toEqual([wire, held]);
  }
  expect(rows.flatMap(({ held }) => held)).toContain(true);
});
