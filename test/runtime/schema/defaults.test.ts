import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { isValueOf } from "../../../generator/check/values.js";
import { sqlDefault, sqlType } from "../../../generator/migrations/sql-types.js";
import type { ColumnType } from "../../../generator/model/mesh.js";
import { columnTypeForms, columnTypeNames } from "../../../runtime/values/column-types.js";

/*
 * What the compiler takes as a default, PostgreSQL takes too, and stores as it is written.
 */

const client = new pg.Client({ connectionString: inject("postgres") });
beforeAll(() => client.connect());
afterAll(() => client.end());

type Scalar = string | number | boolean;

/** The value, as text, of a row that leaves the column out. Throws PostgreSQL's errors. */
async function store(type: ColumnType, value: Scalar): Promise<string> {
  const written = sqlDefault({ type, default: { kind: "literal", value } });
  await client.query("BEGIN; SET LOCAL TimeZone = 'UTC'");
  try {
    await client.query(
      `CREATE TEMP TABLE kept (id INTEGER, value ${sqlType(type)} NOT NULL DEFAULT ${written}) ON COMMIT DROP`,
    );
    const { rows } = await client.query("INSERT INTO kept (id) VALUES (1) RETURNING value::text");
    return rows[0].value;
  } finally {
    await client.query("ROLLBACK");
  }
}

const odd: readonly Scalar[] = [
  "",
  "now",
  "today",
  "infinity",
  "-infinity",
  "NaN",
  "null",
  "true",
  "'",
  "\\",
  "$$",
  "🙂",
  0,
  -0,
  1,
  0.1,
  1e30,
  -1e-320,
  2 ** 31,
  2 ** 31 - 1,
  -(2 ** 31),
  -(2 ** 31) - 1,
  2 ** 53,
  2 ** 53 - 1,
  true,
  false,
  "2026-02-28",
  "2026-02-30",
  "2024-02-29",
  "2023-02-29",
  "1900-02-29",
  "2000-02-29",
  "0000-01-01",
  "0001-01-01",
  "9999-12-31",
  "9999-12-31T23:59:59.999999Z",
  "2026-13-01",
  "2026-00-10",
  "2026-01-32",
  "2026-1-1",
  "20260101",
  "2026-01-01T24:00:00Z",
  "2026-01-01T23:60:00Z",
  "2026-01-01T23:59:60Z",
  "2026-01-01T12:00",
  "2026-01-01 12:00:00.1234567",
  "2026-01-01T12:00:00+15:59",
  "2026-01-01T12:00:00+16:00",
  "2026-01-01T12:00:00+1560",
  "0001-01-01T00:00:00+01:00",
  "0188e2a1-7c4e-7b3a-9f53-0f5e0c1d2a3b",
  "0188e2a17c4e7b3a9f530f5e0c1d2a3b",
  "0188E2A1-7C4E-7B3A-9F53-0F5E0C1D2A3B",
  "{}",
  "{a:1}",
  '{"a": 1, "a": 2}',
  '"\\u0000"',
  '"\\ud800"',
  '"\\ud83d\\ude42"',
  '{"\\u0000": 1}',
  "[1e400]",
  "[1e131071]",
  "[1e131072]",
  "[1e-16383]",
  "[1e-16384]",
  "[-0.10]",
  "01",
  "[1,]",
  "9223372036854775807",
  "9223372036854775808",
  "1.50",
  "-0.00",
  "9999999999.99",
  "99999999999.99",
  "0.001",
  "1e3",
  "x".repeat(51),
  "SGVsbG8=",
  "QR==",
  '["a", "\\"", "{", "NULL", ""]',
  "[null]",
  "[1, 2]",
];

const moment = fc
  .record({
    year: fc.integer({ min: 0, max: 9999 }),
    month: fc.integer({ min: 0, max: 13 }),
    day: fc.integer({ min: 0, max: 32 }),
    hour: fc.integer({ min: 0, max: 25 }),
    minute: fc.integer({ min: 0, max: 61 }),
    offset: fc.constantFrom("", "Z", "+02:00", "-11:30", "+16:00", "+0530", "-15:60"),
  })
  .map(({ year, month, day, hour, minute, offset }) => {
    const two = (part: number) => String(part).padStart(2, "0");
    return `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}${offset}`;
  });
const value: fc.Arbitrary<Scalar> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...odd) },
  moment,
  fc.double(),
  fc.maxSafeInteger(),
  fc.json(),
  fc.uuid(),
  fc.string({ unit: "grapheme" }).filter((text) => !text.includes("\0")),
);

async function holds(type: ColumnType, given: Scalar): Promise<void> {
  if (!isValueOf(type, given, { allowsNow: false })) return;
  const kept = await store(type, given);
  if (type === "text" || type === "nanoid" || type === "varchar(50)" || type === "date")
    expect(kept).toBe(given);
  if (type === "bytea") expect(kept).toBe(`\\x${Buffer.from(String(given), "base64").toString("hex")}`);
  if (type === "numeric") expect(kept).toBe(String(given).replace(/^-(0(\.0*)?)$/, "$1"));
  if (type === "integer" || type === "bigint" || type === "number" || type === "numeric(12,2)")
    expect(Number(kept)).toBe(Number(given) + 0);
  if (type === "boolean") expect(kept).toBe(String(given));
  if (type === "uuid") expect(kept).toBe(String(given).toLowerCase());
}

test.each([...columnTypeNames, ...columnTypeForms])(
  "what is taken as a default of %s, PostgreSQL keeps",
  async (type) => {
    for (const given of odd) await holds(type, given);
    await fc.assert(
      fc.asyncProperty(value, (given) => holds(type, given)),
      { numRuns: 300 },
    );
  },
);

test("the values at both ends are taken", () => {
  const taken = (type: ColumnType, given: Scalar) => isValueOf(type, given, { allowsNow: true });
  expect(taken("integer", -(2 ** 31))).toBe(true);
  expect(taken("integer", 2 ** 31 - 1)).toBe(true);
  expect(taken("timestamp", "2024-02-29")).toBe(true);
  expect(taken("timestamp", "now")).toBe(true);
  expect(taken("json", "[1e400]")).toBe(true);
  expect(taken("json", 5)).toBe(true);
  expect(taken("number", Number.POSITIVE_INFINITY)).toBe(false);
});
