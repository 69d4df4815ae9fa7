import pg from "pg";
import { afterEach, beforeEach, expect, inject, test } from "vitest";
import type { TableDefinition } from "../../runtime/definition/table-definition.js";
import { buildServer } from "../../runtime/http/server.js";
import { keyDigests } from "../../runtime/values/access-keys.js";
import { people } from "../scenarios/emit/soft-deletion/expected/crm/tables.js";
import { shopPersonConsumer } from "../scenarios/emit/soft-deletion/expected/shop/consumers/crm-person.js";
import { compile, readMesh } from "../support/compile.js";
import { type Subscriber, subscribe } from "../support/composite-keys.js";
import { silent } from "../support/loggers.js";
import { applyFiles, chain, openDatabase, plan, shop, type TestDatabase } from "../support/migrations.js";

/* A table with rows gets soft deletion, deletes by another column, or softly no longer; its copies follow with their next snapshot. */

const TEXT = readMesh("test/scenarios/emit/soft-deletion/mesh.yaml");
const SAID = /soft_delete: deleted_at {2,}.*\n/;
const { softDelete: _, ...kept } = people;
const SOFT = compile(TEXT);
const PLAIN = compile(TEXT.replace(SAID, "\n"));

let crm: TestDatabase;
let copies: TestDatabase;
let pools: readonly [pg.Pool, pg.Pool];
/** How many the stream has. */
let messages: number;
beforeEach(async () => {
  messages = 0;
  crm = await openDatabase(inject("postgres"));
  copies = await openDatabase(inject("postgres"));
  await copies.client.query(`CREATE TABLE likes (like_id bigserial PRIMARY KEY, cart_id text NOT NULL, gone boolean NOT NULL DEFAULT false);
    CREATE TABLE parcels (parcel_id bigserial PRIMARY KEY, weight integer NOT NULL, "deletedAt" timestamptz)`);
  await applyFiles(copies.client, plan(SOFT).files.shop ?? []);
  const pool = (url: string) => new pg.Pool({ connectionString: url, max: 4, options: "-c TimeZone=UTC" });
  pools = [pool(crm.url), pool(copies.url)];
});
afterEach(async () => {
  await Promise.all(pools.map((pool) => pool.end()));
  await crm.close();
  await copies.close();
});

/** Calls `work` with a copy whose snapshots come from this table. */
async function copying(table: TableDefinition, work: (copy: Subscriber) => Promise<void>): Promise<void> {
  const app = buildServer({
    service: "crm",
    resources: [{ path: "/api/people", table }],
    pool: pools[0],
    keys: { operator: keyDigests("key"), callers: [] },
    logger: silent,
    health: async () => ({ status: "ready", checks: {} }),
    operations: { resyncable: () => [], resync: async (durable) => ({ durable }) },
    closed: () => undefined,
  });
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  const source = { url, variable: "CRM_SERVICE_URL", keyVariable: "SHOP_TO_CRM_KEY", after: messages };
  try {
    await work(subscribe(pools[1], shopPersonConsumer(), source));
  } finally {
    await app.close();
  }
}

async function take() {
  const { rows } = await crm.client.query<{ subject: string; body: string }>(
    "SELECT subject, body FROM mesh.outbox ORDER BY seq",
  );
  await crm.client.query("DELETE FROM mesh.outbox");
  messages += rows.length;
  return rows;
}

const cached = async () =>
  (await pools[1].query("SELECT person_id, name FROM person_cache ORDER BY 1")).rows.map(
    ({ person_id, name }) => `${person_id} ${name}`,
  );

