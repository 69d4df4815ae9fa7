import fc from "fast-check";
import type pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { tableRepository } from "../../../runtime/repository/repository.js";
import { isNumberOf } from "../../../runtime/values/column-types.js";
import { JsonText } from "../../../runtime/values/json-text.js";
import { type NewSample, samples } from "../../scenarios/emit/exact-values/expected/lab/tables.js";
import { type Exact, openExact } from "../../support/exact-values.js";

let mesh: Exact;
beforeAll(async () => {
  mesh = await openExact();
});
afterAll(() => mesh?.close());
beforeEach(async () => {
  await mesh.lab.client.query("DELETE FROM samples");
  await mesh.carry();
  await mesh.archive.client.query("DELETE FROM sample_cache");
});

const COLUMNS = samples.columns.map(({ name }) => name);

/** Values as PostgreSQL prints them: exact, in UTC. */
async function rowText(client: pg.Client, table: string, id: string): Promise<unknown> {
  await client.query("SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET extra_float_digits = 3");
  const moments = new Set(["taken_at", "due_at", "seen_at", "told_at"]);
  const fields = COLUMNS.map((name) =>
    moments.has(name) ? `regexp_replace(${name}::text, '\\+00$', '') AS ${name}` : `${name}::text AS ${name}`,
  );
  const { rows } = await client.query(
    `SELECT ${fields.join(", ")} FROM ${table} WHERE sample_id::text = $1`,
    [id],
  );
  return rows[0];
}

/** The columns' texts in a JSON object, with all digits. */
async function fieldTexts(text: string): Promise<unknown> {
  const fields = COLUMNS.map((name) => `$1::json -> '${name}' #>> '{}' AS ${name}`);
  const json = COLUMNS.map((name) => `($1::json -> '${name}')::text AS "${name} json"`);
  const { rows } = await mesh.lab.client.query(`SELECT ${[...fields, ...json].join(", ")}`, [text]);
  return rows[0];
}

/** Expects the same value in row, event, REST answer, list, cache by event and cache by snapshot. */
async function expectSame(id: string): Promise<void> {
  const [body = ""] = (await mesh.carry()).slice(-1);
  const row = await rowText(mesh.lab.client, "samples", id);
  expect(row, "the row").toBeDefined();
  const told = await fieldTexts(body);
  const one = await mesh.request("GET", `/api/samples/${encodeURIComponent(id)}`);
  expect(one.status).toBe(200);
  expect(await fieldTexts(one.text), "answer and event").toEqual(told);
  const list = await mesh.request("GET", `/api/samples?sample_id=${id}`);
  expect(await fieldTexts(list.text.trim().slice(1, -1)), "list and event").toEqual(told);
  expect(await rowText(mesh.archive.client, "sample_cache", id), "copy by event").toEqual(row);
  await mesh.archive.client.query("DELETE FROM sample_cache");
  await mesh.snapshot();
  expect(await rowText(mesh.archive.client, "sample_cache", id), "copy by snapshot").toEqual(row);
  expect(await mesh.verify()).toMatchObject({ missing: 0, extra: 0, differing: 0 });
}

const INT64 = fc.oneof(
  fc.constantFrom(
    "9223372036854775807",
    "-9223372036854775808",
    "9007199254740993",
    "9007199254740992",
    "0",
    "-1",
  ),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
);
const RATIO = fc.oneof(
  fc.constantFrom("-0", "5e-324", "1.7976931348623157e308", "1e21", "0.1", "0.30000000000000004", "1e-7"),
  fc
    .double({ noNaN: true, noDefaultInfinity: true })
    .map((value) => (Object.is(value, -0) ? "-0" : String(value))),
);
const NUMBER = fc.oneof(
  fc.constantFrom(
    "1189733241589370990",
    "1e400",
    "0.1000000000000000055511151231257827",
    "1.10",
    "-0",
    "1E-30",
  ),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
);
const DOCUMENT: fc.Arbitrary<string> = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { depthSize: "small" },
    NUMBER,
    fc.constantFrom("null", "true", '""', "[]", "{}"),
    fc
      .string()
      .filter((text) => !/[\0\p{Surrogate}]/u.test(text))
      .map((text) => JSON.stringify(text)),
    fc.array(tie("json"), { maxLength: 4 }).map((items) => `[${items.join(" , ")}]`),
    fc
      .array(fc.tuple(fc.constantFrom("a", "a", "__proto__", "constructor", "é\\n", "b"), tie("json")), {
        maxLength: 4,
      })
      .map((members) => `{${members.map(([name, value]) => `"${name}" : ${value}`).join(",")}}`),
  ),
})).json;
const MOMENT = fc
  .tuple(
    fc.date({
      min: new Date("0001-01-03T00:00:00Z"),
      max: new Date("9999-12-29T00:00:00Z"),
      noInvalidDate: true,
    }),
    fc.integer({ min: 0, max: 999_999 }),
    fc.constantFrom("Z", "z", "+02:00", "-05:30", "+14", "-00:00", "+0545"),
  )
  .map(
    ([date, micros, offset]) =>
      `${date.toISOString().slice(0, 19)}.${String(micros).padStart(6, "0")}${offset}`,
  );
