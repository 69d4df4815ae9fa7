import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeProject } from "../support/generated-project.js";
import { mesh, type RunningDev, startDev } from "../support/mesh-command.js";
import { waitFor } from "../support/reference-mesh.js";

/*
 * What a message cannot tell is refused at its owner: by PostgreSQL whoever writes the row, by REST with a problem
 * that names the field, and at last by the owner's relay. No subscriber ever has a dead letter of it.
 */

const MESH = `
mesh: strict
services:
  shop:
    database: shop_db
    publishes: [shop.*]
    http: { port: 8081, resources: { /api/items: items } }
  desk:
    database: desk_db
    subscribes: [shop.item.*]
    http: { port: 8082, resources: { /api/items: item_cache } }
databases:
  shop_db:
    tables:
      items:
        columns: &columns
          id: { type: text, key: true }
          code: { type: text, null: true }
          word: { type: text, null: true }
          ratio: { type: number, null: true }
          count: { type: integer, null: true }
          due_at: { type: timestamp, null: true }
          settings: { type: json, null: true }
  desk_db:
    tables:
      item_cache:
        cache: shop.item
        sync: { from: shop, get: /api/items, every: 1h }
        columns: *columns
subjects:
  shop.item.{id}.created: &event
    event: ItemCreated
    emit: { table: items, on: insert }
    payload: &payload
      id: string
      code: { type: string, pattern: "^[a-z]{2,4}$", optional: true }
      word: { type: string, pattern: "^(.)\\\\1$", optional: true }
      ratio: { type: number, minimum: 0, multipleOf: 0.01, optional: true }
      count: { type: integer, enum: [1, 2, 3], optional: true }
      due_at: timestamp?
      settings:
        type: object
        required: [size]
        properties: { size: { type: integer, minimum: 1 } }
        optional: true
  shop.item.{id}.updated: { event: ItemUpdated, emit: { table: items, on: update }, payload: *payload }
  shop.item.{id}.deleted: { event: ItemDeleted, emit: { table: items, on: delete }, payload: { id: string } }
`;

let folder: string;
let dev: RunningDev;
let shop: pg.Pool;
let desk: pg.Pool;

beforeAll(async () => {
  folder = makeProject();
  writeFileSync(join(folder, "mesh.yaml"), MESH.replace("&event\n", "\n"));
  const generated = await mesh(folder, "generate");
  expect(generated.code, generated.stdout + generated.stderr).toBe(0);
  dev = await startDev(folder, join(folder, ".mesh"));
  const pool = (name: string) => new pg.Pool({ connectionString: dev.endpoints.databases[name], max: 2 });
  [shop, desk] = [pool("shop_db"), pool("desk_db")];
  for (const one of [shop, desk]) one.on("error", () => undefined);
}, 120_000);

