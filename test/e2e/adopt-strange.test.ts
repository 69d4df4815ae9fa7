import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { ROOT } from "../support/compile.js";
import { makeProject } from "../support/generated-project.js";
import { mesh, meshWith, startDevWith } from "../support/mesh-command.js";
import { dumpSchema } from "../support/pg-dump.js";
import { createDatabase, waitFor } from "../support/servers.js";

/*
 * A database of the types that old ones are full of: CHAR as key and reference, REAL, JSON as text, domains over these, and
 * types that mesh.yaml has no word for. It is adopted as it is, copied, written by SQL and REST, and left again.
 */

const SCHEMA = readFileSync(join(ROOT, "test/scenarios/adopt/strange/schema.sql"), "utf8");
const ROWS = `
INSERT INTO currencies VALUES ('EUR', 'Euro', 1, '€'), ('X', 'Test', '1e-45', NULL), ('JPY', 'Yen', 161.5, NULL);
INSERT INTO countries VALUES ('DE', 'EUR', NULL, 357022.13, '{a,bc}'), ('JP', 'JPY', 'DE', 377973.9, '{}');
INSERT INTO regions VALUES ('DE', 'BY', 10.5), ('DE', 'A:B', NULL), ('DE', ' %', 1);
INSERT INTO sensors (level, history, config, meta) VALUES (0.1, '{0.1,1e-45,3.4028235e38}', '{"a": 1,  "a": 2.50}', '{ "b":1,"a":[1.10] }'), (1048576.25, '{}', NULL, 'null');
INSERT INTO employees VALUES ('B1', NULL, 0.5), ('B2', 'B1', 0.25);
INSERT INTO papers VALUES ('a', '{"z":1,"a":  2}', '{"k":1.10}', '<a/>', '(1,2)');
INSERT INTO raws VALUES ('A', '{"a":1}', '<a/>');
INSERT INTO hosts VALUES ('Alpha', '10.0.0.1');
INSERT INTO fees VALUES (1, '12.50');
INSERT INTO shapes VALUES (1, '(1,2)');
INSERT INTO odds (id, j) VALUES (1, ARRAY['{}'::json]);
`;

/** Written by hand behind what was adopted. */
const SUBSCRIBER = `
  copy:
    database: copy_db
    subscribes: [old.currency.*, old.country.*, old.region.*, old.sensor.*, old.employee.*, old.paper.*, old.raw.*]
`;
const COPIES = `
  copy_db:
    tables:
      currency_cache: { cache: old.currency, sync: { from: old, get: /api/currencies }, columns: { code: { type: char(3), key: true }, name: varchar(40), rate: number? } }
      country_cache: { cache: old.country, sync: { from: old, get: /api/countries }, columns: { code: { type: char(2), key: true }, currency: char(3), area: real, flags: "char(2)[]" } }
      region_cache: { cache: old.region, sync: { from: old, get: /api/regions }, key: [country, part], columns: { country: char(2), part: text, price: "numeric(10,2)?" } }
      sensor_cache: { cache: old.sensor, sync: { from: old, get: /api/sensors }, columns: { id: { type: bigint, key: true }, kind: text, level: real, history: "real[]", config: json?, meta: json } }
      employee_cache: { cache: old.employee, sync: { from: old, get: /api/employees }, columns: { badge: { type: text, key: true }, boss: text?, score: real? } }
      paper_cache: { cache: old.paper, sync: { from: old, get: /api/papers }, columns: { doc_id: { type: text, key: true }, body: json, extra: json? } }
      raw_cache: { cache: old.raw, sync: { from: old, get: /api/raws }, columns: { code: { type: char(2), key: true }, raw: json? } }
      listings: { columns: { listing_id: { type: nanoid, key: true }, currency: char(3) } }
`;
/** Events that compare what has no equality in PostgreSQL, or another one than numbers that are written down. */
const EVENTS = `
  old.sensor.{id}.hot:
    event: SensorHot
    emit: { table: sensors, on: update, when: { level: 0.1, kind: hum } }
    payload: { id: bigint, level: { type: number, maximum: 0.1 } }
    change: none
  old.sensor.{id}.configured:
    event: SensorConfigured
    emit: { table: sensors, on: update, of: [config] }
    payload: { id: bigint, config: json? }
    change: none
  old.raw.{id}.touched:
    event: RawTouched
    emit: { table: raws, on: update }
    payload: { code: string }
    change: none
cascades:
  - { on: old.currency.deleted, service: copy, delete: listings.currency }
`;