const LABEL = fc
  .oneof(fc.constantFrom("a\\b", "'\"$$ %s %%", "Infinity", "null"), fc.string())
  .filter((text) => !/[\0\p{Surrogate}]/u.test(text));

const decimal = (whole: number, scale: number) =>
  fc
    .tuple(fc.boolean(), fc.bigInt({ min: 0n, max: 10n ** BigInt(whole + scale) - 1n }))
    .map(([negative, digits]) => {
      const text = String(digits).padStart(scale + 1, "0");
      return `${negative && digits > 0n ? "-" : ""}${text.slice(0, -scale)}.${text.slice(-scale)}`;
    });
const DAY = fc.oneof(
  fc.constantFrom("0001-01-01", "9999-12-31", "2024-02-29"),
  MOMENT.map((text) => text.slice(0, 10)),
);
const BASE64 = fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes).toString("base64"));
const LEVEL = fc.oneof(
  fc.constantFrom("-0", "1e-45", "3.4028235e38", "0.1", "1048576.2", "1.2621775e-29", "16777216"),
  fc.float({ noNaN: true, noDefaultInfinity: true }).map(asReal),
);
/** The shortest decimal of single precision. */
function asReal(single: number): string {
  if (Object.is(single, -0)) return "-0";
  const digits = Array.from({ length: 9 }, (_, at) => Number(single.toPrecision(at + 1)));
  return String(digits.find((value) => isNumberOf(32, value) && Math.fround(value) === single) ?? 0);
}
const CURRENCY = LABEL.map((text) => [...text].slice(0, 3).join("").replace(/ +$/, ""));
const CODE = LABEL.map((text) => [...text].slice(0, 8).join(""));
const listOf = (element: fc.Arbitrary<string>, asText = true) =>
  fc
    .array(element, { maxLength: 4 })
    .map((items) => `[${items.map((item) => (asText ? JSON.stringify(item) : item)).join(",")}]`);
const orNull = (element: fc.Arbitrary<string>) => fc.oneof(fc.constant("null"), element);

const SAMPLE = fc.record({
  sample_id: INT64,
  small: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).map(String),
  narrow: fc.maxSafeInteger().map(String),
  wide: INT64,
  ratio: RATIO,
  flag: fc.boolean().map(String),
  label: LABEL.map((text) => JSON.stringify(text)),
  taken_at: MOMENT,
  due_at: MOMENT,
  seen_at: MOMENT,
  told_at: MOMENT,
  doc: DOCUMENT,
  notes: fc.constantFrom("null", '{"n":1.10}', "[9007199254740993]"),
  tiny: fc.integer({ min: -32768, max: 32767 }).map(String),
  price: fc.oneof(fc.constantFrom("-9999999999.99", "0.00"), decimal(10, 2)),
  amount: fc.oneof(
    fc.constantFrom("1.10", "0.000", `${"9".repeat(400)}.${"1".repeat(400)}`, "100"),
    decimal(30, 20),
  ),
  born_on: DAY,
  code: CODE.map((text) => JSON.stringify(text)),
  blob: BASE64,
  tags: listOf(fc.oneof(LABEL, fc.constantFrom("", "NULL", "{", '"', "\\", " a ", "\n"))),
  counts: listOf(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).map(String), false),
  totals: listOf(INT64),
  ratios: listOf(RATIO, false),
  prices: listOf(decimal(4, 2)),
  days: orNull(listOf(DAY)),
  ids: orNull(listOf(fc.uuid())),
  codes: orNull(listOf(CODE)),
  level: LEVEL,
  currency: CURRENCY.map((text) => JSON.stringify(text)),
  levels: listOf(LEVEL, false),
  currencies: orNull(listOf(CURRENCY)),
});
type Sample = typeof SAMPLE extends fc.Arbitrary<infer T> ? T : never;

