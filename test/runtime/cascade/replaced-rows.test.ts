import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { type CascadeWorker, startCascadeWorker } from "../../../runtime/cascade/cascade-worker.js";
import type { TableDefinition } from "../../../runtime/definition/table-definition.js";
import { shopPersonConsumer } from "../../scenarios/emit/soft-deletion/expected/shop/consumers/crm-person.js";
import { carts } from "../../scenarios/emit/soft-deletion/expected/shop/tables.js";
import { compile, readMesh } from "../../support/compile.js";
import { silent } from "../../support/loggers.js";
import { applyFiles, openDatabase, plan, type TestDatabase } from "../../support/migrations.js";
import { waitFor } from "../../support/servers.js";
import { createPool } from "../../support/user-consumer.js";

/*
 * While the hook before a row's deletion is being called, the row goes, and another takes its key, or it comes back: by whichever
 * statement, the deletion was not meant for that one.
 */

/** As the carts, and nothing is told of them. */
const notes: TableDefinition = {
  name: "notes",
  key: "note_id",
  softDelete: "deleted_at",
  columns: [
    { name: "note_id", type: "nanoid" },
    { name: "person_id", type: "text", nullable: true },
    { name: "deleted_at", type: "timestamptz", nullable: true },
  ],
};

const TEXT = readMesh("test/scenarios/emit/soft-deletion/mesh.yaml")
  .replace(
    "delete: carts.person_id }",
    "delete: carts.person_id, before: keepWishes }\n  - { on: crm.person.deleted, service: shop, delete: notes.person_id, before: keepNote }",
  )
  .replace(
    "      carts:\n",
    `      notes:
        soft_delete: deleted_at
        columns: { note_id: { type: nanoid, key: true }, person_id: text?, deleted_at: timestamptz? }
      carts:\n`,
  );

let database: TestDatabase;
let pool: ReturnType<typeof createPool>;
let worker: CascadeWorker | undefined;
const sql = (text: string) => database.client.query(text);

beforeAll(async () => {
  database = await openDatabase(inject("postgres"));
  await sql(`CREATE TABLE likes (like_id bigserial PRIMARY KEY, cart_id text NOT NULL, gone boolean NOT NULL DEFAULT false);
    CREATE TABLE parcels (parcel_id bigserial PRIMARY KEY, weight integer NOT NULL, "deletedAt" timestamptz)`);
  await applyFiles(database.client, plan(compile(TEXT)).files.shop ?? []);
  pool = createPool(database.url);
});
afterAll(async () => {
  await pool.end();
  await database.close();
});
afterEach(async () => {
  await worker?.stop();
  await sql("DELETE FROM carts; DELETE FROM notes; DELETE FROM mesh.cascade_task");
});

/** The row's task, and a worker whose hook runs `meanwhile`. Gives what is left once the hook has come through. */
async function left(table: TableDefinition, meanwhile: string) {
  const { name, key } = table;
  const more = table === carts ? [", label", ", 'old'"] : ["", ""];
  await sql(`INSERT INTO ${name} (${key}, person_id${more[0]}) VALUES ('k', 'a'${more[1]});
    INSERT INTO mesh.cascade_task (entity, entity_id, hook, table_name, row_key)
      VALUES ('crm.person', 'a', 'keepWishes', '${name}', 'k')`);
  const before = { name: "keepWishes", call: async () => void (await sql(meanwhile)) };
  const consumer = shopPersonConsumer();
  const events = consumer.events.map((consumed) => ({
    ...consumed,
    cascades:
      consumed.event.change === "delete"
        ? [{ action: "delete" as const, table, column: "person_id", before }]
        : [],
  }));
  const started = startCascadeWorker({
    pool,
    consumers: [{ ...consumer, events }],
    logger: silent,
    pollMs: 50,
  });
  worker = started;
  await waitFor(() => started.stats().done === 1, { what: "the hook to come through" });
  const rows = await sql(`SELECT FROM ${name} WHERE deleted_at IS NULL`);
  const tasks = await sql("SELECT FROM mesh.cascade_task");
  return { living: rows.rowCount, tasks: tasks.rowCount };
}

const INSERTED = "(cart_id, person_id, label) VALUES ('k', 'a', 'new')";
const MERGED = `MERGE INTO carts USING (VALUES ('k')) AS given (cart_id) ON carts.cart_id = given.cart_id
  WHEN MATCHED THEN UPDATE SET deleted_at = NULL
  WHEN NOT MATCHED THEN INSERT (cart_id, person_id, label) VALUES ('k', 'a', 'new')`;
const UPSERTED = `INSERT INTO carts ${INSERTED} ON CONFLICT (cart_id) DO UPDATE SET deleted_at = NULL`;

describe("a row that takes the key of one whose hook is being called is spared", () => {
  test.each([
    ["it was deleted softly, and is brought back", "", "UPDATE carts SET deleted_at = NULL"],
    ["INSERT", "DELETE", `INSERT INTO carts ${INSERTED}`],
    ["COPY", "DELETE", "COPY carts (cart_id, person_id, label) FROM PROGRAM 'echo k,a,new' (FORMAT csv)"],
    ["INSERT … ON CONFLICT, which inserts", "DELETE", UPSERTED],
    ["INSERT … ON CONFLICT, which brings it back", "", UPSERTED],
    ["MERGE, which inserts", "DELETE", MERGED],
    ["MERGE, which brings it back", "", MERGED],
  ])("%s", async (_, gone, comes) => {
    const goes = gone === "" ? "UPDATE carts SET deleted_at = now()" : "DELETE FROM carts";
    expect(await left(carts, `${goes}; ${comes}`)).toEqual({ living: 1, tasks: 0 });
  });

  test("also where nothing is told of the table", async () => {
    const meanwhile = "UPDATE notes SET deleted_at = now(); UPDATE notes SET deleted_at = NULL";
    expect(await left(notes, meanwhile)).toEqual({ living: 1, tasks: 0 });
  });

  test.each([
    ["was only changed", "UPDATE carts SET label = 'x', deleted_at = NULL"],
    ["stays deleted softly", "UPDATE carts SET deleted_at = now()"],
  ])("and one that %s goes", async (_, meanwhile) => {
    expect(await left(carts, meanwhile)).toEqual({ living: 0, tasks: 0 });
  });
});
