import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { ROOT } from "../support/compile.js";
import { compile, makeProject } from "../support/generated-project.js";
import { mesh, meshWith, type RunningDev, startDevWith } from "../support/mesh-command.js";
import { dumpSchema, headsOf, linesOf } from "../support/pg-dump.js";
import { createDatabase, waitFor } from "../support/servers.js";

/*
 * A mesh comes into a database that exists, and goes again: as a team would try it.
 */

const SCHEMA = readFileSync(join(ROOT, "test/scenarios/adopt/foreign/schema.sql"), "utf8");
const ROWS = `
INSERT INTO users (email, name, password_hash) SELECT n || '@example.org', 'user ' || n, 'x' FROM generate_series(1, 500) AS n;
INSERT INTO employees (user_id, level) SELECT n, 1 FROM generate_series(1, 100) AS n;
INSERT INTO "HR Data"."Größe" ("Größen ID", "Name") VALUES (1, 'klein');
INSERT INTO "table" ("column") VALUES (1);
INSERT INTO steps VALUES (1), (2);
INSERT INTO sales.orders (id, user_id) VALUES ('00000000-0000-4000-8000-000000000001', 1);
INSERT INTO sales.order_items SELECT id, n, 'a:' || n FROM sales.orders, generate_series(1, 3) AS n;
`;

/** Written by hand behind what was adopted. */
const SUBSCRIBER = `
  mail:                       # knows whom to write to
    database: mail_db
    subscribes: [shop.user.*, shop.order_item.*]
`;
const COPY = `
  mail_db:
    tables:
      user_copy:
        cache: shop.user
        sync: { from: shop, get: /api/users }
        columns: { id: { type: bigint, key: true }, name: text, mood: text }
      item_copy:
        cache: shop.order_item
        key: [order_id, line]
        sync: { from: shop, get: /api/order-items }
        columns: { order_id: uuid, line: integer, sku: text }
`;

let folder: string;
let url: string;
let before: string;
let client: pg.Client;

beforeAll(async () => {
  folder = makeProject();
  url = await createDatabase(inject("postgres"), "foreign");
  client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(SCHEMA + ROWS);
  before = await dumpSchema(url);
});
afterAll(async () => {
  await client?.end();
  rmSync(folder, { recursive: true, force: true });
});

const file = () => join(folder, "mesh.yaml");

test("mesh adopt writes fifty tables into a new mesh.yaml, and names what it leaves out and why", async () => {
  const started = performance.now();
  const { code, stdout, stderr } = await mesh(folder, "adopt", url, "--service", "shop");
  expect(code, stderr).toBe(0);
  expect(performance.now() - started).toBeLessThan(60_000);
  expect(stdout.match(/^took /gm)?.length).toBeGreaterThan(38);
  for (const line of [
    /^left out public\.happy_users: a view/m,
    /^left out public\.logs: it has no primary key/m,
    /^left out public\.metrics: partitioned/m,
    /^private +public\.users\.password_hash: called like a secret/m,
    /^left out public\.users\.lower_name: PostgreSQL computes it/m,
    /^left out public\.sessions: its key "token" is called like a secret/m,
    /^took +public\.users:/m,
    /^took +archive\.users as archive_users:/m,
    /^left out public\.steps\.white\tspace: a name with a dot or a control character/m,
    /^left out public\.prices: "valid_from", a part of its key, is date/m,
    /^left out sales\.item_notes \(order_id, line\): a foreign key that mesh\.yaml cannot say: to sales\.order_items \(order_id, line\)/m,
  ])
    expect(stdout).toMatch(line);
  expect(readFileSync(file(), "utf8")).toMatch(
    /^ {6}order_items:\n {8}schema: sales\n {8}key: \[order_id, line\]$/m,
  );
  expect(stderr).toContain("export SHOP_DB_URL=");
  expect(stderr).not.toContain(new URL(url).password || "no password");
});