test.for([
  ["stays", PLAIN],
  ["goes too", compile(TEXT.replace(SAID, "\n").replace(/( name: text\n) +deleted_at: timestamp\?\n/, "$1"))],
] as const)(
  "where soft_delete is removed and its column %s, deleted rows come back to copies with a snapshot",
  async ([, next]) => {
    const before = plan(SOFT).files.crm ?? [];
    await applyFiles(crm.client, before);
    await copying(people, async (copy) => {
      await crm.client.query(
        "INSERT INTO people (person_id, name, deleted_at) VALUES ('a', 'A', NULL), ('b', 'B', NULL), ('born', 'gone', now())",
      );
      await copy.apply(await take());
      await crm.client.query("UPDATE people SET deleted_at = now() WHERE person_id = 'a'");
      await copy.apply(await take());
      expect(await cached()).toEqual(["b B"]);
    });
    const planned = plan(next, { service: "crm", existing: before, allowDestructive: true });
    expect(planned.refusals).toEqual([]);
    await applyFiles(crm.client, planned.files.crm ?? []);
    expect(await take()).toEqual([]);
    const columns = kept.columns.filter(({ name }) => next === PLAIN || name !== "deleted_at");
    await copying({ ...kept, columns }, async (copy) => {
      expect(await copy.snapshot()).toBe(0);
      expect(await cached()).toEqual(["a A", "b B", "born gone"]);
      expect((await copy.verify()).sample).toEqual([]);
      await crm.client.query("UPDATE people SET name = name || '!'");
      await copy.apply(await take());
      expect(await cached()).toEqual(["a A!", "b B!", "born gone!"]);
    });
  },
);

test("where soft_delete is added, copies drop rows that have its column set with a snapshot", async () => {
  const before = plan(PLAIN).files.crm ?? [];
  await applyFiles(crm.client, before);
  await copying(kept, async (copy) => {
    await crm.client.query("INSERT INTO people VALUES ('a', 'A', NULL), ('b', 'B', NULL)");
    await crm.client.query("UPDATE people SET deleted_at = now() WHERE person_id = 'a'");
    await copy.apply(await take());
    expect(await cached()).toEqual(["a A", "b B"]);
  });
  await applyFiles(crm.client, plan(SOFT, { service: "crm", existing: before }).files.crm ?? []);
  await copying(people, async (copy) => {
    expect(await copy.snapshot()).toBe(0);
    expect(await cached()).toEqual(["b B"]);
    expect((await copy.verify()).sample).toEqual([]);
    await crm.client.query("UPDATE people SET deleted_at = NULL");
    await copy.apply(await take());
    expect(await cached()).toEqual(["a A", "b B"]);
  });
});

test("rows deleted by the former column of soft_delete are new incarnations, and their moments to come are noted", async () => {
  const model = (said: string, columns: string) =>
    shop(
      `loans:\n  key: [id, no]\n  ${said}\n  columns: { id: text, no: bigint, at: timestamptz?, ${columns} }`,
      `shop.loan.{id}.created: { event: LoanCreated, emit: { table: loans, on: insert }, payload: {} }
shop.loan.{id}.deleted: { event: LoanDeleted, emit: { table: loans, on: delete }, payload: {} }
shop.loan.{id}.due: { event: LoanDue, emit: { table: loans, at: at }, payload: {} }`,
    );
  const models = [
    model("soft_delete: gone", "gone: timestamptz?, away: { type: boolean, default: false }"),
    model(
      "soft_delete: ended",
      "ended: { type: timestamptz, null: true, renamed_from: gone }, away: { type: boolean, default: false }",
    ),
    model("soft_delete: away", "ended: timestamptz?, away: { type: boolean, default: false }"),
  ];
  const to = (count: number) => applyFiles(crm.client, chain(models.slice(0, count)));
  const versions = async () =>
    (
      await crm.client.query(
        "SELECT entity_id AS id, version, first_version AS first FROM mesh.entity_version ORDER BY 1",
      )
    ).rows.map(({ id, version, first }) => `${id} ${version} since ${first}`);
  const moments = async () =>
    (await crm.client.query("SELECT row_key[1] AS id FROM mesh.moment ORDER BY 1")).rows.map(({ id }) => id);
  await to(1);
  await crm.client.query(
    "INSERT INTO loans VALUES ('a:1', 1, '2999-01-01Z', NULL, false), ('b', 2, '2999-01-01Z', NULL, false)",
  );
  await crm.client.query("UPDATE loans SET gone = now() WHERE no = 1");
  await to(2);
  expect(await versions()).toEqual(["a%3A1:1 2 since 1", "b:2 1 since 1"]);
  expect(await moments()).toEqual(["b"]);
  await to(3);
  expect(await versions()).toEqual(["a%3A1:1 3 since 3", "b:2 1 since 1"]);
  expect(await moments()).toEqual(["a:1", "b"]);
});
