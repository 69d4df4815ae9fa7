import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { makeProject } from "../support/generated-project.js";
import { mesh, meshWith } from "../support/mesh-command.js";
import { createDatabase } from "../support/servers.js";

/*
 * `sql: folder`, beside a database that exists.
 */

const MESH = `
mesh: own-sql
services:
  crm: { database: crm_db, publishes: [crm.*], http: { port: 8081, resources: { /api/people: people } } }
  shop: { database: shop_db, subscribes: [crm.person.*] }
databases:
  crm_db: { tables: { people: { columns: { person_id: { type: nanoid, key: true }, name: text } } } }
  shop_db:
    existing: true
    sql: sql/shop
    tables:
      orders: { columns: { order_id: { type: bigint, key: true, defaulted: true }, buyer: text } }
      person_cache:
        cache: crm.person
        sync: { from: crm, get: /api/people }
        columns: { person_id: { type: nanoid, key: true }, name: text }
subjects:
  crm.person.{id}.created: { event: PersonCreated, emit: { table: people, on: insert }, payload: { person_id: nanoid, name: string } }
  crm.person.{id}.updated: { event: PersonUpdated, emit: { table: people, on: update }, payload: { person_id: nanoid, name: string } }
  crm.person.{id}.deleted: { event: PersonDeleted, emit: { table: people, on: delete }, payload: { person_id: nanoid } }
`;

let folder: string;
let url: string;
let client: pg.Client;
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);

beforeAll(async () => {
  folder = makeProject();
  url = await createDatabase(inject("postgres"), "own_sql");
  client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("CREATE TABLE orders (order_id BIGSERIAL PRIMARY KEY, buyer TEXT NOT NULL)");
});
afterAll(async () => {
  await client?.end();
  rmSync(folder, { recursive: true, force: true });
});

test("mesh generate says what is wrong with the folder at its place in mesh.yaml, and writes nothing", async () => {
  write("mesh.yaml", MESH.replace("sql/shop", "../elsewhere"));
  expect(await mesh(folder, "generate")).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /mesh\.yaml:10:10 - error malformed-path: "\.\.\/elsewhere" is not a folder beside this file such as sql\/shop/,
    ),
  });
  write("mesh.yaml", MESH);
  for (const command of ["check", "generate"])
    expect(await mesh(folder, command)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/mesh\.yaml:10:5 - error sql-folder: there is no folder sql\/shop/),
    });
  mkdirSync(join(folder, "sql/shop"), { recursive: true });
  write(
    "sql/shop/0001_buyers.sql",
    "CREATE VIEW buyers AS SELECT DISTINCT buyer, name FROM orders JOIN person_cache ON person_id = buyer;\n",
  );
  write("sql/shop/0003_late.sql", "SELECT 1;\n");
  const gap = await mesh(folder, "generate");
  expect(gap.code).toBe(1);
  expect(gap.stderr).toMatch(
    /mesh\.yaml:10:5 - error sql-file: sql\/shop\/0003_late\.sql: it follows a gap: there is no 0002/,
  );
  rmSync(join(folder, "sql/shop/0003_late.sql"));
  expect(await mesh(folder, "generate")).toMatchObject({ code: 0 });
  write(
    "sql/shop/0002_again.sql",
    "SELECT 1;\n<<<<<<< ours\nSELECT 2;\n=======\nSELECT 3;\n>>>>>>> theirs\n",
  );
  expect(await mesh(folder, "generate", "--check")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("sql/shop/0002_again.sql:2: a marker that a merge has left"),
  });
  write("sql/shop/0002_again.sql", "BEGIN;\n");
  expect(await mesh(folder, "generate", "--check")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("sql/shop/0002_again.sql:1: BEGIN would end or begin a transaction"),
  });
  write("sql/shop/0002_again.sql", "-- before: 0009_nothing.sql\nCREATE TABLE visits (visit_id SERIAL);\n");
  expect((await mesh(folder, "generate")).stderr).toMatch(
    /0002_again\.sql:1: it is to run before 0009_nothing\.sql, which is no migration\s.*\n.*\n\s+hint: the last one is 0001_initial_/,
  );
  write("sql/shop/0002_again.sql", "CREATE TABLE visits (visit_id SERIAL);\n");
  expect(await mesh(folder, "generate", "--check")).toMatchObject({ code: 0 });
});

test("mesh migrate applies it, says what is to come, and mesh detach leaves what it made", async () => {
  const env = { SHOP_DB_URL: url };
  const dry = await meshWith(folder, env, "migrate", "shop", "--dry-run");
  expect(dry.stdout).toMatch(
    /would apply mesh\/0001_mesh, 0001_initial_\w+\.sql, sql\/0001_buyers\.sql, sql\/0002_again\.sql/,
  );
  // What would run, as a client of PostgreSQL takes it; of the runtime's own schema how much.
  expect(dry.stdout).toMatch(/^-- mesh\/0001_mesh: \d+ statements for schema mesh/m);
  expect(dry.stdout).toMatch(/^-- 0001_initial_\w+\.sql\n(?:[\s\S]*\n)?CREATE TABLE person_cache \(/m);
  expect(dry.stdout).toContain("-- sql/0002_again.sql\nCREATE TABLE visits (visit_id SERIAL);\n");
  const json = JSON.parse((await meshWith(folder, env, "migrate", "shop", "--dry-run", "--json")).stdout);
  expect(json.databases[0].statements.at(-1)).toEqual({
    name: "sql/0002_again.sql",
    own: false,
    statements: ["CREATE TABLE visits (visit_id SERIAL)"],
  });
  expect((await client.query("SELECT to_regclass('visits') AS visits")).rows).toEqual([{ visits: null }]);
  expect(await meshWith(folder, env, "migrate", "shop")).toMatchObject({ code: 0 });
  await client.query(
    "INSERT INTO orders (buyer) VALUES ('p1'); INSERT INTO person_cache VALUES ('p1', 'Ada')",
  );
  expect((await client.query("TABLE buyers")).rows).toEqual([{ buyer: "p1", name: "Ada" }]);
  const blocked = await meshWith(folder, env, "detach", "shop");
  expect(blocked).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(
      "person_cache goes with the mesh, and is needed: view buyers depends on table person_cache. Drop that first",
    ),
  });
  await client.query("DROP VIEW buyers");
  const detached = await meshWith(folder, env, "detach", "shop");
  expect(detached, detached.stderr).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("of your own SQL there stay public.visits, public.visits_visit_id_seq"),
  });
  expect(
    (await client.query("SELECT to_regnamespace('mesh') AS mesh, to_regclass('visits') AS visits")).rows,
  ).toEqual([{ mesh: null, visits: "visits" }]);
});