afterAll(async () => {
  await Promise.all([shop?.end(), desk?.end()]);
  await dev?.end();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

async function call(method: string, path: string, body: unknown) {
  const response = await fetch(`${dev.endpoints.services.shop?.http}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${dev.endpoints.service_key}`,
      "content-type": "application/json",
    },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await response.text();
  const answer = text === "" ? {} : (JSON.parse(text) as { errors?: { pointer: string }[] });
  const pointers = answer.errors && [...new Set(answer.errors.map(({ pointer }) => pointer))];
  return { status: response.status, pointers };
}

const rows = async (pool: pg.Pool, table: string) =>
  new Map(
    (await pool.query(`SELECT id, row_to_json(t)::text AS row FROM ${table} AS t`)).rows.map((row) => [
      row.id,
      row.row,
    ]),
  );
const letters = async (pool: pg.Pool) =>
  (
    await pool.query(
      "SELECT id, durable, entity_id, error FROM mesh.dead_letter WHERE settled_as IS NULL ORDER BY id",
    )
  ).rows;
const outbox = async () => (await shop.query("SELECT FROM mesh.outbox")).rowCount;

async function told(id: string) {
  await waitFor(async () => (await desk.query("SELECT FROM item_cache WHERE id = $1", [id])).rowCount === 1, {
    what: `${id} in the copy`,
  });
}

describe("REST answers 422, and names the field", () => {
  test.each([
    ["a number that is none", '{"id":"a","ratio":1e400}', ["/ratio"]],
    ["a NaN", { id: "a", ratio: "NaN" }, ["/ratio"]],
    ["a moment that is none", { id: "a", due_at: "infinity" }, ["/due_at"]],
    ["a pattern", { id: "a", code: "Nope" }, ["/code"]],
    ["a pattern that SQL cannot say", { id: "a", word: "ab" }, ["/word"]],
    ["an enum", { id: "a", count: 4 }, ["/count"]],
    ["a multiple", { id: "a", ratio: 0.005 }, ["/ratio"]],
    ["a nested document", { id: "a", settings: { size: 0 } }, ["/settings/size"]],
    ["several at once", { id: "a", code: "Nope", settings: {} }, ["/code", "/settings/size"]],
  ])("%s", async (_, body, pointers) => {
    expect(await call("POST", "/api/items", body)).toEqual({ status: 422, pointers });
    await shop.query("INSERT INTO items (id) VALUES ('there') ON CONFLICT DO NOTHING");
    const patch = typeof body === "string" ? body.replace('"id":"a",', "") : { ...body, id: undefined };
    expect(await call("PATCH", "/api/items/there", patch)).toEqual({ status: 422, pointers });
  });

  test("and accepts a valid value", async () => {
    const item = {
      id: "fine",
      code: "abc",
      word: "aa",
      ratio: 0.07,
      count: 3,
      settings: { size: 1, more: [1] },
    };
    expect((await call("POST", "/api/items", item)).status).toBe(201);
    expect((await call("PATCH", "/api/items/fine", { word: null, settings: null })).status).toBe(200);
    await told("fine");
  });
});

test("plain SQL that breaks a nested schema becomes a dead letter of the owner's outbox, and delays no other entity", async () => {
  await shop.query(`INSERT INTO items (id, word) VALUES ('bad', 'ab')`);
  await shop.query(
    `INSERT INTO items (id, settings) VALUES ('deep', '{"size": "large"}'), ('good', '{"size": 1}')`,
  );
  await told("good");
  await waitFor(async () => (await letters(shop)).length === 2, { what: "the dead letters" });
  expect(await letters(shop)).toMatchObject([
    {
      durable: "outbox",
      entity_id: "bad",
      error: expect.stringMatching(/^not a valid ItemCreated: \/word must match/),
    },
    {
      durable: "outbox",
      entity_id: "deep",
      error: expect.stringContaining("/settings/size must be integer"),
    },
  ]);
  expect(await letters(desk)).toEqual([]);
  const status = await mesh(folder, "status");
  expect(status).toMatchObject({ code: 1, stdout: expect.stringContaining("2 dead letters of its outbox") });
  const [first] = await letters(shop);
  const refused = JSON.parse((await mesh(folder, "dlq", "redrive", "shop", first.id, "--json")).stdout);
  expect(refused.redriven[0]).toMatchObject({
    outcome: "refused",
    reason: expect.stringContaining("/word must match"),
  });
  // Its next event is published.
  await shop.query("UPDATE items SET word = 'bb' WHERE id = 'bad'");
  await told("bad");
  // As after a release whose schema allows the value.
  await shop.query(
    "UPDATE mesh.dead_letter SET body = convert_to(replace(convert_from(body, 'UTF8'), '\"ab\"', '\"cc\"'), 'UTF8') WHERE id = $1",
    [first.id],
  );
  const queued = JSON.parse((await mesh(folder, "dlq", "redrive", "shop", first.id, "--json")).stdout);
  expect(queued.redriven[0]).toMatchObject({ outcome: "queued" });
  await waitFor(async () => (await outbox()) === 0, { what: "the outbox" });
  // Older than what was published since.
  expect((await rows(desk, "item_cache")).get("bad")).toContain('"word":"bb"');
  expect(await mesh(folder, "dlq", "discard", "shop", "--all")).toMatchObject({ code: 0 });
  await shop.query("DELETE FROM items WHERE id IN ('bad', 'deep')");
  expect(await mesh(folder, "status")).toMatchObject({ code: 0 });
});

describe("any row that plain SQL can commit", () => {
  const text = fc.constantFrom("ab", "abcd", "aa", "éé", "A", "", "a\n", "😀😀", "\u2028\u2028");
  const rarely = <T>(value: fc.Arbitrary<T>) =>
    fc.oneof({ arbitrary: fc.constant(null), weight: 4 }, { arbitrary: value, weight: 2 });
  const drawn = fc.record({
    code: rarely(text),
    word: rarely(text),
    ratio: rarely(
      fc.oneof(fc.constantFrom("NaN", "Infinity", "-1", "0.07", "0.005", "1e308"), fc.double().map(String)),
    ),
    count: rarely(fc.integer({ min: 0, max: 4 })),
    due_at: rarely(
      fc.constantFrom(
        "infinity",
        "-infinity",
        "2026-01-01",
        "10000-01-01",
        "0001-01-01 BC",
        "9999-12-31 23:59:59.999999",
      ),
    ),
    settings: rarely(
      fc.constantFrom(
        "{}",
        "[]",
        "null",
        "1",
        '{"size": 1}',
        '{"size": 0}',
        '{"size": "x"}',
        '{"size": 2, "a": {"b": [null]}}',
      ),
    ),
  });
  let number = 0;

  test("is applied exactly, or becomes a dead letter of the owner", async () => {
    let committed = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(drawn, drawn), { minLength: 5, maxLength: 10 }), async (pairs) => {
        const ids: string[] = [];
        for (const [made, changed] of pairs) {
          const id = `p${number++}`;
          const values = (each: typeof made) => [
            id,
            each.code,
            each.word,
            each.ratio,
            each.count,
            each.due_at,
            each.settings,
          ];
          const refuse = (error: { code?: string }) => {
            expect(["23514", "22003"]).toContain(error.code);
            return undefined;
          };
          const inserted = await shop
            .query(
              "INSERT INTO items (id, code, word, ratio, count, due_at, settings) VALUES ($1, $2, $3, $4, $5, $6, $7)",
              values(made),
            )
            .catch(refuse);
          if (inserted === undefined) continue;
          ids.push(id);
          await shop
            .query(
              "UPDATE items SET code = $2, word = $3, ratio = $4, count = $5, due_at = $6, settings = $7 WHERE id = $1",
              values(changed),
            )
            .catch(refuse);
        }
        committed += ids.length;
        await shop.query("INSERT INTO items (id) VALUES ($1)", [`end${number}`]);
        await waitFor(async () => (await outbox()) === 0, { what: "the outbox" });
        await told(`end${number}`);
        const [owned, copied, deadLetters] = await Promise.all([
          rows(shop, "items"),
          rows(desk, "item_cache"),
          letters(shop),
        ]);
        const refused = new Set(deadLetters.map((letter) => letter.entity_id));
        await waitFor(
          async () => {
            const now = await rows(desk, "item_cache");
            return ids.every((id) => refused.has(id) || now.get(id) === owned.get(id));
          },
          {
            what: `the copy to equal its owner: ${JSON.stringify([...owned].filter(([id, row]) => ids.includes(id) && copied.get(id) !== row))}`,
          },
        );
        for (const { error } of deadLetters) expect(error).toMatch(/\/word must match|\/settings\/size/);
        expect(await letters(desk)).toEqual([]);
      }),
      { numRuns: Number(process.env.PROPERTY_RUNS ?? 30) },
    );
    expect(committed).toBeGreaterThan(10);
  }, 120_000);
});
