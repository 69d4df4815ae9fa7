import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, expect, inject, test } from "vitest";
import { makeProject } from "../support/generated-project.js";
import { mesh, meshWith, type RunningDev, startDevWith } from "../support/mesh-command.js";
import { backUp, dumpSchema } from "../support/pg-dump.js";
import { createDatabase, waitFor } from "../support/servers.js";

/*
 * A monolith's database is taken apart: two services adopt its tables, which foreign keys tie, and one of them goes again.
 */

const SCHEMA = `
CREATE TABLE customers (id BIGINT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE orders (id BIGINT PRIMARY KEY, customer_id BIGINT NOT NULL REFERENCES customers ON DELETE CASCADE);
CREATE TABLE invoices (id BIGINT PRIMARY KEY, total NUMERIC(9,2) NOT NULL, order_id BIGINT NOT NULL REFERENCES orders ON DELETE CASCADE,
  payer_id BIGINT REFERENCES customers ON DELETE SET NULL);
INSERT INTO customers VALUES (1, 'Ann'), (2, 'Ben');
INSERT INTO orders VALUES (10, 1), (20, 2);
INSERT INTO invoices VALUES (100, 9.90, 10, 1), (200, 5, 20, 1);
`;

const SUBSCRIBER = `
  books:
    database: books_db
    subscribes: [shop.order.*, billing.invoice.*]
`;
const COPIES = `
  books_db:
    tables:
      order_copy:
        cache: shop.order
        sync: { from: shop, get: /api/orders }
        columns: { id: { type: bigint, key: true } }
      invoice_copy:
        cache: billing.invoice
        sync: { from: billing, get: /api/invoices }
        columns: { id: { type: bigint, key: true }, total: "numeric(9,2)", payer_id: bigint? }
`;

/** Tables of the one exist, the mesh makes those of the other. */
const MIXED = `
mesh: mixed
services:
  shop: { database: shop_db, publishes: [shop.*], http: { port: 8081 } }
  notes: { database: notes_db, publishes: [notes.*], http: { port: 8082 } }
databases:
  shop_db: { existing: true, tables: { orders: { columns: { id: { type: bigint, key: true } } } } }
  notes_db: { shares: shop_db, tables: { notes: { columns: { note_id: { type: nanoid, key: true }, text: text } } } }
subjects:
  shop.order.{id}.created: { event: OrderCreated, emit: { table: orders, on: insert }, payload: { id: bigint } }
  notes.note.{id}.created: { event: NoteCreated, emit: { table: notes, on: insert }, payload: { note_id: nanoid, text: string } }
`;

/** `audit`, which comes first by name, has what `shop` had; the other way about they would wait for each other. */
const moving = (shop: readonly string[], audit: readonly string[]) => `
mesh: moving
services:
  shop: { database: shop_db, publishes: [shop.*], http: { port: 8081 } }
  audit: { database: audit_db, publishes: [audit.*], http: { port: 8082 } }
databases:
  shop_db: { existing: true, tables: { ${shop.map(existingTable).join(", ")} } }
  audit_db: { shares: shop_db, existing: true, tables: { ${audit.map(existingTable).join(", ")} } }
subjects:
${shop.map((table) => inserted("shop", table)).join("")}${audit.map((table) => inserted("audit", table)).join("")}`;
const existingTable = (name: string) => `${name}: { columns: { id: { type: bigint, key: true } } }`;
const inserted = (service: string, table: string) =>
  `  ${service}.${table}.{id}.created: { event: ${table.toUpperCase()}Created, emit: { table: ${table}, on: insert }, payload: { id: bigint } }\n`;

const folder = makeProject();
const file = join(folder, "mesh.yaml");
const cleanups: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
let url: string;
let before: string;
let env: NodeJS.ProcessEnv;
let dev: RunningDev;
let client: pg.Client;

async function open(at = "") {
  const opened = new pg.Client({ connectionString: at });
  opened.on("error", () => undefined);
  await opened.connect();
  cleanups.push(() => opened.end());
  return opened;
}

