import { afterEach, beforeEach, expect, inject, test } from "vitest";
import { compile } from "../support/compile.js";
import { applyFiles, chain, openDatabase, type TestDatabase } from "../support/migrations.js";

/* Rows pending deletion are noted by their key: it does not change under them. */

const mesh = (table: string, existing = "") =>
  compile(`
mesh: t
services:
  crm: { database: c, publishes: [crm.*], http: { port: 8081, resources: { /p: p } } }
  shop: { database: s, publishes: [shop.*], subscribes: [crm.p.*] }
databases:
  c: { tables: { p: { columns: { pid: { type: text, key: true } } } } }
  s: { ${existing} tables: { ${table} } }
subjects:
  crm.p.{id}.deleted: { event: PersonDeleted, emit: { table: p, on: delete }, payload: { pid: string } }
cascades: [{ on: crm.p.deleted, service: shop, delete: k.pid, before: bye }]
`);
const made = (key: string) => mesh(`k: { key: ${key}, columns: { a: text, b: text, pid: text? } }`);

let database: TestDatabase;
beforeEach(async () => {
  database = await openDatabase(inject("postgres"));
});
afterEach(() => database.close());

const note = (key: string) =>
  database.client.query(
    "INSERT INTO mesh.cascade_task (entity, entity_id, hook, table_name, row_key) VALUES ('crm.p', 'x', 'bye', 'k', $1)",
    [key],
  );
const keyOf = async () =>
  (
    await database.client.query(
      "SELECT pg_get_constraintdef(oid) AS key FROM pg_constraint WHERE conrelid = 'k'::regclass AND contype = 'p'",
    )
  ).rows.map(({ key }) => key);

test("a migration that changes a table's key is refused while rows of it are pending deletion", async () => {
  const models = [made("[a, b]"), made("[b, a]")];
  await applyFiles(database.client, chain(models.slice(0, 1)));
  await database.client.query("INSERT INTO k VALUES ('1', '2', 'x')");
  await note("1:2");
  await expect(applyFiles(database.client, chain(models))).rejects.toThrow(
    'rows of k wait for their "before" hook under the key that this migration changes',
  );
  expect(await keyOf()).toEqual(["PRIMARY KEY (a, b)"]);
  await database.client.query("DELETE FROM mesh.cascade_task");
  await applyFiles(database.client, chain(models));
  expect(await keyOf()).toEqual(["PRIMARY KEY (b, a)"]);
});

test("a renamed key column leaves rows pending deletion as they are", async () => {
  const renamed = mesh(
    "k: { key: [z, b], columns: { z: { type: text, renamed_from: a }, b: text, pid: text? } }",
  );
  await applyFiles(database.client, chain([made("[a, b]")]));
  await note("1:2");
  await applyFiles(database.client, chain([made("[a, b]"), renamed]));
  expect(await keyOf()).toEqual(["PRIMARY KEY (z, b)"]);
});

test("of a table that existed the mesh takes no other key while rows of it are pending deletion", async () => {
  await database.client.query("CREATE TABLE k (a text PRIMARY KEY, b text NOT NULL UNIQUE, pid text)");
  const taken = (key: string) =>
    mesh(
      `k: { columns: { a: { type: text${key === "a" ? ", key: true" : ""} }, b: { type: text${key === "b" ? ", key: true" : ""} }, pid: text? } }`,
      "existing: true,",
    );
  await applyFiles(database.client, chain([taken("a")]));
  await note("1");
  await expect(applyFiles(database.client, chain([taken("a"), taken("b")]))).rejects.toThrow(
    "rows of k wait",
  );
});