test("mesh adopt names what is missing, or cannot be reached, and what to do about it", async () => {
  const unknown = await mesh(folder, "adopt", url, "--service", "shop", "--tables", "users,userz");
  expect(unknown).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringContaining("the database has no userz"),
  });
  expect(unknown.stderr).toContain('did you mean "users"?');
  const untouched = readFileSync(file(), "utf8");
  const view = await mesh(folder, "adopt", url, "--service", "other", "--tables", "logs");
  expect(view).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/left out public\.logs: it has no primary key.*ADD PRIMARY KEY/),
  });
  expect(readFileSync(file(), "utf8")).toBe(untouched);
  const closed = await mesh(folder, "adopt", "postgres://a:b@127.0.0.1:1/shop");
  expect(closed.stderr).toMatch(
    /cannot be reached: .*ECONNREFUSED[\s\S]*hint: nothing listens there: see whether the server runs/,
  );
  const wrong = new URL(url);
  wrong.pathname = "/nowhere";
  expect((await mesh(folder, "adopt", wrong.href)).stderr).toMatch(
    /"nowhere" does not exist\nhint: see the database at the end of the URL/,
  );
  const text = join(folder, "notes.sql");
  writeFileSync(text, "garbage;");
  const notes = await mesh(folder, "adopt", text, "--service", "notes");
  expect(notes).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/notes\.sql makes no table: line 1: garbage: syntax error/),
  });
  const empty = await createDatabase(inject("postgres"), "empty");
  const nothing = await mesh(folder, "adopt", empty, "--service", "empty");
  expect(nothing).toMatchObject({ code: 1, stdout: expect.stringContaining("nothing was written") });
  expect(readFileSync(file(), "utf8")).toBe(untouched);
});

test("a second run leaves every byte of edits and comments, and adds what is new alone", async () => {
  const edited = readFileSync(file(), "utf8")
    .replace("      users:\n", "      users:                 # the people\n")
    .replace("\ndatabases:\n", `${SUBSCRIBER}\ndatabases:\n`);
  writeFileSync(file(), edited);
  appendFileSync(file(), "# the end\n");
  const text = readFileSync(file(), "utf8").replace("\nsubjects:\n", `${COPY}\nsubjects:\n`);
  writeFileSync(file(), text);
  const again = await mesh(folder, "adopt", url, "--service", "shop");
  expect(again.code, again.stderr).toBe(0);
  expect(again.stdout).toMatch(/^nothing new mesh\.yaml has every table of shop_db that it can take$/m);
  expect(again.stderr).not.toMatch(/tables? of shop/);
  expect(readFileSync(file(), "utf8")).toBe(text);
  await client.query("CREATE TABLE coupons (code TEXT PRIMARY KEY, percent INTEGER NOT NULL)");
  const more = await mesh(folder, "adopt", url, "--service", "shop", "--json");
  expect(JSON.parse(more.stdout)).toMatchObject({
    service: "shop",
    added: [{ name: "coupons", place: "public.coupons", path: "/api/coupons" }],
    differs: [],
  });
  const kept = readFileSync(file(), "utf8");
  for (const line of text.split("\n")) expect(kept).toContain(line);
  await client.query("ALTER TABLE employees DROP CONSTRAINT employees_manager_id_fkey");
  const differing = await mesh(folder, "adopt", url, "--service", "shop");
  expect(differing.code).toBe(1);
  expect(differing.stdout).toMatch(/^differs +employees\.manager_id: no foreign key/m);
  await client.query(
    "ALTER TABLE employees ADD CONSTRAINT employees_manager_id_fkey FOREIGN KEY (manager_id) REFERENCES employees ON DELETE SET NULL; DROP TABLE coupons",
  );
  expect(await dumpSchema(url)).toBe(before);
  writeFileSync(file(), text);
});

test("what was adopted generates, compiles, and migrates with DATABASE_URL as it stands", async () => {
  const generated = await mesh(folder, "generate");
  expect(generated.code, generated.stderr).toBe(0);
  const checked = await mesh(folder, "generate", "--check");
  expect(checked.code, checked.stderr).toBe(0);
  expect(compile(folder)).toBe("");
  const migrated = await meshWith(folder, { DATABASE_URL: url }, "migrate", "shop");
  expect(migrated.code, migrated.stderr).toBe(0);
  const after = await dumpSchema(url);
  const now = linesOf(after);
  let at = 0;
  const lost = linesOf(before).filter((line) => {
    const found = now.indexOf(line, at);
    if (found !== -1) at = found + 1;
    return found === -1;
  });
  expect(lost).toEqual([]);
  const kept = new Set(headsOf(before));
  const added = headsOf(after).filter((head) => !kept.has(head));
  expect(added.length).toBeGreaterThan(100);
  expect(added.filter((head) => !head.includes("mesh"))).toEqual([]);
});

test("mesh migrate names a difference at its place in mesh.yaml", async () => {
  await client.query("ALTER TABLE users ALTER name DROP NOT NULL");
  const { code, stderr } = await meshWith(folder, { DATABASE_URL: url }, "migrate", "shop");
  await client.query("ALTER TABLE users ALTER name SET NOT NULL");
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /mesh\.yaml:\d+:\d+ - error existing-differs: "users\.name" of shop_db is not what this file says: it may be NULL/,
  );
  await client.query("ALTER TABLE users RENAME name TO nam; ALTER TABLE employees RENAME TO employes");
  const renamed = await meshWith(folder, { DATABASE_URL: url }, "migrate", "shop");
  await client.query("ALTER TABLE users RENAME nam TO name; ALTER TABLE employes RENAME TO employees");
  expect(renamed.stderr).toMatch(
    /"users\.name" of shop_db .*there is no such column\n(.*\n){2}\s+hint: did you mean "nam"\?/,
  );
  expect(renamed.stderr).toMatch(
    /"employees" of shop_db .*there is no public\.employees\n(.*\n){2}\s+hint: did you mean "employes"\?/,
  );
  const closed = await meshWith(
    folder,
    { DATABASE_URL: "postgres://a:b@127.0.0.1:1/shop" },
    "migrate",
    "shop",
  );
  expect(closed.stderr).toMatch(/ECONNREFUSED[\s\S]*hint: nothing listens there/);
});

