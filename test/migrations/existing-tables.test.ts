import { afterEach, beforeEach, expect, inject, test } from "vitest";
import { describedTables } from "../../generator/project/described-tables.js";
import type { Logger } from "../../runtime/definition/hook-definition.js";
import { ExistingDiffers, migrate } from "../../runtime/schema/index.js";
import { compile } from "../support/compile.js";
import { recordingLogger, silent } from "../support/loggers.js";
import { openFolder, removeFolders } from "../support/migration-folder.js";
import { chain, openDatabase, type TestDatabase } from "../support/migrations.js";
import { waitFor } from "../support/servers.js";

/*
 * Tables that were there before the mesh, under names that only PostgreSQL takes.
 */

const LEGACY = `
CREATE SCHEMA "Sales Data";
CREATE TABLE "Sales Data"."Order" (
  "Order ID" BIGSERIAL PRIMARY KEY,
  "personId" TEXT,
  total DOUBLE PRECISION NOT NULL,
  "select" VARCHAR(20) NOT NULL DEFAULT 'open' CHECK ("select" IN ('open', 'paid')),
  "größe" INTEGER,
  unnamed JSON NOT NULL DEFAULT '{}'
);
CREATE TABLE notes (
  note_id SERIAL PRIMARY KEY,
  order_id BIGINT NOT NULL REFERENCES "Sales Data"."Order" ON DELETE CASCADE,
  body TEXT
);
INSERT INTO "Sales Data"."Order" ("personId", total, "größe") SELECT 'p' || n, n, n FROM generate_series(1, 25000) AS n;
INSERT INTO notes (order_id) SELECT n FROM generate_series(1, 100) AS n;
`;

const mesh = (columns = "", more = "") =>
  compile(`
mesh: existing
services: { shop: { database: shop_db, publishes: [shop.*] } }
databases:
  shop_db:
    existing: true
    tables:
      orders:
        schema: Sales Data
        table: Order
        ${more}
        columns:
          Order ID: { type: bigint, key: true, defaulted: true }
          personId: text?
          total: number
          select: { type: text, defaulted: true, one_of: [open, paid] }
          größe: integer?
          ${columns}
      notes:
        columns:
          note_id: { type: integer, key: true, defaulted: true }
          order_id: { type: bigint, references: orders, on_delete: cascade }
          body: text?
subjects:
  shop.order.{id}.created: { event: OrderCreated, emit: { table: orders, on: insert }, payload: { total: number, select: string, personId: string? } }
  shop.order.{id}.updated: { event: OrderUpdated, emit: { table: orders, on: update }, payload: { total: number, select: string, personId: string? } }
  shop.order.{id}.deleted: { event: OrderDeleted, emit: { table: orders, on: delete }, payload: {} }
  shop.note.{id}.created: { event: NoteCreated, emit: { table: notes, on: insert }, payload: { note_id: integer, order_id: integer } }
  shop.note.{id}.deleted: { event: NoteDeleted, emit: { table: notes, on: delete }, payload: { note_id: integer } }
`);

let database: TestDatabase;
let client: TestDatabase["client"];

beforeEach(async () => {
  database = await openDatabase(inject("postgres"));
  client = database.client;
  await client.query(LEGACY);
});
afterEach(async () => {
  await database.close();
  await removeFolders();
});

async function adopt(model = mesh(), logger: Logger = silent): Promise<void> {
  const files = chain([model]).map(({ name, text }) => [name, text] as const);
  const { path } = await openFolder(Object.fromEntries(files));
  const tables = model.databases.flatMap(describedTables);
  await migrate(client, { service: "shop", migrations: path, tables, logger });
}

async function differences(model = mesh()): Promise<readonly string[]> {
  const error = await adopt(model).catch((caught: unknown) => caught);
  if (!(error instanceof ExistingDiffers)) throw error;
  return error.differences.map(
    ({ table, column, message }) => `${table}${column ? `.${column}` : ""}: ${message}`,
  );
}

async function events(): Promise<readonly string[]> {
  const { rows } = await client.query<{ line: string }>(
    `SELECT format('%s %s', subject, body::json ->> 'total') AS line FROM mesh.outbox ORDER BY seq`,
  );
  return rows.map(({ line }) => line);
}

test("events follow plain SQL on tables of mixed case, spaces, reserved words and another schema", async () => {
  await adopt();
  expect(await events()).toEqual([]);
  await client.query(`INSERT INTO "Sales Data"."Order" (total) VALUES (5)`);
  await client.query(`UPDATE "Sales Data"."Order" SET total = 6 WHERE "Order ID" = 1`);
  await client.query(`UPDATE "Sales Data"."Order" SET unnamed = '[]' WHERE "Order ID" = 1`);
  await client.query(`DELETE FROM "Sales Data"."Order" WHERE "Order ID" = 2`);
  expect(await events()).toEqual([
    "shop.order.25001.created 5",
    "shop.order.1.updated 6",
    expect.stringMatching(/^shop\.(order|note)\.2\.deleted/),
    expect.stringMatching(/^shop\.(order|note)\.2\.deleted/),
  ]);
});

