import pg from "pg";
import { afterEach, beforeEach, expect, inject, test, vi } from "vitest";
import { startCascadeWorker } from "../../runtime/cascade/cascade-worker.js";
import type { ConsumerDefinition } from "../../runtime/definition/consumer-definition.js";
import type { BeforeDelete } from "../../runtime/definition/hook-definition.js";
import { streamPlan } from "../support/broker-plans.js";
import { compile } from "../support/compile.js";
import { eventDefinition } from "../support/event-definition.js";
import { silent } from "../support/loggers.js";
import { applyFiles, chain, openDatabase, type TestDatabase } from "../support/migrations.js";

/* Rows pending deletion are noted by their table's name, which follows a renaming, and by their key, which does not change under them. */

const mesh = (table: string, { existing = "", cascade = "k.pid" } = {}) =>
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
cascades: [{ on: crm.p.deleted, service: shop, delete: ${cascade}, before: bye }]
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

/** What shop does when a person is deleted, once its table is called z. */
function consumerOf(schema: string, before: BeforeDelete<never>): ConsumerDefinition {
  const table = {
    name: "z",
    key: "a",
    columns: [
      { name: "a", type: "text" },
      { name: "pid", type: "text", nullable: true },
    ],
    ...(schema === "" ? {} : { at: { schema: "stock", table: "z" } }),
  } as const;
  const rule = { action: "delete", table, column: "pid", before: { name: "bye", call: before } } as const;
  return {
    durable: "shop_crm_p",
    stream: streamPlan({ name: "CRM", subjects: ["crm.*.*.*"] }),
    filter: "crm.p.*.*",
    entity: "crm.p",
    events: [
      {
        event: eventDefinition({ name: "PersonDeleted", entity: "p", action: "deleted", change: "delete" }),
        cascades: [rule],
      },
    ],
  };
}

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
    'rows of k wait for their "before" hook, and this migration changes their key',
  );
  expect(await keyOf()).toEqual(["PRIMARY KEY (a, b)"]);
  await database.client.query("DELETE FROM mesh.cascade_task");
  await applyFiles(database.client, chain(models));
  expect(await keyOf()).toEqual(["PRIMARY KEY (b, a)"]);
});

test("a row that becomes pending deletion while a migration begins is seen: the migration looks under its lock", async () => {
  const models = [made("[a, b]"), made("[b, a]")];
  await applyFiles(database.client, chain(models.slice(0, 1)));
  await database.client.query("INSERT INTO k VALUES ('1', '2', 'x')");
  const consumer = new pg.Client({ connectionString: database.url });
  await consumer.connect();
  try {
    await consumer.query("BEGIN");
    await consumer.query(`INSERT INTO mesh.cascade_task (entity, entity_id, hook, table_name, row_key)
SELECT 'crm.p', pid, 'bye', 'k', a || ':' || b FROM k`);
    const migrating = applyFiles(database.client, chain(models));
    const outcome = expect(migrating).rejects.toThrow('rows of k wait for their "before" hook');
    await vi.waitFor(
      async () => {
        const { rowCount } = await consumer.query("SELECT FROM pg_locks WHERE NOT granted");
        expect(rowCount).toBe(1);
      },
      { timeout: 20_000, interval: 20 },
    );
    await consumer.query("COMMIT");
    await outcome;
  } finally {
    await consumer.end();
  }
  expect(await keyOf()).toEqual(["PRIMARY KEY (a, b)"]);
});

test.for(["", "schema: stock, "])(
  "rows pending deletion go on under their table's new name (%s): the hook is called, then they are deleted",
  async (schema) => {
    const columns = "columns: { a: { type: text, key: true }, pid: text? } }";
    const models = [
      mesh(`k: { ${schema}${columns}`),
      mesh(`z: { ${schema}renamed_from: k, ${columns}`, { cascade: "z.pid" }),
    ];
    await applyFiles(database.client, chain(models.slice(0, 1)));
    const table = (name: string) => (schema === "" ? name : `stock.${name}`);
    await database.client.query(`INSERT INTO ${table("k")} VALUES ('1', 'x'), ('2', 'y')`);
    await note("1");
    await applyFiles(database.client, chain(models));
    const pool = new pg.Pool({ connectionString: database.url });
    const called: unknown[] = [];
    const worker = startCascadeWorker({
      pool,
      consumers: [consumerOf(schema, async ({ row }) => void called.push(row))],
      logger: silent,
      pollMs: 20,
    });
    try {
      await vi.waitFor(async () => {
        expect((await database.client.query("SELECT FROM mesh.cascade_task")).rowCount).toBe(0);
      }, 20_000);
    } finally {
      await worker.stop();
      await pool.end();
    }
    expect(called).toEqual([{ a: "1", pid: "x" }]);
    // Guarded under its new name too.
    await database.client.query(`UPDATE ${table("z")} SET pid = 'w'`);
    expect((await database.client.query(`SELECT * FROM ${table("z")}`)).rows).toEqual([{ a: "2", pid: "w" }]);
  },
);

test("a table does not go while rows of it are pending deletion", async () => {
  const columns = "columns: { a: { type: text, key: true }, pid: text? }";
  const models = [
    mesh(`k: { ${columns} }, o: { ${columns} }`),
    mesh(`o: { ${columns} }`, { cascade: "o.pid" }),
  ];
  await applyFiles(database.client, chain(models.slice(0, 1)));
  await note("1");
  await expect(applyFiles(database.client, chain(models))).rejects.toThrow(
    'rows of k wait for their "before" hook, and this migration takes their table away',
  );
  await database.client.query("DELETE FROM mesh.cascade_task");
  await applyFiles(database.client, chain(models));
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
      { existing: "existing: true," },
    );
  await applyFiles(database.client, chain([taken("a")]));
  await note("1");
  await expect(applyFiles(database.client, chain([taken("a"), taken("b")]))).rejects.toThrow(
    "rows of k wait",
  );
});
