import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { isNumberOf } from "../../../runtime/values/column-types.js";

/*
 * Which numbers a `real` keeps: those that PostgreSQL prints of it, and no others.
 */

const client = new pg.Client({ connectionString: inject("postgres") });
beforeAll(() => client.connect());
afterAll(() => client.end());

const view = new DataView(new ArrayBuffer(4));
function fromBits(bits: number): number {
  view.setUint32(0, bits);
  return view.getFloat32(0);
}

/** Around each power of two, where the neighbour below is nearer than the one above, and the smallest ones. */
const EDGES = Array.from({ length: 255 }, (_, exponent) =>
  [-1, 0, 1, 2, 0x40_0000].map((more) =>
    fromBits(exponent * 0x80_0000 + Math.max(more, exponent === 0 ? 1 : more)),
  ),
).flat();
/** Half way between two decimals of as many digits, and such of which the shortest decimal lies on the border. */
const TIES = [1048576.25, 2097152.25, 21611.5625, 151275392, 1.262177448353619e-29, 68840464, 18000000000];

async function printed(values: readonly number[]): Promise<readonly string[]> {
  const { rows } = await client.query<{ text: string }>(
    "SELECT value::real::text AS text FROM unnest($1::float8[]) WITH ORDINALITY AS given (value, place) ORDER BY place",
    [values],
  );
  return rows.map(({ text }) => text);
}

test("what PostgreSQL prints of a number of single precision is kept, and the double that it is else is not", async () => {
  const drawn = fc.sample(fc.float({ noNaN: true, noDefaultInfinity: true }), 20_000);
  const values = [...EDGES, ...TIES, ...drawn].filter(Number.isFinite);
  const texts = await printed(values);
  const refused = texts.filter((text) => !isNumberOf(32, Number(text)));
  expect(refused).toEqual([]);
  const wrongly = values.filter((value, at) => isNumberOf(32, value) && Number(texts[at]) !== value);
  expect(wrongly).toEqual([]);
});

test("a double is kept where PostgreSQL gives it back, and nowhere else", async () => {
  const drawn = fc.sample(
    fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true, min: -3.4e38, max: 3.4e38 }),
      fc.integer({ min: -(2 ** 26), max: 2 ** 26 }),
      fc
        .tuple(fc.integer({ min: 0, max: 10 ** 9 }), fc.integer({ min: -30, max: 20 }))
        .map(([digits, exponent]) => Number(`${digits}e${exponent}`)),
    ),
    20_000,
  );
  // Half way between two of single precision, which no decimal of six digits leads back to.
  const doubles = [18000000000, 30000000000, ...drawn].filter(
    (value) => value === 0 || Math.abs(value) > 1e-44,
  );
  const texts = await printed(doubles);
  const judged = doubles.filter((value, at) => isNumberOf(32, value) !== (Number(texts[at]) === value));
  expect(judged).toEqual([]);
  for (const value of [1e39, -1e39, 1e-46, Number.NaN, Number.POSITIVE_INFINITY, "1"])
    expect(isNumberOf(32, value), String(value)).toBe(false);
});