test("rows that were there before get their first version, without an event and without a beginning", async () => {
  await adopt();
  const { rows } = await client.query(
    "SELECT entity, count(*)::integer, min(version) AS low, max(version) AS high, count(first_version)::integer AS born FROM mesh.entity_version GROUP BY 1 ORDER BY 1",
  );
  expect(rows).toEqual([
    { entity: "shop.note", count: 100, low: "1", high: "1", born: 0 },
    { entity: "shop.order", count: 25_000, low: "1", high: "1", born: 0 },
  ]);
  await client.query(`UPDATE "Sales Data"."Order" SET total = -1 WHERE "Order ID" = 7`);
  const { rows: told } = await client.query("SELECT version FROM mesh.outbox");
  expect(told).toEqual([{ version: "2" }]);
});

test("with backfill: hooks the lives of earlier rows begin with their first version", async () => {
  await adopt(mesh("", "backfill: hooks"));
  const { rows } = await client.query(
    "SELECT entity, count(first_version)::integer AS born FROM mesh.entity_version GROUP BY 1 ORDER BY 1",
  );
  expect(rows).toEqual([
    { entity: "shop.note", born: 0 },
    { entity: "shop.order", born: 25_000 },
  ]);
});

test("a writer that holds counters of earlier rows is waited for, and never the victim of a deadlock", async () => {
  await adopt();
  await client.query("DELETE FROM mesh.entity_version");
  const [file] = chain([mesh()]);
  const backfill = file?.text.match(/^DO \$\$\n[\s\S]*?^\$\$;/gm)?.find((text) => text.includes("Order ID"));
  const other = await database.connect();
  // Sooner than the backfill would notice, had it to.
  await other.query("SET deadlock_timeout = '500ms'");
  await other.query("BEGIN");
  await other.query(`UPDATE "Sales Data"."Order" SET total = 0 WHERE "Order ID" = 20000`);
  const filling = client.query(backfill ?? "no backfill");
  const watcher = await database.connect();
  const isWaiting =
    "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'DO %' AND datname = current_database()";
  await waitFor(async () => (await watcher.query(isWaiting)).rowCount === 1, {
    what: "the backfill to wait",
  });
  await other.query(`UPDATE "Sales Data"."Order" SET total = 0 WHERE "Order ID" = 15000`);
  await other.query("COMMIT");
  await filling;
  const { rows } = await client.query(
    "SELECT count(*)::integer FROM mesh.entity_version WHERE entity = 'shop.order'",
  );
  expect(rows).toEqual([{ count: 25_000 }]);
});

test("what differs is one refusal with every difference, before anything of ours is made", async () => {
  await client.query(`
    ALTER TABLE "Sales Data"."Order" ALTER total DROP NOT NULL, ALTER "select" DROP DEFAULT, ALTER "größe" TYPE NUMERIC;
    ALTER TABLE notes DROP CONSTRAINT notes_order_id_fkey, DROP CONSTRAINT notes_pkey, ALTER body SET DEFAULT '';
    UPDATE notes SET body = ''; ALTER TABLE notes ALTER body SET NOT NULL;`);
  expect(await differences(mesh("missing: text?"))).toEqual([
    "notes.body: it is never NULL: take null away",
    "notes.note_id: no primary key or unique index is over it alone, so it identifies no row",
    "notes.order_id: no foreign key leads from it to Sales Data.Order (Order ID)",
    "orders.total: it may be NULL: say null: true",
    "orders.select: it has no default: take defaulted away",
    "orders.größe: it is numeric, not integer",
    "orders.missing: there is no such column",
  ]);
  const { rows } = await client.query("SELECT FROM pg_trigger WHERE tgname LIKE 'mesh%'");
  expect(rows).toEqual([]);
});

test("a table that is missing, a view or partitioned is told as what it is", async () => {
  await client.query(`
    DROP TABLE notes;
    CREATE VIEW notes AS SELECT 1 AS note_id, 1::bigint AS order_id, ''::text AS body;
    ALTER TABLE "Sales Data"."Order" RENAME TO "Orders";`);
  expect(await differences()).toEqual([
    "notes: public.notes is a view",
    "orders: there is no Sales Data.Order",
  ]);
  await client.query(`
    DROP VIEW notes;
    CREATE TABLE notes (note_id SERIAL PRIMARY KEY, order_id BIGINT NOT NULL, body TEXT) PARTITION BY RANGE (note_id);`);
  expect(await differences()).toContainEqual(expect.stringContaining("notes: public.notes is partitioned"));
});

