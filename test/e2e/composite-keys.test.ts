import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "nats";
import type pg from "pg";
import { expect, inject, test } from "vitest";
import { afterTest, openClient } from "../support/after-test.js";
import { ROOT } from "../support/compile.js";
import { testProject } from "../support/generated-project.js";
import { mesh, operatorUrl, type RunningDev, startDevWith } from "../support/mesh-command.js";
import { createDatabase, waitFor } from "../support/servers.js";

/*
 * Keys of several columns as a team meets them: `mesh dev` with plain SQL beside it, a service that is killed, and an
 * owner that is written by hand.
 */

const HOOKS = `export const dispatchHooks = { async freeShelf() {} };\n`;

async function project(text: string, hooks: Readonly<Record<string, string>> = {}): Promise<string> {
  const folder = testProject();
  writeFileSync(join(folder, "mesh.yaml"), text);
  mkdirSync(join(folder, "hooks"));
  for (const [name, code] of Object.entries(hooks)) writeFileSync(join(folder, "hooks", name), code);
  const generated = await mesh(folder, "generate");
  expect(generated.code, generated.stderr).toBe(0);
  return folder;
}

const scenario = () => readFileSync(join(ROOT, "test/scenarios/emit/composite-keys/mesh.yaml"), "utf8");

async function start(folder: string, env: NodeJS.ProcessEnv = {}): Promise<RunningDev> {
  const dev = await startDevWith(folder, env, join(folder, ".mesh"));
  afterTest(() => dev.end());
  return dev;
}

const seen = (client: pg.Client, sql: string, rows: unknown) =>
  waitFor(async () => JSON.stringify((await client.query(sql)).rows) === JSON.stringify(rows), {
    timeoutMs: 60_000,
    what: `${sql} to give ${JSON.stringify(rows)}`,
  });