/** Session settings that change how PostgreSQL prints or reads values. */
const ODD_SESSION = `SET TimeZone = 'America/New_York'; SET DateStyle = 'SQL, DMY'; SET extra_float_digits = -10;
SET IntervalStyle = 'sql_standard'; SET bytea_output = 'escape'; SET lc_numeric = 'C'`;

async function byHand(sample: Sample): Promise<void> {
  const client = await mesh.lab.connect();
  await client.query(ODD_SESSION);
  const at = (name: string, zone: boolean) =>
    `($${COLUMN_AT[name]}::timestamptz${zone ? "" : " AT TIME ZONE 'UTC'"})`;
  await client.query(
    `INSERT INTO samples (${NAMES.join(", ")}) VALUES ($1::text::bigint, $2::text::integer, $3::text::bigint,
      $4::text::bigint, $5::text::float8, $6::text::boolean, $7, ${at("taken_at", false)}, ${at("due_at", false)},
      ${at("seen_at", true)}, ${at("told_at", true)}, $12::text::jsonb, $13::text::jsonb, $14::text::smallint,
      $15::text::numeric, $16::text::numeric, $17::text::date, $18, decode($19, 'base64'), $20::text::real, $21, ${LISTS.map((name) => listSql(name)).join(", ")})`,
    NAMES.map((name) =>
      name === "label" || name === "code" || name === "currency"
        ? JSON.parse(sample[name])
        : NULLABLE.has(name) && sample[name] === "null"
          ? null
          : sample[name],
    ),
  );
  await client.end();
}

const LISTS = [
  "tags",
  "counts",
  "totals",
  "ratios",
  "prices",
  "days",
  "ids",
  "codes",
  "levels",
  "currencies",
] as const;
const NULLABLE = new Set<string>(["notes", "days", "ids", "codes", "currencies"]);

/** The elements of a JSON list, one by one, as an array of the column's type. */
function listSql(name: string): string {
  const type = {
    tags: "text",
    counts: "integer",
    totals: "bigint",
    ratios: "float8",
    prices: "numeric",
    days: "date",
    ids: "uuid",
    codes: "varchar",
    levels: "real",
    currencies: "bpchar",
  }[name];
  const parameter = `$${COLUMN_AT[name]}::text::json`;
  return `CASE WHEN ${parameter} IS NOT NULL THEN ARRAY(SELECT item::${type} FROM json_array_elements_text(${parameter}) WITH ORDINALITY AS items (item, place) ORDER BY place) END`;
}

const NAMES = [
  "sample_id",
  "small",
  "narrow",
  "wide",
  "ratio",
  "flag",
  "label",
  "taken_at",
  "due_at",
  "seen_at",
  "told_at",
  "doc",
  "notes",
  "tiny",
  "price",
  "amount",
  "born_on",
  "code",
  "blob",
  "level",
  "currency",
  ...LISTS,
] as const;
const COLUMN_AT: Readonly<Record<string, number>> = Object.fromEntries(
  NAMES.map((name, at) => [name, at + 1]),
);
const TEXTS = new Set<string>([
  "sample_id",
  "wide",
  "taken_at",
  "due_at",
  "seen_at",
  "told_at",
  "price",
  "amount",
  "born_on",
  "blob",
]);

async function byRest(sample: Sample): Promise<void> {
  const members = NAMES.map(
    (name) => `"${name}": ${TEXTS.has(name) ? JSON.stringify(sample[name]) : sample[name]}`,
  );
  const { status, text } = await mesh.request("POST", "/api/samples", `{${members.join(",\n")}}`);
  expect(status, text).toBe(201);
}

