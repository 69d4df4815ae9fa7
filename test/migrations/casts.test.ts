import pg from "pg";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { castBetween } from "../../generator/migrations/casts.js";
import { sqlType } from "../../generator/migrations/sql-types.js";
import type { ColumnType } from "../../generator/model/mesh.js";

/*
 * Every change of a column's type, on a table with the extreme values of the former one.
 */

const VALUES: Readonly<Partial<Record<ColumnType, readonly string[]>>> = {
  text: ["", "a", "12", "2026-01-31", "x".repeat(60)],
  "varchar(8)": ["", "a", "12345678"],
  "varchar(50)": ["", "a", "x".repeat(50)],
  "char(3)": ["", "a", "EUR"],
  "char(8)": ["", " a", "12345678"],
  uuid: ["7b0a3a2e-58a5-4d0c-8d4e-1d2f6a3b4c5d", "00000000-0000-0000-0000-000000000000"],
  smallint: ["-32768", "0", "32767"],
  integer: ["-2147483648", "0", "2147483647"],
  bigint: ["-9223372036854775808", "9007199254740993", "9007199254740992"],
  number: ["0.1", "0.30000000000000004", "1e300", "5e-324"],
  real: ["0.1", "3.4028235e38", "1e-45", "16777216", "-0"],
  numeric: ["1.10", "-0.001", "99999999999999999999.5"],
  "numeric(12,2)": ["-9999999999.99", "0.00", "1.50"],
  "numeric(20,4)": ["-9999999999999999.9999", "0.0001"],
  boolean: ["true", "false"],
  timestamp: ["0001-01-01 00:00:00", "2026-01-31 23:59:59.999999"],
  timestamptz: ["0001-01-01 00:00:00Z", "2026-01-31 23:59:59.999999Z"],
  date: ["0001-01-01", "2024-02-29", "9999-12-31"],
  bytea: ["\\x", "\\x00ff", `\\x${"ab".repeat(80)}`],
  json: ['{"a": 1.10}', "[]", "1.1", '"a"'],
  "text[]": ["{}", '{a,"b,\\"c"}'],
  "varchar(8)[]": ["{}", "{12345678}"],
  "char(3)[]": ["{}", "{EUR,a}"],
  "real[]": ["{}", "{0.1,1e-45}"],
  "integer[]": ["{}", "{2147483647,1}"],
  "bigint[]": ["{}", "{9007199254740993,9007199254740992}"],
  "numeric(12,2)[]": ["{}", "{1.50,0.00}"],
  "date[]": ["{}", "{2026-01-31}"],
};
const TYPES = Object.keys(VALUES) as readonly ColumnType[];

const client = new pg.Client({
  connectionString: inject("postgres"),
  options: "-c TimeZone=America/New_York",
});
beforeAll(() => client.connect());
afterAll(() => client.end());

/** How many values there are after the change; undefined where PostgreSQL refused one. */
async function change(
  from: ColumnType,
  to: ColumnType,
  values: readonly string[],
): Promise<number | undefined> {
  const [held, wanted] = [sqlType(from), sqlType(to)];
  await client.query("BEGIN; SET LOCAL DateStyle = 'ISO'");
  try {
    await client.query(`CREATE TEMP TABLE changed (value ${held}) ON COMMIT DROP`);
    await client.query(`INSERT INTO changed SELECT unnest($1::text[])::${held}`, [values]);
    await client.query("INSERT INTO changed VALUES (NULL)");
    const using = castBetween(held, wanted).using("value");
    await client.query(`ALTER TABLE changed ALTER COLUMN value TYPE ${wanted} USING ${using}`);
    const { rows } = await client.query<{ kept: number; nulls: number }>(
      "SELECT count(DISTINCT value::text)::integer AS kept, count(*) FILTER (WHERE value IS NULL)::integer AS nulls FROM changed",
    );
    expect(rows[0]?.nulls, "NULL stays NULL, and nothing becomes it").toBe(1);
    return rows[0]?.kept;
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code?.startsWith("22")) return undefined;
    throw error;
  } finally {
    await client.query("ROLLBACK");
  }
}

test.each(TYPES)(
  "from %s to every other type: what is called lossless keeps all values apart",
  async (from) => {
    const values = VALUES[from] ?? [];
    for (const to of TYPES.filter((type) => type !== from)) {
      const { lossless } = castBetween(sqlType(from), sqlType(to));
      expect(await change(from, to, []), `${from} to ${to}, an empty table`).toBe(0);
      const kept = await change(from, to, values);
      if (lossless) expect(kept, `${from} to ${to}`).toBe(values.length);
    }
  },
);

test("a narrower type is refused before it is a migration, a wider one is not", () => {
  const lossless = (from: ColumnType, to: ColumnType) => castBetween(sqlType(from), sqlType(to)).lossless;
  for (const [narrow, wide] of [
    ["smallint", "integer"],
    ["integer", "bigint"],
    ["smallint", "numeric(7,2)"],
    ["integer", "numeric(12,2)"],
    ["bigint", "numeric"],
    ["numeric(10,2)", "numeric(12,2)"],
    ["numeric(10,2)", "numeric(14,4)"],
    ["numeric(12,2)", "numeric"],
    ["varchar(8)", "varchar(50)"],
    ["varchar(8)", "text"],
    ["char(3)", "char(8)"],
    ["char(3)", "varchar(3)"],
    ["char(3)", "text"],
    ["smallint", "real"],
    ["real", "number"],
    ["real[]", "number[]"],
    ["uuid", "varchar(36)"],
    ["integer", "varchar(11)"],
    ["date", "timestamp"],
    ["varchar(8)[]", "text[]"],
    ["integer[]", "bigint[]"],
    ["integer", "bigint[]"],
    ["text[]", "json"],
  ] as const) {
    expect(lossless(narrow, wide), `${narrow} to ${wide}`).toBe(true);
    expect(lossless(wide, narrow), `${wide} to ${narrow}`).toBe(false);
  }
  for (const [from, to] of [
    ["integer", "numeric(11,2)"],
    ["numeric(12,2)", "numeric(12,4)"],
    ["uuid", "varchar(35)"],
    ["json", "varchar(500)"],
    ["timestamptz", "date"],
  ] as const)
    expect(lossless(from, to), `${from} to ${to}`).toBe(false);
});