test("a view is compared behind the migrations: missing, of another type, a table, or not to be read by who migrates", async () => {
  const views = [
    {
      name: "board",
      key: "id",
      columns: [
        { name: "id", type: "bigint" as const },
        { name: "label", type: "text" as const },
      ],
    },
    {
      name: "stored",
      key: "id",
      at: { schema: "Sales Data", table: "Stored" },
      columns: [{ name: "id", type: "bigint" as const }],
    },
  ];
  const files = chain([mesh()]).map(({ name, text }) => [name, text] as const);
  const { path } = await openFolder(Object.fromEntries(files));
  const migrated = () =>
    migrate(client, {
      service: "shop",
      migrations: path,
      tables: mesh().databases.flatMap(describedTables),
      views,
      logger: silent,
    }).then(
      () => [],
      (error: unknown) => {
        if (!(error instanceof ExistingDiffers)) throw error;
        return error.differences.map(
          ({ table, isView, column, message }) => `${isView} ${table}.${column}: ${message}`,
        );
      },
    );
  expect(await migrated()).toEqual([
    "true board.undefined: there is no public.board",
    "true stored.undefined: there is no Sales Data.Stored",
  ]);
  await client.query(`
    CREATE VIEW board AS SELECT "Order ID"::integer AS id, NULL::jsonb AS label FROM "Sales Data"."Order";
    CREATE TABLE "Sales Data"."Stored" (id BIGINT PRIMARY KEY);`);
  expect(await migrated()).toEqual([
    "true board.id: it is integer, not bigint",
    "true board.label: it is jsonb, not text",
    'true stored.undefined: Sales Data.Stored is no view: name it under "tables"',
  ]);
  await client.query(`
    DROP VIEW board; CREATE VIEW board AS SELECT "Order ID" AS id, "select" AS label, total FROM "Sales Data"."Order";
    DROP TABLE "Sales Data"."Stored"; CREATE MATERIALIZED VIEW "Sales Data"."Stored" AS SELECT 1::bigint AS id;`);
  expect(await migrated()).toEqual([]);
});

test("a needed column that the file does not name is said, and does not keep rows from being adopted", async () => {
  await client.query(
    "ALTER TABLE notes ADD author TEXT NOT NULL DEFAULT ''; ALTER TABLE notes ALTER author DROP DEFAULT",
  );
  const logger = recordingLogger();
  await adopt(mesh(), logger);
  expect(logger.lines.map(({ message }) => message)).toContainEqual(
    "notes.author: it is never NULL, has no default, and mesh.yaml does not name it: REST and repository cannot make a row",
  );
});

test("an earlier value that no message can tell is refused by name, before a trigger is there", async () => {
  await client.query(`UPDATE "Sales Data"."Order" SET total = 'NaN' WHERE "Order ID" = 3`);
  await expect(adopt()).rejects.toThrow(
    /mesh_Order_total_travels.*Rows of Order from before break it; find them with SELECT \* FROM "Sales Data"\."Order"/s,
  );
  const { rows } = await client.query("SELECT FROM pg_trigger WHERE tgname LIKE 'mesh%'");
  expect(rows).toEqual([]);
  await client.query(`UPDATE "Sales Data"."Order" SET total = 0 WHERE "Order ID" = 3`);
  await adopt();
  await expect(client.query(`UPDATE "Sales Data"."Order" SET total = 'Infinity'`)).rejects.toThrow(/travels/);
});

test("row level security that binds the owner too is refused: changes of rows that it may not see would go untold", async () => {
  const role = `bound_${process.pid}_${Date.now()}`;
  await client.query(`CREATE ROLE ${role};
    ALTER TABLE notes OWNER TO ${role}; ALTER TABLE notes ENABLE ROW LEVEL SECURITY; ALTER TABLE notes FORCE ROW LEVEL SECURITY;
    ALTER SCHEMA "Sales Data" OWNER TO ${role};
    ALTER TABLE "Sales Data"."Order" OWNER TO ${role}; ALTER TABLE "Sales Data"."Order" ENABLE ROW LEVEL SECURITY;
    SET ROLE ${role}`);
  try {
    expect(await differences()).toEqual([
      expect.stringMatching(/^notes: row level security binds its owner too.*NO FORCE/),
    ]);
  } finally {
    await client.query(`RESET ROLE; REASSIGN OWNED BY ${role} TO CURRENT_USER; DROP ROLE ${role}`);
  }
});