test("copies fill from rows that were there, follow plain SQL through kill -9, and are healed by a resync", {
  timeout: 170_000,
}, async () => {
  const folder = await project(scenario(), { "dispatch.ts": HOOKS });
  const url = await createDatabase(inject("postgres"), "stock");
  const stock = await openClient(url);
  await stock.query(`CREATE TABLE people (person_id TEXT PRIMARY KEY);
    CREATE TABLE levels (site INTEGER, sku TEXT, pieces BIGINT NOT NULL, checked_by TEXT REFERENCES people ON DELETE SET NULL, PRIMARY KEY (site, sku));
    INSERT INTO levels SELECT n % 5, 'a:' || n, n FROM generate_series(1, 2000) AS n`);
  const dev = await start(folder, { STOCK_DB_URL: url });
  const { databases, services, service_key: key } = dev.endpoints;
  const shop = await openClient(databases.shop_db);
  const dispatch = await openClient(databases.dispatch_db);
  const nats = await connect({ servers: operatorUrl(dev.endpoints) });
  afterTest(() => nats.close());
  const heard: string[] = [];
  nats.subscribe("shop.line.*.*", { callback: (_, { subject }) => void heard.push(subject) });
  await nats.flush();

  await seen(dispatch, "SELECT count(*)::int, sum(pieces)::int FROM level_cache", [
    { count: 2000, sum: 2001000 },
  ]);
  await shop.query("INSERT INTO orders SELECT 'o:' || n FROM generate_series(1, 300) AS n");
  await dispatch.query("INSERT INTO picks SELECT n % 7, 'o:' || n FROM generate_series(1, 300) AS n");
  const writing = (async () => {
    for (let line = 1; line <= 10; line += 1)
      await shop.query("INSERT INTO order_lines SELECT order_id, $1::int, 's' || $1::int, 1 FROM orders", [
        line,
      ]);
    await shop.query("UPDATE order_lines SET quantity = 2 WHERE line_no = 3");
    await shop.query("DELETE FROM order_lines WHERE line_no = 4");
    await shop.query("DELETE FROM orders WHERE order_id IN ('o:1', 'o:2')");
  })();
  await seen(dispatch, "SELECT count(*) > 0 AS some FROM line_cache", [{ some: true }]);
  process.kill(dev.servicePid("dispatch"), "SIGKILL");
  await writing;
  const sums = "SELECT count(*)::int, sum(quantity)::int, sum(line_no)::int";
  const { rows: wanted } = await shop.query(`${sums} FROM order_lines`);
  await seen(dispatch, `${sums} FROM line_cache`, wanted);
  await seen(dispatch, "SELECT count(*)::int FROM picks", [{ count: 298 }]);
  expect(heard).toContain("shop.line.o%253A7:3.updated");

  const ask = (path: string, init: RequestInit = {}) =>
    fetch(`${services.shop?.http}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    });
  expect(await (await ask("/order-lines/o%253A7:3")).json()).toMatchObject({
    order_id: "o:7",
    line_no: 3,
    quantity: 2,
  });
  expect((await ask("/order-lines/o%253A7:3", { method: "PATCH", body: '{"quantity": 9}' })).status).toBe(
    200,
  );
  expect((await ask("/order-lines/o%253A7:5", { method: "DELETE" })).status).toBe(204);
  await seen(
    dispatch,
    "SELECT line_no, quantity FROM line_cache WHERE order_id = 'o:7' AND line_no IN (3, 5)",
    [{ line_no: 3, quantity: 9 }],
  );

  await stock.query("UPDATE levels SET pieces = 0 WHERE sku = 'a:7'; DELETE FROM levels WHERE sku = 'a:8'");
  await seen(dispatch, "SELECT sku, pieces FROM level_cache WHERE sku IN ('a:7', 'a:8')", [
    { sku: "a:7", pieces: "0" },
  ]);
  await dispatch.query(
    "DELETE FROM level_cache WHERE site = 1; UPDATE line_cache SET sku = 'wrong' WHERE line_no = 1; INSERT INTO line_cache VALUES ('none', 1, 'x', 1)",
  );
  const broken = await mesh(folder, "verify", "dispatch");
  expect(broken.code, broken.stdout).toBe(1);
  expect(broken.stdout).toContain("none:1");
  const healed = await mesh(folder, "resync", "dispatch");
  expect(healed.code, healed.stdout + healed.stderr).toBe(0);
  const verified = await mesh(folder, "verify", "dispatch");
  expect(verified.code, verified.stdout).toBe(0);
  expect((await dispatch.query("SELECT FROM mesh.dead_letter")).rowCount).toBe(0);
  const traced = await mesh(folder, "trace", "shop.line", "o%3A7:3", "--json");
  expect(traced.code, traced.stdout + traced.stderr).toBe(0);
  expect(JSON.parse(traced.stdout)).toMatchObject({
    owner: { table: "order_lines", row: "there" },
    subscribers: [{ standing: { kind: "applied" }, trace: { copy: { table: "line_cache", row: "there" } } }],
  });
});

const FOREIGN = `
mesh: tills
services:
  pos: { external: true, publishes: [pos.*] }
  books: { database: books_db, subscribes: [pos.*] }
databases:
  books_db:
    tables:
      sale_cache:
        cache: pos.sale
        key: [till, receipt_no]
        columns: { till: text, receipt_no: bigint, total: "numeric(12,2)" }
subjects:
  pos.sale.{id}.created: { event: SaleCreated, payload: { till: string, receipt_no: bigint, total: decimal } }
  pos.sale.{id}.deleted: { event: SaleDeleted, payload: {} }
`;

test("an owner that is written by hand tells such an id as docs/protocol.md says, or its message is a dead letter", async () => {
  const folder = await project(FOREIGN);
  const dev = await start(folder);
  const books = await openClient(dev.endpoints.databases.books_db);
  const text = readFileSync(join(folder, ".mesh", "pos.env"), "utf8");
  const {
    NATS_URL = "",
    NATS_USER = "",
    NATS_PASSWORD = "",
  } = Object.fromEntries(text.split("\n").map((line) => line.split("=") as [string, string]));
  const pos = await connect({ servers: NATS_URL, user: NATS_USER, pass: NATS_PASSWORD });
  afterTest(() => pos.close());
  const send = (entity_id: string, action: string, payload: object = {}) =>
    pos.jetstream().publish(
      `pos.sale.x.${action}`,
      JSON.stringify({
        metadata: { event_id: crypto.randomUUID(), entity_id, timestamp: 1, source: "pos" },
        ...payload,
      }),
    );
  // What the payload says of the key counts.
  await send("whatever", "created", { till: "a:1", receipt_no: "9007199254740993", total: "1.50" });
  await send("b:2", "created", { till: "b", receipt_no: "2", total: "2.00" });
  await send("b:2", "deleted");
  await send("a:1:9007199254740993", "deleted");
  await seen(books, "SELECT * FROM sale_cache", [
    { till: "a:1", receipt_no: "9007199254740993", total: "1.50" },
  ]);
  await seen(books, "SELECT error FROM mesh.dead_letter", [
    {
      error:
        'not a valid SaleDeleted: its id is "a:1:9007199254740993", not the values of till, receipt_no joined by ":"',
    },
  ]);
  await send("a%3A1:9007199254740993", "deleted");
  await seen(books, "SELECT * FROM sale_cache", []);
});