let folder: string;
const urls: Record<string, string> = {};
const clients: Record<string, pg.Client> = {};
const env = () => ({ OLD_DB_URL: urls.old, COPY_DB_URL: urls.copy });
const file = () => join(folder, "mesh.yaml");

beforeAll(async () => {
  folder = makeProject();
  for (const name of ["old", "copy"]) {
    const url = await createDatabase(inject("postgres"), name);
    urls[name] = url;
    clients[name] = new pg.Client({ connectionString: url });
    await clients[name].connect();
  }
  await sql("old", SCHEMA + ROWS);
});
afterAll(async () => {
  for (const client of Object.values(clients)) await client.end();
  rmSync(folder, { recursive: true, force: true });
});

async function sql(name: "old" | "copy", text: string) {
  const result = await clients[name]?.query({ text, rowMode: "array" });
  return (result as pg.QueryArrayResult | undefined)?.rows;
}

test("real, char and json are adopted, domains over them too; other types are named, and their tables taken without them", async () => {
  const { code, stdout, stderr } = await mesh(folder, "adopt", urls.old ?? "", "--service", "old");
  expect(code, stderr).toBe(0);
  const left = [...stdout.matchAll(/^left out public\.(\S+): its type is (.*)$/gm)].map(
    ([, what, type]) => `${what} ${type}`,
  );
  expect(left.sort()).toEqual(
    [
      "currencies.symbol bpchar",
      "fees.price money",
      "hosts.addr inet",
      "hosts.mac macaddr",
      "hosts.mac8 macaddr8",
      "hosts.net cidr",
      "odds.at pg_lsn",
      "odds.called name",
      'odds.letter "char"',
      "odds.j json[]",
      "odds.m money[]",
      "odds.o oid",
      "odds.pair nanoid",
      "odds.ts timestamp with time zone[]",
      "papers.note xml",
      "papers.place point",
      "payments.old_amount money",
      "payments.paid_at time without time zone",
      "payments.took interval",
      "payments.until time with time zone",
      "raws.doc xml",
      "raws.place point",
      "searches.bits bit varying(8)",
      "searches.during tstzrange",
      "searches.flags bit(4)",
      "searches.span int4range",
      "searches.words tsvector",
      "shapes.b box",
      "shapes.c circle",
      "shapes.l line",
      "shapes.p point",
      "shapes.path path",
      "shapes.poly polygon",
      "shapes.seg lseg",
    ].sort(),
  );
  expect(stdout).toMatch(/^left out public\.addresses: its key "ip" is inet/m);
  expect(stdout).toMatch(/^left out public\.levels: its key "level" is real/m);
  expect(stdout).toMatch(/^left out public\.countries \(loose\): a foreign key/m);
  const text = readFileSync(file(), "utf8");
  for (const line of [
    "code: { type: char(3), key: true }",
    "code: { type: char(2), key: true }",
    "currency: { type: char(3), references: currencies }",
    "neighbour: char(2)?",
    "area: { type: real, defaulted: true }",
    'flags: { type: "char(2)[]", defaulted: true }',
    "price: numeric(10,2)?",
    "kind: { type: char(4), defaulted: true, one_of: [temp, hum, lux] }",
    'history: { type: "real[]", defaulted: true }',
    "config: json?",
    "boss: { type: char(8), null: true, references: employees, on_delete: set_null }",
  ])
    expect(text).toContain(line);
  const again = await mesh(folder, "adopt", urls.old ?? "", "--service", "old");
  expect(again.code, again.stdout + again.stderr).toBe(0);
});

test("a char that the file calls otherwise is told, with its length", async () => {
  const adopted = readFileSync(file(), "utf8");
  writeFileSync(
    file(),
    adopted
      .replace("kind: { type: char(4)", "kind: { type: varchar(4)")
      .replace("level: real\n", "level: number\n")
      .replace("part: char(3)", "part: char(2)"),
  );
  await mesh(folder, "generate");
  const { code, stderr } = await meshWith(folder, env(), "migrate", "old");
  expect(code).not.toBe(0);
  expect(stderr).toContain("it is character(4), not character varying(4)");
  expect(stderr).toContain("it is real, not double precision");
  expect(stderr).toContain("it is character(3), not character(2)");
  writeFileSync(file(), adopted);
});