test("a copy fills from the rows that were there, and follows plain SQL", async () => {
  const without = await meshWith(folder, {}, "dev");
  expect(without.code).toBe(2);
  expect(without.stderr).toContain("set SHOP_DB_URL, or DATABASE_URL");
  const state = join(folder, ".mesh");
  await client.query("ALTER TABLE steps RENAME metadata TO meta");
  const differing = await meshWith(folder, { SHOP_DB_URL: url }, "dev", "--free-ports", "--state", state);
  await client.query("ALTER TABLE steps RENAME meta TO metadata");
  expect(differing.code).toBe(1);
  expect(differing.stderr).toMatch(/^mesh\.yaml:\d+:\d+ - error existing-differs: "steps\.metadata"/m);
  expect(differing.stderr).not.toMatch(/ended by itself|nothing was written/);
  let dev: RunningDev | undefined;
  try {
    dev = await startDevWith(folder, { SHOP_DB_URL: url }, state);
    const copy = new pg.Client({ connectionString: dev.endpoints.databases.mail_db ?? "" });
    copy.on("error", () => undefined);
    await copy.connect();
    const made = await fetch(`${dev.endpoints.services.shop?.http}/api/counters`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${dev.endpoints.service_key}`,
        "content-type": "application/json",
      },
      body: JSON.stringify({ id: 7 }),
    });
    expect([made.status, (await made.text()).includes('column \\"id\\"')]).toEqual([422, true]);
    const count = async (where = "true") =>
      (await copy.query<{ n: number }>(`SELECT count(*)::integer AS n FROM user_copy WHERE ${where}`)).rows[0]
        ?.n;
    await waitFor(async () => (await count()) === 500, { timeoutMs: 60_000, what: "the copy to fill" });
    await client.query(
      "INSERT INTO users (email, name, mood) VALUES ('new@example.org', 'newcomer', 'happy')",
    );
    await client.query("UPDATE users SET name = 'renamed' WHERE id = 7");
    await client.query("DELETE FROM users WHERE id = 8");
    const early = await meshWith(folder, { SHOP_DB_URL: url }, "detach", "shop");
    expect(early.code).toBe(2);
    expect(early.stderr).toMatch(/shop still runs, with \d+ connections to this database: stop it first/);
    await waitFor(
      async () =>
        (await count("name = 'newcomer' AND mood = 'happy'")) === 1 &&
        (await count("id = 7 AND name = 'renamed'")) === 1 &&
        (await count("id = 8")) === 0,
      { timeoutMs: 30_000, what: "three changes by plain SQL" },
    );
    const items = async () => (await copy.query("SELECT line, sku FROM item_copy ORDER BY line")).rows;
    await client.query(
      "UPDATE sales.order_items SET sku = 'new' WHERE line = 2; DELETE FROM sales.order_items WHERE line = 3",
    );
    const wanted = [
      { line: 1, sku: "a:1" },
      { line: 2, sku: "new" },
    ];
    await waitFor(async () => JSON.stringify(await items()) === JSON.stringify(wanted), {
      timeoutMs: 30_000,
      what: "a copy with a key of several columns",
    });
    await copy.end();
    await waitFor(async () => (await client.query("SELECT FROM mesh.outbox")).rowCount === 0, {
      timeoutMs: 30_000,
      what: "the outbox to be published",
    });
  } finally {
    await dev?.end();
  }
});

test("mesh detach takes every trace: pg_dump is byte for byte what it was", async () => {
  await client.query("UPDATE users SET name = 'not published' WHERE id = 9");
  const refused = await meshWith(folder, { DATABASE_URL: url }, "detach", "shop");
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain("events that have not been published: 1");
  const { code, stdout, stderr } = await meshWith(
    folder,
    { DATABASE_URL: url },
    "detach",
    "shop",
    "--drop-events",
  );
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/dropped \d+ triggers, \d+ checks/);
  expect(await dumpSchema(url)).toBe(before);
  const again = await meshWith(folder, { DATABASE_URL: url }, "detach", "shop");
  expect(again.stdout).toContain("nothing of the mesh is there");
});