afterAll(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

test("mesh adopt gives a second service the tables that nobody has, in the database that it shares", async () => {
  url = await createDatabase(inject("postgres"), "monolith");
  client = await open(url);
  await client.query(SCHEMA);
  before = await dumpSchema(url);
  const first = await mesh(folder, "adopt", url, "--service", "shop", "--tables", "customers,orders");
  expect(first.code, first.stderr).toBe(0);
  const second = await mesh(folder, "adopt", url, "--service", "billing");
  expect(second.code, second.stderr).toBe(0);
  expect(second.stdout).toMatch(/^took +public\.invoices:/m);
  expect(second.stdout).toMatch(/^left out public\.customers: it belongs to "shop"/m);
  expect(second.stdout).toMatch(/^left out public\.invoices \(order_id\): a foreign key/m);
  const text = readFileSync(file, "utf8");
  expect(text).toMatch(/billing_db:\n +shares: shop_db\n +existing: true\n +tables:\n +invoices:/);
  expect(text.match(/references:/g)).toHaveLength(1);
  const again = await mesh(folder, "adopt", url, "--service", "billing");
  expect(again.code, again.stderr).toBe(0);
  expect(readFileSync(file, "utf8")).toBe(text);
});

test("foreign keys between the tables of two services stay, and what they do has the events of each", {
  timeout: 120_000,
}, async () => {
  const text = readFileSync(file, "utf8");
  writeFileSync(
    file,
    text.replace("services:\n", `services:${SUBSCRIBER}`).replace("databases:\n", `databases:${COPIES}`),
  );
  expect(await mesh(folder, "generate")).toMatchObject({ code: 0 });
  const state = join(folder, ".mesh");
  const lacking = await meshWith(folder, { SHOP_DB_URL: url }, "dev", "--free-ports", "--state", state);
  expect(lacking).toMatchObject({ code: 2 });
  expect(lacking.stderr).toContain("set BILLING_DB_URL");

  env = { SHOP_DB_URL: url, BILLING_DB_URL: url };
  dev = await startDevWith(folder, env, state);
  cleanups.push(() => dev.end());
  const books = await open(dev.endpoints.databases.books_db);
  const sees = (sql: string, rows: string) =>
    waitFor(async () => JSON.stringify((await books.query({ text: sql, rowMode: "array" })).rows) === rows, {
      timeoutMs: 30_000,
      what: `${sql}: ${rows}`,
    });
  await sees("SELECT id FROM order_copy ORDER BY 1", '[["10"],["20"]]');
  await sees("SELECT * FROM invoice_copy ORDER BY 1", '[["100","9.90","1"],["200","5.00","1"]]');
  await client.query("DELETE FROM customers WHERE id = 1");
  await sees("SELECT id FROM order_copy", '[["20"]]');
  await sees("SELECT * FROM invoice_copy", '[["200","5.00",null]]');
  expect(await mesh(folder, "verify")).toMatchObject({ code: 0 });
  const { rows } = await client.query(
    "SELECT (SELECT count(*) FROM mesh.entity_version WHERE entity ~ '^billing')::int AS theirs, (SELECT count(*) FROM mesh_billing_db.entity_version)::int AS own",
  );
  expect(rows).toEqual([{ theirs: 0, own: 2 }]);
});

test("a backup of the database is put back while both services run: versions of both go on, and copies converge", {
  timeout: 240_000,
}, async () => {
  const books = await open(dev.endpoints.databases.books_db);
  const rowsOf = async (client: pg.Client, sql: string) =>
    JSON.stringify((await client.query({ text: sql, rowMode: "array" })).rows);
  const becomes = (sql: string, rows: string) =>
    waitFor(async () => (await rowsOf(books, sql)) === rows, { timeoutMs: 60_000, what: `${sql}: ${rows}` });
  const orders = "SELECT id FROM order_copy ORDER BY 1";
  const invoices = "SELECT id, total FROM invoice_copy ORDER BY 1";
  await client.query(
    "INSERT INTO orders VALUES (21, 2); INSERT INTO invoices VALUES (210, 1, 21, 2), (211, 1, 21, 2)",
  );
  await becomes(invoices, '[["200","5.00"],["210","1.00"],["211","1.00"]]');
  const restore = await backUp(url, join(folder, "backup"));
  await client.query(
    "UPDATE invoices SET total = 2 WHERE id = 210; UPDATE invoices SET total = 3 WHERE id = 210",
  );
  await client.query(
    "DELETE FROM invoices WHERE id = 211; DELETE FROM orders WHERE id = 20; INSERT INTO orders VALUES (22, 2)",
  );
  await becomes(orders, '[["21"],["22"]]');
  await becomes(invoices, '[["210","3.00"]]');
  await restore();
  client = await open(url);

  // What is written now is news to whoever has heard more than the backup knows.
  await client.query(
    "UPDATE invoices SET total = 4 WHERE id = 210; INSERT INTO orders VALUES (22, 2); INSERT INTO invoices VALUES (212, 6, 22, 2)",
  );
  await waitFor(
    async () => {
      const { code, stdout } = await mesh(folder, "resync", "books");
      return code === 0 && (await mesh(folder, "verify")).code === 0 ? true : stdout && false;
    },
    { timeoutMs: 120_000, what: "verify to find nothing" },
  );
  await becomes(orders, '[["20"],["21"],["22"]]');
  await becomes(invoices, '[["200","5.00"],["210","4.00"],["211","1.00"],["212","6.00"]]');
  await client.query(
    "UPDATE invoices SET total = 7 WHERE id IN (200, 210); DELETE FROM orders WHERE id IN (21, 22)",
  );
  await becomes(orders, '[["20"]]');
  await becomes(invoices, '[["200","7.00"]]');
  expect(await mesh(folder, "verify")).toMatchObject({ code: 0 });
  const dead = await mesh(folder, "dlq", "list", "books", "--json");
  expect(JSON.parse(dead.stdout)).toEqual({ deadLetters: [] });
});

test("roles.sql gives a new service roles beside tables that exist, and leaves owner and others as they are", async () => {
  const made = makeProject();
  cleanups.push(() => rmSync(made, { recursive: true, force: true }));
  writeFileSync(join(made, "mesh.yaml"), MIXED);
  expect(await mesh(made, "generate")).toMatchObject({ code: 0 });
  const at = await createDatabase(inject("postgres"), "mixed");
  const name = new URL(at).pathname.slice(1);
  const admin = await open(at);
  await admin.query("CREATE TABLE orders (id BIGINT PRIMARY KEY)");
  const access = "SELECT datacl, datdba FROM pg_database WHERE datname = current_database()";
  const [owner] = (await admin.query(access)).rows;
  const roles = readFileSync(join(made, "generated/roles.sql"), "utf8")
    .replaceAll("'shop_db'", `'${name}'`)
    .replaceAll(/'(shop|notes)_(owner|service)'/g, `'${name}_$1_$2'`);
  for (let times = 0; times < 2; times += 1) await admin.query(roles);
  const [after] = (await admin.query(access)).rows;
  expect(after.datdba).toBe(owner.datdba);
  const found = await admin.query(
    `SELECT has_database_privilege('public', current_database(), 'CONNECT') AS everybody, to_regrole('${name}_shop_owner') AS none,
      has_database_privilege('${name}_notes_owner', current_database(), 'CREATE') AS makes`,
  );
  expect(found.rows).toEqual([{ everybody: true, none: null, makes: true }]);

  const as = (role: string) => Object.assign(new URL(at), { username: role, password: "p" }).href;
  for (const role of ["shop_service", "notes_owner", "notes_service"])
    await admin.query(`ALTER ROLE "${name}_${role}" PASSWORD 'p'`);
  const urls = { SHOP_DB_OWNER_URL: at, NOTES_DB_OWNER_URL: as(`${name}_notes_owner`) };
  const migrated = await meshWith(made, urls, "migrate");
  expect(migrated.code, migrated.stderr).toBe(0);
  await admin.query(`SELECT mesh_notes_db.grant_service('${name}_notes_service', '{notes}')`);
  const service = await open(as(`${name}_notes_service`));
  await service.query("INSERT INTO notes VALUES ('n', 'x')");
  expect((await service.query("SELECT subject FROM mesh_notes_db.outbox")).rows).toEqual([
    { subject: "notes.note.n.created" },
  ]);
  for (const text of ["SELECT FROM orders", "SELECT FROM mesh.outbox", "CREATE TABLE mine (id int)"])
    await expect(service.query(text)).rejects.toThrow("permission denied");
});

test("mesh migrate releases a table before another service adopts it, and revokes what its role was granted", async () => {
  const made = makeProject();
  cleanups.push(() => rmSync(made, { recursive: true, force: true }));
  const at = await createDatabase(inject("postgres"), "moving");
  const admin = await open(at);
  const names = ["a", "b", "c", "entity_version"];
  for (const name of names) await admin.query(`CREATE TABLE ${name} (id BIGINT PRIMARY KEY)`);
  const urls = { SHOP_DB_URL: at, AUDIT_DB_URL: at };
  const generated = async (shop: readonly string[], audit: readonly string[]) => {
    writeFileSync(join(made, "mesh.yaml"), moving(shop, audit));
    const { code, stderr } = await mesh(made, "generate");
    expect(code, stderr).toBe(0);
  };
  await generated(["a", "b"], ["c"]);
  const first = await meshWith(made, urls, "migrate");
  expect(first.code, first.stderr).toBe(0);
  const role = `${new URL(at).pathname.slice(1)}_runs`;
  await admin.query(`CREATE ROLE ${role}; SELECT mesh.grant_service('${role}', '{a,b}')`);
  cleanups.push(() => admin.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`));
  const reads = async () =>
    (
      await admin.query(
        "SELECT has_table_privilege($1, 'a', 'SELECT') AS a, has_table_privilege($1, 'b', 'SELECT') AS b",
        [role],
      )
    ).rows[0];
  expect(await reads()).toEqual({ a: true, b: true });

  await generated(["a"], ["b", "c"]);
  const alone = await meshWith(made, urls, "migrate", "audit");
  expect(alone.code).not.toBe(0);
  expect(alone.stderr).toContain('audit cannot take b: the triggers of "shop" are still there');
  const moved = await meshWith(made, urls, "migrate");
  expect(moved.code, moved.stderr).toBe(0);
  expect(await reads()).toEqual({ a: true, b: false });

  // Each waits for the other, and nothing is done.
  await generated(["b"], ["a", "c"]);
  const circle = await meshWith(made, urls, "migrate");
  expect(circle.code).not.toBe(0);
  expect(circle.stderr).toMatch(/audit cannot take a: the triggers of "shop" are still there/);

  // A table called like one of the mesh's hides no other.
  const adopted = await mesh(made, "adopt", at, "--service", "shop", "--tables", "entity_version");
  expect(adopted.code, adopted.stderr).toBe(0);
  expect(adopted.stdout).toMatch(/^took +public\.entity_version/m);
});

test("tables and indexes of both fit into one schema, and one takes a name that the other gives up", async () => {
  const made = makeProject();
  cleanups.push(() => rmSync(made, { recursive: true, force: true }));
  const at = await createDatabase(inject("postgres"), "making");
  const admin = await open(at);
  const urls = { SHOP_DB_URL: at, AUDIT_DB_URL: at };
  const migrated = async (shop: string, audit: string) => {
    writeFileSync(
      join(made, "mesh.yaml"),
      `mesh: making\nservices: { audit: { database: audit_db }, shop: { database: shop_db } }\ndatabases:\n` +
        `  audit_db: { shares: shop_db, tables: { ${audit} } }\n  shop_db: { tables: { ${shop} } }\n`,
    );
    const { code, stderr } = await mesh(made, "generate");
    expect(code, stderr).toBe(0);
    return await meshWith(made, urls, "migrate");
  };
  // The constraint of either would be a_b_c_key.
  const unique = (column: string, former = "") =>
    `{ ${former}columns: { id: { type: text, key: true }, ${column}: { type: text, unique: true } } }`;
  expect(await migrated(`a: ${unique("b_c")}`, `a_b: ${unique("c")}`)).toMatchObject({ code: 0 });
  const { rows } = await admin.query("SELECT conname FROM pg_constraint WHERE conname ~ '^a_b_c' ORDER BY 1");
  expect(rows).toEqual([{ conname: "a_b_c_key" }, { conname: expect.stringMatching(/^a_b_c_key_\w{8}$/) }]);

  await admin.query("INSERT INTO a VALUES ('1', 'kept')");
  const renamed = `z: ${unique("b_c", "renamed_from: a, ")}`;
  const second = await migrated(renamed, `a_b: ${unique("c")}, a: ${unique("d")}`);
  expect(second.code, second.stderr).toBe(0);
  expect((await admin.query("SELECT b_c FROM z")).rows).toEqual([{ b_c: "kept" }]);

  await admin.query("CREATE VIEW taken AS SELECT 1 AS one");
  const third = await migrated(renamed, `a_b: ${unique("c")}, a: ${unique("d")}, taken: ${unique("e")}`);
  expect(third.code).not.toBe(0);
  expect(third.stderr).toMatch(/relation "taken" already exists.*give the table another name or schema/);

  // What the mesh has made is somebody's as well, also of the service that asks.
  await admin.query("CREATE TABLE loose (id BIGINT PRIMARY KEY)");
  const taken = await mesh(made, "adopt", at, "--service", "crm");
  expect(taken.code, taken.stderr).toBe(0);
  expect(taken.stdout.match(/^took .*/gm)).toEqual([expect.stringContaining("public.loose")]);
  expect(taken.stdout).toMatch(/^left out public\.z: it belongs to "shop"/m);
  expect(taken.stdout).toMatch(/^left out public\.a_b: it belongs to "audit"/m);
  expect(readFileSync(join(made, "mesh.yaml"), "utf8")).toMatch(
    /crm_db:\n +shares: shop_db\n +existing: true/,
  );
  const own = await mesh(made, "adopt", at, "--service", "shop");
  expect(own.stdout.match(/^took .*/gm)).toBe(null);
});

test("one of them goes, and the other stays; then nothing of the mesh is left", async () => {
  await dev.end();
  const gone = await meshWith(folder, env, "detach", "billing");
  expect(gone.code, gone.stderr).toBe(0);
  expect(gone.stdout).toContain("schema mesh_billing_db");
  await client.query("INSERT INTO orders VALUES (30, 2); INSERT INTO invoices VALUES (300, 1, 30, 2)");
  const { rows } = await client.query(
    "SELECT (SELECT string_agg(subject, ',') FROM mesh.outbox) AS waiting, to_regnamespace('mesh_billing_db') AS gone",
  );
  expect(rows).toEqual([{ waiting: "shop.order.30.created", gone: null }]);
  expect(await meshWith(folder, env, "detach", "shop", "--drop-events")).toMatchObject({ code: 0 });
  expect(await dumpSchema(url)).toBe(before);
});