async function byRepository(sample: Sample): Promise<void> {
  const { small, narrow, ratio, flag, label, doc, notes, tiny, code, level, currency, ...rest } = sample;
  const lists = Object.fromEntries(LISTS.map((name) => [name, JSON.parse(sample[name])])) as Required<
    Pick<NewSample, (typeof LISTS)[number]>
  >;
  await tableRepository(mesh.pool, samples).create({
    ...rest,
    ...lists,
    tiny: Number(tiny),
    code: JSON.parse(code),
    level: Number(level),
    currency: JSON.parse(currency),
    small: Number(small),
    narrow: Number(narrow),
    ratio: Number(ratio),
    flag: flag === "true",
    label: JSON.parse(label),
    doc: new JsonText(doc),
    notes: notes === "null" ? null : new JsonText(notes),
  });
}

describe("every value of every type reaches event, snapshot and cache unchanged", () => {
  test.each([
    ["SQL, from a session with odd settings", byHand],
    ["REST", byRest],
    ["a repository", byRepository],
  ] as const)(
    "by %s",
    async (_, write) => {
      await fc.assert(
        fc.asyncProperty(SAMPLE, async (sample) => {
          await mesh.lab.client.query("DELETE FROM samples");
          await mesh.carry();
          await write(sample);
          await expectSame(sample.sample_id);
          const kept = JSON.parse((await mesh.request("GET", `/api/samples/${sample.sample_id}`)).text);
          for (const name of ["price", "amount", "born_on", "blob"] as const)
            expect(kept[name], name).toBe(sample[name]);
          expect(kept.currency, "currency").toBe(JSON.parse(sample.currency));
          expect(kept.level, "level").toBe(JSON.parse(sample.level));
          for (const name of LISTS) expect(kept[name], name).toEqual(JSON.parse(sample[name]));
          const { rows } = await mesh.lab.client.query(
            "SELECT seen_at = $1::timestamptz AND taken_at = $2::timestamptz AT TIME ZONE 'UTC' AND ratio::text = $3::float8::text AND doc::text = $4::jsonb::text AS same FROM samples",
            [sample.seen_at, sample.taken_at, sample.ratio, sample.doc],
          );
          expect(rows).toEqual([{ same: true }]);
        }),
        { numRuns: 15 },
      );
    },
    120_000,
  );
});

