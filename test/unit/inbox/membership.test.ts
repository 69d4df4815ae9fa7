import { expect, test } from "vitest";
import { DEFAULT } from "../../../runtime/database/columns.js";
import type { ColumnDefinition, ConditionDefinition } from "../../../runtime/definition/table-definition.js";
import { buildConditions, membershipOf } from "../../../runtime/inbox/membership.js";

const columns: readonly ColumnDefinition[] = [
  { name: "state", type: "text" },
  { name: "count", type: "bigint", wide: true },
  { name: "owner", type: "uuid" },
  { name: "ended_at", type: "timestamp", nullable: true },
  { name: "price", type: "numeric(6,2)" },
  { name: "ratio", type: "number" },
  { name: "day", type: "date" },
  { name: "extras", type: "json" },
];
const UUID = "0188e2a1-7c4e-7b3a-9f53-0f5e0c1d2a3b";

/** A row in which every other column is null. */
function at(name: string, cell: unknown): readonly unknown[] {
  return columns.map((column) => (column.name === name ? cell : null));
}

const state = { column: "state", values: ["open", "held"] };
const ended = { column: "ended_at", isNull: true };

type Row = [string, readonly ConditionDefinition[], readonly unknown[], string];
const MOMENTS: readonly (readonly [string, string, string])[] = [
  ["in UTC", "2026-01-02T10:00:00.000000Z", "inside"],
  ["at another offset", "2026-01-02 11:00+01", "inside"],
  ["that a column rounds to it", "2026-01-02T09:59:59.9999996Z", "inside"],
  ["a microsecond later", "2026-01-02T10:00:00.000001Z", "outside"],
];

test.each<Row>([
  ["one of several values", [state], ["held"], "inside"],
  ["another value", [state], ["Open"], "outside"],
  ["a value that is not told", [state], [undefined], "unknown"],
  ["one that is not told beside one that fails", [state, ended], [undefined, null, null, "x"], "outside"],
  ["one that is not told beside one that holds", [state, ended], [undefined, null, null, null], "unknown"],
  ["null where null is meant", [ended], [null, null, null, null], "inside"],
  ["a value where null is meant", [ended], [null, null, null, "2026-01-01T00:00:00Z"], "outside"],
  ["a value where any is meant", [{ column: "ended_at", isNull: false }], [null, null, null, "x"], "inside"],
  ["null where a value is meant", [state], [null], "outside"],
  ["the text null", [state], ["null"], "outside"],
  [
    "a wide number",
    [{ column: "count", values: ["9007199254740993"] }],
    [null, "9007199254740993"],
    "inside",
  ],
  ["a number as text", [{ column: "count", values: [5] }], [null, "5"], "inside"],
  ["a uuid in capitals", [{ column: "owner", values: [UUID] }], [null, null, UUID.toUpperCase()], "inside"],
  ["a decimal with zeros", [{ column: "price", values: [1.5] }], at("price", "1.50"), "inside"],
  ["a decimal that is whole", [{ column: "price", values: ["100"] }], at("price", "100.00"), "inside"],
  ["another decimal", [{ column: "price", values: ["10"] }], at("price", "1.00"), "outside"],
  ["negative zero", [{ column: "ratio", values: [0] }], at("ratio", "-0"), "inside"],
  ["a day", [{ column: "day", values: ["2026-01-02"] }], at("day", "2026-01-02"), "inside"],
  ...MOMENTS.map(
    ([spelling, moment, expected]): Row => [
      `a moment ${spelling}`,
      [{ column: "ended_at", values: ["2026-01-02T12:00:00+02:00"] }],
      at("ended_at", moment),
      expected,
    ],
  ),
  ["the null of JSON", [{ column: "extras", isNull: true }], at("extras", "null"), "inside"],
  ["JSON where null is meant", [{ column: "extras", isNull: true }], at("extras", '"null"'), "outside"],
  ["a default that meets it", [{ ...state, absent: true }], [DEFAULT], "inside"],
  ["a default that does not", [state], [DEFAULT], "outside"],
])("%s", (_, where, cells, expected) => {
  expect(membershipOf({ conditions: buildConditions(columns, where) }, cells)).toBe(expected);
});