test("values are the same in owner, copy and answer, whoever writes; what a copy cannot hold is refused", async () => {
  const before = await dumpSchema(urls.old ?? "");
  rmSync(join(folder, "generated"), { recursive: true, force: true });
  const text = readFileSync(file(), "utf8");
  writeFileSync(
    file(),
    text
      .replace("\ndatabases:\n", `${SUBSCRIBER}\ndatabases:\n`)
      .replace("\nsubjects:\n", `${COPIES}\nsubjects:\n`),
  );
  appendFileSync(file(), EVENTS);
  const generated = await mesh(folder, "generate");
  expect(generated.code, generated.stderr).toBe(0);
  const dev = await startDevWith(folder, env(), join(folder, ".mesh"));
  try {
    const { endpoints } = dev;
    const request = async (method: string, path: string, body?: string) => {
      const response = await fetch(`${endpoints.services.old?.http}${path}`, {
        method,
        headers: { authorization: `Bearer ${endpoints.service_key}`, "content-type": "application/json" },
        ...(body === undefined ? {} : { body }),
      });
      return { status: response.status, text: await response.text() };
    };
    const copies = async () => [
      await sql("copy", "SELECT code::text, name, rate::text FROM currency_cache ORDER BY 1"),
      await sql(
        "copy",
        "SELECT code::text, currency::text, area::text, flags::text[] FROM country_cache ORDER BY 1",
      ),
      await sql("copy", "SELECT country::text, part::text, price::text FROM region_cache ORDER BY 1, 2"),
      await sql(
        "copy",
        "SELECT id::text, kind::text, level::text, history::text, config::text, meta::text FROM sensor_cache ORDER BY 1",
      ),
      await sql("copy", "SELECT badge::text, boss::text, score::text FROM employee_cache ORDER BY 1"),
      await sql("copy", "SELECT doc_id, body::text, extra::text FROM paper_cache ORDER BY 1"),
      await sql("copy", "SELECT code::text, raw::text FROM raw_cache ORDER BY 1"),
    ];
    const owned = async () => [
      // The copy is of double precision, and holds the same decimal.
      await sql("old", "SELECT code::text, name, rate::text::float8::text FROM currencies ORDER BY 1"),
      await sql(
        "old",
        "SELECT code::text, currency::text, area::text, flags::text[] FROM countries ORDER BY 1",
      ),
      await sql("old", "SELECT country::text, part::text, price::text FROM regions ORDER BY 1, 2"),
      await sql(
        "old",
        "SELECT id::text, kind::text, level::text, history::text, config::jsonb::text, meta::jsonb::text FROM sensors ORDER BY 1",
      ),
      await sql(
        "old",
        "SELECT badge::text, boss::text, score::text FROM employees WHERE deleted_at IS NULL ORDER BY 1",
      ),
      await sql("old", "SELECT doc_id, body::jsonb::text, extra::text FROM papers ORDER BY 1"),
      await sql("old", "SELECT code::text, raw::jsonb::text FROM raws ORDER BY 1"),
    ];
    const converge = () =>
      waitFor(async () => JSON.stringify(await copies()) === JSON.stringify(await owned()), {
        timeoutMs: 60_000,
        what: "the copies to be as their owner",
      });
    await converge();

    // A change of blanks alone is none; one of a column that the file does not name is one of the row.
    for (const statement of [
      `UPDATE raws SET raw = '{"a":  1}'`,
      "UPDATE raws SET doc = '<b/>', place = '(1,1)'",
      `UPDATE sensors SET config = '{"a":2.5}', level = 0.2 WHERE id = 1`,
      `UPDATE sensors SET config = '{ "a" : 2.5 }' WHERE id = 1`,
      "UPDATE sensors SET level = 0.1, kind = 'hum' WHERE id = 1",
      "INSERT INTO currencies VALUES ('Y', 'Y', 3.4028235e38)",
      "UPDATE employees SET deleted_at = now() WHERE badge = 'B1'",
      "UPDATE employees SET boss = NULL, score = 0.30000001 WHERE badge = 'B2'",
      "INSERT INTO regions VALUES ('JP', 'x  ', 5)",
      "UPDATE countries SET flags = '{z}', neighbour = 'JP' WHERE code = 'DE'",
      "INSERT INTO payments (currency, old_amount) VALUES ('EUR', '1.00')",
      "INSERT INTO hosts (name, addr) VALUES ('b', '::1')",
      "UPDATE shapes SET p = '(3,2)', c = '<(1,1),2>'",
      "UPDATE odds SET j = ARRAY['[]'::json], pair = (1, 2)",
      "UPDATE searches SET words = 'a b'",
      "DELETE FROM fees",
    ])
      await sql("old", statement);
    const told = () =>
      dev.output().match(/published old\.(sensor\.1\.(hot|configured)|raw\.A\.touched)/g) ?? [];
    await waitFor(async () => told().length >= 4, { timeoutMs: 30_000, what: "the events" });
    for (const statement of [
      "INSERT INTO currencies VALUES ('Z', 'Z', 'NaN')",
      "INSERT INTO currencies VALUES (' ', 'blank', 1)",
      `INSERT INTO papers VALUES ('n', '{"a": "\\u0000"}')`,
      `INSERT INTO papers VALUES ('n', '{"a": "\\ud800"}')`,
      `INSERT INTO papers VALUES ('n', '{"a": 1e400000}')`,
      "UPDATE sensors SET config = 'null' WHERE id = 1",
    ])
      await expect(sql("old", statement), statement).rejects.toThrow();

    expect(
      (await request("POST", "/api/currencies", '{"code": "ab", "name": "n", "rate": 0.1}')).status,
    ).toBe(201);
    for (const [body, reason] of [
      ['{"code": "ac ", "name": "n"}', "has a blank at its end"],
      ['{"code": "abcd", "name": "n"}', "more than 3 characters"],
      ['{"code": "", "name": "n"}', "fewer than 1 characters"],
      ['{"code": "ad", "name": "n", "rate": 0.123456789}', "single precision"],
      ['{"code": "ad", "name": "n", "rate": 1e39}', "single precision"],
    ] as const) {
      const { status, text: problem } = await request("POST", "/api/currencies", body);
      expect([status, problem], body).toEqual([422, expect.stringContaining(reason)]);
    }
    expect(await request("GET", "/api/currencies/ab")).toEqual({
      status: 200,
      text: '{"code":"ab","name":"n","rate":0.1}',
    });
    expect((await request("GET", "/api/currencies/ab%20")).status).toBe(404);
    expect((await request("GET", "/api/currencies?rate=0.1")).text).toContain('"ab"');
    expect((await request("GET", "/api/regions/JP:x")).text).toBe(
      '{"country":"JP","part":"x","price":"5.00"}',
    );
    expect(
      (await request("PATCH", "/api/sensors/2", '{"config": {"b": 1.10}, "level": 1048576.2}')).status,
    ).toBe(200);
    expect((await request("POST", "/api/fees", '{"id": 5}')).text).toContain("price must have a value");
    await converge();
    expect(told().sort()).toEqual([
      "published old.raw.A.touched",
      "published old.raw.A.touched",
      "published old.sensor.1.configured",
      "published old.sensor.1.hot",
    ]);

    // A row names a currency that goes, begins to name it, and comes too late.
    await sql("copy", "INSERT INTO listings VALUES ('l1', 'ab'), ('l2', 'EUR')");
    expect((await request("DELETE", "/api/currencies/ab")).status).toBe(204);
    await converge();
    expect(await sql("copy", "SELECT listing_id FROM listings")).toEqual([["l2"]]);
    await expect(sql("copy", "INSERT INTO listings VALUES ('l3', 'ab')")).rejects.toThrow("is deleted");
    await expect(sql("copy", "UPDATE listings SET currency = 'ab'")).rejects.toThrow("is deleted");

    const verify = () => meshWith(folder, env(), "verify");
    expect((await verify()).code).toBe(0);
    await sql("copy", "UPDATE currency_cache SET rate = 0.10000001 WHERE code = 'EUR'");
    await sql("copy", `UPDATE sensor_cache SET config = '{"b": 1.1}' WHERE id = 2`);
    await sql("copy", "DELETE FROM region_cache WHERE part = 'x'");
    const found = await verify();
    expect([found.code, found.stdout]).toEqual([1, expect.stringMatching(/missing +JP:x/)]);
    expect(found.stdout).toMatch(/differing EUR/);
    expect(found.stdout).toMatch(/differing 2/);
    const healed = await meshWith(folder, env(), "resync", "copy");
    expect(healed.code, healed.stderr).toBe(0);
    await converge();
    expect((await verify()).code).toBe(0);
  } finally {
    await dev.end();
  }
  const detached = await meshWith(folder, env(), "detach", "old", "--drop-events");
  expect(detached.code, detached.stderr).toBe(0);
  expect(await dumpSchema(urls.old ?? "")).toEqual(before);
}, 240_000);