describe("whole numbers past 2^53", () => {
  test("neighbours stay two rows, are verified, healed, and found by their keys", async () => {
    const ids = ["9007199254740992", "9007199254740993", "9223372036854775807", "-9223372036854775808"];
    for (const id of ids)
      expect((await mesh.request("POST", "/api/samples", `{"sample_id": "${id}"}`)).status).toBe(201);
    await mesh.carry();
    const held = async () =>
      (await mesh.archive.client.query("SELECT sample_id::text AS id FROM sample_cache ORDER BY sample_id"))
        .rows;
    const all = [...ids].sort((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1)).map((id) => ({ id }));
    expect(await held()).toEqual(all);
    expect(await mesh.verify()).toMatchObject({ rows: 4, missing: 0, extra: 0, differing: 0 });
    await mesh.archive.client.query(
      "UPDATE sample_cache SET wide = wide - 1 WHERE sample_id = 9007199254740993",
    );
    expect(await mesh.verify()).toMatchObject({ differing: 1, sample: [{ key: "9007199254740993" }] });
    await mesh.snapshot();
    expect(await mesh.verify()).toMatchObject({ differing: 0 });
    for (const id of ids) {
      const { status, text } = await mesh.request("GET", `/api/samples/${id}`);
      expect([status, JSON.parse(text).sample_id]).toEqual([200, id]);
    }
    expect((await mesh.request("DELETE", "/api/samples/9007199254740993")).status).toBe(204);
    await mesh.carry();
    expect(await held()).toEqual(all.filter(({ id }) => id !== "9007199254740993"));
  });

  test("a cascade removes the rows of exactly the deleted one", async () => {
    await mesh.archive.client.query(`DELETE FROM notes; INSERT INTO notes (note_id, sample_id) VALUES
      ('a', 9007199254740995), ('b', 9007199254740996)`);
    await mesh.request("POST", "/api/samples", '{"sample_id": 9007199254740995}');
    await mesh.request("DELETE", "/api/samples/9007199254740995");
    await mesh.carry();
    expect((await mesh.archive.client.query("SELECT note_id FROM notes")).rows).toEqual([{ note_id: "b" }]);
  });

  test("a number in a body keeps its digits where the column is wide, and is refused where it is not", async () => {
    const wide = await mesh.request(
      "POST",
      "/api/samples",
      '{"sample_id": 9007199254740993, "wide": 9223372036854775807}',
    );
    expect([wide.status, JSON.parse(wide.text)]).toMatchObject([
      201,
      { sample_id: "9007199254740993", wide: "9223372036854775807" },
    ]);
    for (const body of [
      '{"sample_id": "1", "narrow": 9007199254740993}',
      '{"sample_id": "1", "narrow": "9007199254740993"}',
      '{"sample_id": 9223372036854775808}',
      '{"sample_id": "9223372036854775808"}',
      '{"sample_id": "01"}',
    ])
      expect((await mesh.request("POST", "/api/samples", body)).status, body).toBe(422);
    expect((await mesh.request("GET", "/api/samples?narrow=9007199254740993")).status).toBe(400);
    expect((await mesh.request("GET", "/api/samples?wide=9223372036854775807")).text).toContain(
      "9007199254740993",
    );
    await expect(
      tableRepository(mesh.pool, samples).update("9007199254740993", { narrow: 2 ** 53 }),
    ).rejects.toThrow("narrow is not a whole number within 2^53");
  });

  test("a message with a number that a reader would round is refused", async () => {
    await mesh.request("POST", "/api/samples", '{"sample_id": "7"}');
    const { rows } = await mesh.lab.client.query<{ body: string }>("SELECT body FROM mesh.outbox");
    const body = rows[0]?.body ?? "";
    await expect(mesh.apply(body.replace('"narrow":0', '"narrow":9007199254740993'))).rejects.toThrow(
      "/narrow",
    );
    await expect(mesh.apply(body.replace('"ratio":0', '"ratio":1e400'))).rejects.toThrow("/ratio");
    await expect(mesh.apply(body.replace(/"taken_at":"[^"]*"/, '"taken_at":"tomorrow"'))).rejects.toThrow(
      "/taken_at",
    );
    await expect(mesh.apply(body.replace(/"wide":"[^"]*"/, '"wide":"9223372036854775808"'))).rejects.toThrow(
      "/wide",
    );
    await expect(mesh.apply(body.replace(/"version":\d+/, '"version":9007199254740993'))).rejects.toThrow(
      "/metadata/version",
    );
    for (const level of ["0.123456789", "1e39", "18000000000"])
      await expect(mesh.apply(body.replace('"level":0.1', `"level":${level}`)), level).rejects.toThrow(
        "/level",
      );
    for (const currency of ["EU ", " ", "EUROS"])
      await expect(
        mesh.apply(body.replace('"currency":"EUR"', `"currency":"${currency}"`)),
        currency,
      ).rejects.toThrow("/currency");
    await expect(mesh.apply(body.replace('"levels":[]', '"levels":[0.1,16777217]'))).rejects.toThrow(
      "/levels",
    );
  });
});

describe("a text with half of a surrogate pair", () => {
  test("is refused in a message, and by repositories, which would write U+FFFD in its place", async () => {
    await mesh.request("POST", "/api/samples", '{"sample_id": "7", "label": "x"}');
    const { rows } = await mesh.lab.client.query<{ body: string }>("SELECT body FROM mesh.outbox");
    const body = rows[0]?.body ?? "";
    for (const text of ['"a\\ud800b"', '"\\uDC00"', '"\\u0000"'])
      await expect(mesh.apply(body.replace('"label":"x"', `"label":${text}`)), text).rejects.toThrow(
        "/label",
      );
    await mesh.apply(body.replace('"label":"x"', '"label":"\\ud83d\\ude00"'));
    const { rows: copies } = await mesh.archive.client.query("SELECT label FROM sample_cache");
    expect(copies).toEqual([{ label: "😀" }]);
    const repository = tableRepository(mesh.pool, samples);
    await expect(repository.create({ sample_id: "8", label: "\ud800" })).rejects.toThrow("label has half");
    await expect(repository.update("7", { label: "a\udc00" })).rejects.toThrow("label has half");
    const listed = repository.list({ label: "\ud800" })[Symbol.asyncIterator]().next();
    await expect(listed).rejects.toThrow("label has half");
  });
});

describe("a value that no message could tell", () => {
  test.each([
    ["NaN", "price", "'NaN'"],
    ["NaN without limits", "amount", "'NaN'"],
    ["an infinite numeric", "amount", "'-Infinity'"],
    ["an infinite day", "born_on", "'infinity'"],
    ["a day before the year 1", "born_on", "'0001-12-31 BC'"],
    ["a day after the year 9999", "born_on", "'10000-01-01'"],
    ["NULL in a list", "tags", "ARRAY['a', NULL]"],
    ["a list of lists", "tags", "ARRAY[['a'], ['b']]"],
    ["a list of lists with NULL", "tags", "ARRAY[['a'], [NULL]]"],
    ["a list that begins at 0", "tags", "'[0:1]={a,b}'"],
    ["NaN in a list", "ratios", "ARRAY[1, 'NaN'::float8]"],
    ["an infinity in a list", "ratios", "ARRAY['-Infinity'::float8]"],
    ["NaN in a list of numerics", "prices", "ARRAY['NaN'::numeric]"],
    ["an infinite day in a list", "days", "ARRAY['infinity'::date]"],
  ])("%s is refused in the row's own transaction", async (_, column, value) => {
    const refused = { code: "23514", constraint: `samples_${column}_travels` };
    const { client } = mesh.lab;
    await expect(
      client.query(`INSERT INTO samples (sample_id, ${column}) VALUES (1, ${value})`),
    ).rejects.toMatchObject(refused);
    await client.query("INSERT INTO samples (sample_id) VALUES (1)");
    await expect(client.query(`UPDATE samples SET ${column} = ${value}`)).rejects.toMatchObject(refused);
    await expectSame("1");
  });

  test.each([
    '"price": 1.5',
    '"price": "1.555"',
    '"price": "10000000000.00"',
    '"price": "1e3"',
    '"price": "+1"',
    '"price": "01.00"',
    '"price": "NaN"',
    '"amount": "Infinity"',
    '"born_on": "2026-02-30"',
    '"born_on": "0000-01-01"',
    '"born_on": "2026-01-01T00:00:00Z"',
    '"blob": "QR=="',
    '"blob": "QQ"',
    '"blob": "Q Q="',
    '"code": "123456789"',
    '"code": "12345678 "',
    '"tiny": 32768',
    '"tags": ["a", null]',
    '"tags": [["a"]]',
    '"tags": ["\\ud800"]',
    '"tags": ["\\u0000"]',
    '"tags": "a"',
    '"counts": [2147483648]',
    '"totals": [1]',
    '"totals": ["9223372036854775808"]',
    '"prices": ["10000.00"]',
    '"prices": ["0.001"]',
    '"days": ["2026-02-30"]',
    '"ids": ["x"]',
    '"codes": ["123456789"]',
  ])("%s is a 422", async (member) => {
    const { status, text } = await mesh.request("POST", "/api/samples", `{"sample_id": "1", ${member}}`);
    expect(status, text).toBe(422);
    expect(JSON.parse(text).errors[0].pointer).toMatch(new RegExp(`^/${/\w+/.exec(member)}`));
  });

  test("is refused in a message, though PostgreSQL would round or cut it", async () => {
    await mesh.request("POST", "/api/samples", '{"sample_id": "7", "tags": ["a"], "code": "c"}');
    const { rows } = await mesh.lab.client.query<{ body: string }>("SELECT body FROM mesh.outbox");
    const body = rows[0]?.body ?? "";
    for (const [field, text] of [
      ["price", '"0.005"'],
      ["price", "0.01"],
      ["amount", '"1e5"'],
      ["born_on", '"2026-02-30"'],
      ["blob", '"QR=="'],
      ["code", '"more than sixteen"'],
      ["tags", '["a", null]'],
      ["tags", '["\\u0000"]'],
      ["ratios", "[1e400]"],
      ["counts", "[1.5]"],
      ["prices", '["0.001"]'],
      ["tiny", "32768"],
    ]) {
      const changed = body.replace(new RegExp(`"${field}":(\\[[^\\]]*\\]|[^,}]*)`), `"${field}":${text}`);
      await expect(mesh.apply(changed), `${field} ${text}`).rejects.toThrow(`/${field}`);
    }
    await mesh.apply(body);
  });

  test("is refused by a repository, where PostgreSQL would round it or cut blanks", async () => {
    const repository = tableRepository(mesh.pool, samples);
    for (const [field, value, reason] of [
      ["code", "12345678 ", "code has more than 8 characters"],
      ["codes", ["12345678 "], "codes has an element, number 1, that has more than 8 characters"],
      ["price", "0.005", 'price is not a decimal of 12 digits at most, 2 of them behind the point: "0.00"'],
      ["blob", "QR==", "blob is not base64"],
    ] as const) {
      await expect(repository.create({ sample_id: "1", [field]: value }), field).rejects.toThrow(reason);
      const listed = repository
        .list({ [field]: value })
        [Symbol.asyncIterator]()
        .next();
      await expect(listed, `a filter by ${field}`).rejects.toThrow(reason);
    }
  });

  test("a decimal of fewer digits is the same number, and comes back with those of its type", async () => {
    const { text } = await mesh.request(
      "POST",
      "/api/samples",
      '{"sample_id": "1", "price": "-0.5", "prices": ["3"]}',
    );
    expect(JSON.parse(text)).toMatchObject({ price: "-0.50", prices: ["3.00"] });
    await expectSame("1");
  });

  test("values are found by their texts", async () => {
    await mesh.request(
      "POST",
      "/api/samples",
      '{"sample_id": "1", "price": "1.50", "born_on": "2026-01-31", "blob": "QQ=="}',
    );
    for (const query of ["price=1.5", "born_on=2026-01-31", "blob=QQ%3D%3D", "code="])
      expect(JSON.parse((await mesh.request("GET", `/api/samples?${query}`)).text), query).toHaveLength(1);
    for (const query of ["price=x", "price=1.555", "born_on=2026-02-30", "blob=Q"])
      expect((await mesh.request("GET", `/api/samples?${query}`)).status, query).toBe(400);
    expect((await mesh.request("GET", "/api/samples?tags=a")).status).toBe(400);
  });
});

describe("verify finds differences that PostgreSQL takes for equal", () => {
  const given = '{"sample_id": "1", "doc": {"a": 1.10}, "notes": [1.0], "ratio": -0, "ratios": [-0]}';
  test.each([
    ["digits of a document", "doc", `'{"a": 1.1}'`, { told: '{"a": 1.10}', held: '{"a": 1.1}' }],
    ["digits of one that may be NULL", "notes", "'[1]'", { told: "[1.0]", held: "[1]" }],
    ["the sign of zero", "ratio", "0", { told: "-0", held: "0" }],
    ["zeros at the end of a numeric without limits", "amount", "1.1", { told: '"1.10"', held: '"1.1"' }],
    ["the sign of zero within a list", "ratios", "'{0}'", { told: "[-0]", held: "[0]" }],
  ])("%s", async (_, column, wrong, { told, held }) => {
    await mesh.request("POST", "/api/samples", given);
    await mesh.carry();
    expect(await mesh.verify()).toMatchObject({ differing: 0 });
    await mesh.archive.client.query(`UPDATE sample_cache SET ${column} = ${wrong}`);
    const { differing, sample } = await mesh.verify();
    expect(differing).toBe(1);
    expect(sample[0]?.sourceText).toContain(`"${column}":${told}`);
    expect(sample[0]?.cacheText).toContain(`"${column}":${held}`);
    await mesh.snapshot();
    expect(await mesh.verify()).toMatchObject({ differing: 0 });
  });

  test("a document that is null", async () => {
    await mesh.request("POST", "/api/samples", '{"sample_id": "1", "doc": null}');
    await mesh.carry();
    expect(await mesh.verify()).toMatchObject({ differing: 0 });
    await mesh.archive.client.query("UPDATE sample_cache SET doc = '{}'");
    expect(await mesh.verify()).toMatchObject({ differing: 1 });
  });
});

describe("JSON", () => {
  test.each([
    ['{"id": 1189733241589370990}', '{"id": 1189733241589370990}'],
    ["[0.1000000000000000055511151231257827, 1.10]", "[0.1000000000000000055511151231257827, 1.10]"],
    ['{"a": 1, "a": 2.50}', '{"a": 2.50}'],
    ['{"__proto__": {"x": 1.0}}', '{"__proto__": {"x": 1.0}}'],
    ["null", "null"],
  ])("%s stays itself", async (doc, stored) => {
    await mesh.request("POST", "/api/samples", `{"doc": 0, "sample_id": "1", "doc": ${doc}}`);
    const { rows } = await mesh.lab.client.query("SELECT doc::text FROM samples");
    expect(rows).toEqual([{ doc: stored }]);
    await expectSame("1");
  });

  test("null in a column that may be NULL is NULL, and refused where SQL means the JSON value", async () => {
    await mesh.request("POST", "/api/samples", '{"sample_id": "1", "notes": null}');
    const refusal = { code: "23514", constraint: "samples_notes_travels" };
    const { client } = mesh.lab;
    await expect(client.query("UPDATE samples SET notes = 'null'")).rejects.toMatchObject(refusal);
    await client.query(`UPDATE samples SET notes = '[null]', doc = 'null'`);
    await expectSame("1");
    await client.query("UPDATE samples SET notes = NULL");
    const { rows } = await client.query("SELECT notes IS NULL AS nothing, doc::text FROM samples");
    expect(rows).toEqual([{ nothing: true, doc: "null" }]);
    await expectSame("1");
  });

  test("a change of digits alone is emitted", async () => {
    await mesh.request("POST", "/api/samples", '{"sample_id": "1", "doc": {"a": 1.1}, "ratio": 0}');
    await mesh.carry();
    await mesh.request("PATCH", "/api/samples/1", '{"doc": {"a": 1.10}, "ratio": -0}');
    await expectSame("1");
    const { rows } = await mesh.archive.client.query("SELECT doc::text, ratio::text FROM sample_cache");
    expect(rows).toEqual([{ doc: '{"a": 1.10}', ratio: "-0" }]);
  });
});

describe("moments", () => {
  const due = async () =>
    (
      await mesh.lab.client.query(
        "SELECT due_at::text, told_at AT TIME ZONE 'UTC' = due_at AS same FROM samples",
      )
    ).rows[0];
  test("an offset is heeded by POST, PATCH, filters and defaults", async () => {
    await mesh.request("POST", "/api/samples", '{"sample_id": "1"}');
    expect(await due()).toMatchObject({ due_at: "2026-01-01 10:00:00" });
    await mesh.request(
      "PATCH",
      "/api/samples/1",
      '{"due_at": "2026-01-01T12:00:00.000001+02:00", "told_at": "2026-01-01t10:00:00.000001z"}',
    );
    expect(await due()).toEqual({ due_at: "2026-01-01 10:00:00.000001", same: true });
    for (const text of [
      "2026-01-01T12:00:00.000001%2B02",
      "2026-01-01T10:00:00.000001",
      "2026-01-01%2005:00:00.000001-0500",
    ]) {
      expect((await mesh.request("GET", `/api/samples?due_at=${text}`)).text, text).toContain('"sample_id"');
      expect((await mesh.request("GET", `/api/samples?told_at=${text}`)).text, text).toContain('"sample_id"');
    }
    for (const text of [
      "2026-02-30T00:00:00%2B02:00",
      "tomorrow",
      "2026-01-01T23:59:60Z",
      "9999-12-31T23:59:59.9999995Z",
      "9999-12-31T19:59:59.9999999-04:00",
    ])
      expect((await mesh.request("GET", `/api/samples?due_at=${text}`)).status, text).toBe(400);
  });

  test("the present moment is UTC, whatever the session of the writer says", async () => {
    const client = await mesh.lab.connect();
    await client.query(`${ODD_SESSION}; INSERT INTO samples (sample_id) VALUES (1)`);
    const { rows } = await mesh.lab.client.query(
      "SELECT abs(extract(epoch FROM taken_at - now() AT TIME ZONE 'UTC')) < 60 AS right FROM samples",
    );
    expect(rows).toEqual([{ right: true }]);
    await expectSame("1");
  });

  test("a condition on a moment and a wide number is met by the values that mean them", async () => {
    await mesh.request("POST", "/api/samples", '{"sample_id": "1", "due_at": "2020-01-01T00:00:00Z"}');
    await mesh.carry();
    await mesh.request(
      "PATCH",
      "/api/samples/1",
      '{"due_at": "2026-01-01T10:00:00Z", "wide": "-9223372036854775808", "born_on": "2026-01-31"}',
    );
    const { rows } = await mesh.lab.client.query("SELECT subject FROM mesh.outbox ORDER BY seq");
    expect(rows.map(({ subject }) => subject)).toContain("lab.sample.1.due");
  });
});
