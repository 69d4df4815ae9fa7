import type pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { distrustVersions } from "../../../runtime/consumer/stream-epoch.js";
import type { ConsumerDefinition } from "../../../runtime/definition/consumer-definition.js";
import type { TableDefinition } from "../../../runtime/definition/table-definition.js";
import { type ApplyContext, applyBatch } from "../../../runtime/inbox/apply.js";
import { buildModel } from "../../../runtime/inbox/consumer-model.js";
import { parseMessage } from "../../../runtime/inbox/parse.js";
import { readBookkeeping } from "../../../runtime/operate/figures.js";
import { expireDeleted } from "../../../runtime/service/tombstone-expiry.js";
import { silent } from "../../support/loggers.js";
import { waitFor } from "../../support/servers.js";
import { startTcpProxy } from "../../support/tcp-proxy.js";
import {
  createPool,
  createServiceDatabase,
  deliver,
  type Sent,
  userConsumer,
} from "../../support/user-consumer.js";

const DAY = 86_400;

const consumer: ConsumerDefinition = {
  ...userConsumer(),
  stream: { ...userConsumer().stream, tombstoneSeconds: 90 * DAY },
};
const things: TableDefinition = {
  name: "things",
  key: "thing_id",
  entity: "thing",
  columns: [{ name: "thing_id", type: "uuid" }],
};
const definition = {
  name: "compute",
  stream: { ...userConsumer().stream, tombstoneSeconds: 90 * DAY },
  tables: [things],
  consumers: [consumer],
};

let pool: pg.Pool;
beforeAll(async () => {
  pool = createPool(await createServiceDatabase(inject("postgres")));
  await pool.query("CREATE TABLE things (thing_id UUID PRIMARY KEY)");
});
afterAll(() => pool.end());
beforeEach(async () => {
  await pool.query(`TRUNCATE user_cache, things, mesh.applied, mesh.entity_version, mesh.dead_letter, mesh.attempt,
    mesh.cascade_task, mesh.outbox, mesh.subscription`);
});

async function hear(sent: Sent): Promise<number> {
  const model = buildModel(consumer);
  const context: ApplyContext = { pool, model, logger: silent, origin: "event" };
  const parsed = parseMessage(model, deliver(sent), sent.seq);
  if (!parsed.ok) throw new Error(parsed.rejected.reason);
  return (await applyBatch(pool, context, [parsed.incoming])).fresh;
}

const forget = () => expireDeleted({ pool, definition, logger: silent });
/** Moves what is stored back in time by this much. */
const pass = async (days: number) => {
  await pool.query("UPDATE mesh.applied SET deleted_at = deleted_at - make_interval(days => $1)", [days]);
  await pool.query("UPDATE mesh.entity_version SET gone_at = gone_at - make_interval(days => $1)", [days]);
};
const remembered = async () =>
  (await pool.query<{ id: string }>("SELECT entity_id AS id FROM mesh.applied ORDER BY 1")).rows.map(
    ({ id }) => id,
  );
const users = async () => (await pool.query("SELECT user_id FROM user_cache")).rows.map((row) => row.user_id);

describe("a tombstone", () => {
  it("keeps late events out for as long as its stream says, then expires; a live entity's state does not", async () => {
    await hear({ id: "gone", action: "created", seq: 1, version: 1 });
    await hear({ id: "gone", action: "deleted", seq: 3, version: 3 });
    await hear({ id: "alive", action: "created", seq: 2, version: 1 });
    expect(await forget()).toEqual({ tombstones: 0, counters: 0 });
    await pass(89);
    expect(await forget()).toEqual({ tombstones: 0, counters: 0 });
    // A redelivery within that time does not undo the deletion.
    expect(await hear({ id: "gone", action: "updated", seq: 2, version: 2 })).toBe(0);
    expect(await hear({ id: "gone", action: "created", seq: 1, version: 1 })).toBe(0);
    expect(await users()).toEqual(["alive"]);
    await pass(2);
    expect(await forget()).toEqual({ tombstones: 1, counters: 0 });
    expect(await remembered()).toEqual(["alive"]);
    // The owner has forgotten the counter, too: a re-creation starts at version 1.
    expect(await hear({ id: "gone", action: "created", seq: 900, version: 1 })).toBe(1);
    expect((await users()).sort()).toEqual(["alive", "gone"]);
  });

  it("starts its time again where the entity was created and deleted again meanwhile", async () => {
    await hear({ id: "a", action: "created", seq: 1, version: 1 });
    await hear({ id: "a", action: "deleted", seq: 2, version: 2 });
    await forget();
    await pass(89);
    await hear({ id: "a", action: "created", seq: 3, version: 3 });
    await pass(5);
    expect(await forget()).toMatchObject({ tombstones: 0 });
    await hear({ id: "a", action: "deleted", seq: 4, version: 4 });
    expect(await forget()).toMatchObject({ tombstones: 0 });
    await pass(89);
    expect(await forget()).toMatchObject({ tombstones: 0 });
    await pass(2);
    expect(await forget()).toMatchObject({ tombstones: 1 });
  });

  it("stays while a dead letter, an attempt or a cascade waits for its entity, and is not waited for", async () => {
    for (const [at, id] of ["letter", "attempt", "task", "locked", "free"].entries())
      await hear({ id, action: "deleted", seq: at + 1, version: 1 });
    await pool.query(`INSERT INTO mesh.dead_letter (durable, stream, stream_seq, subject, body, error, entity, entity_id)
      VALUES ('d', 's', 1, 's', '', 'e', 'auth.user', 'letter');
      INSERT INTO mesh.attempt (stream, stream_seq, durable, entity, entity_id) VALUES ('s', 1, 'd', 'auth.user', 'attempt');
      INSERT INTO mesh.cascade_task (entity, entity_id, hook, table_name, row_key) VALUES ('auth.user', 'task', 'r', 't', 'k')`);
    await forget();
    await pass(91);
    const other = await pool.connect();
    await other.query("BEGIN; SELECT FROM mesh.applied WHERE entity_id = 'locked' FOR UPDATE");
    expect(await forget()).toMatchObject({ tombstones: 1 });
    await other.query("ROLLBACK");
    other.release();
    expect(await remembered()).toEqual(["attempt", "letter", "locked", "task"]);
    await pool.query("UPDATE mesh.dead_letter SET settled_as = 'redriven'");
    expect(await forget()).toMatchObject({ tombstones: 2 });
    expect(await remembered()).toEqual(["attempt", "task"]);
  });

  it("expires in pages, by one replica at a time, and never where the stream does not say when", async () => {
    await pool.query(`INSERT INTO mesh.applied (entity, entity_id, version, versioned, deleted, stream_seq)
      SELECT 'auth.user', 'u' || i, 2, true, i % 2 = 0, i FROM generate_series(1, 12000) AS i`);
    await forget();
    await pass(91);
    const { tombstoneSeconds, ...stream } = consumer.stream;
    const forEver = { ...definition, consumers: [{ ...consumer, stream }] };
    expect(await expireDeleted({ pool, definition: forEver, logger: silent })).toMatchObject({
      tombstones: 0,
    });
    const both = await Promise.all([forget(), forget()]);
    expect(both.filter((done) => done === undefined)).toHaveLength(1);
    expect(both.find((done) => done !== undefined)).toMatchObject({ tombstones: 6_000 });
    expect(await remembered()).toHaveLength(6_000);
    await pool.query("ANALYZE mesh.applied");
    expect(await readBookkeeping(pool)).toMatchObject([
      { table: "mesh.applied", rows: 6_000 },
      { table: "mesh.entity_version" },
      { table: "mesh.seen" },
    ]);
  });
});

describe("an owner's counter", () => {
  const ids = ["00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"] as const;
  const next = async (id: string) =>
    Number(
      (await pool.query<{ v: string }>("SELECT mesh.next_version('compute.thing', $1) AS v", [id])).rows[0]
        ?.v,
    );

  it("goes on after a deletion, for twice as long as copies remember it", async () => {
    await pool.query("INSERT INTO things VALUES ($1)", [ids[0]]);
    for (const id of [...ids, ids[1]]) await next(id);
    await forget();
    await pass(179);
    expect(await forget()).toMatchObject({ counters: 0 });
    expect(await next(ids[1])).toBe(3);
    // Its counter moved on meanwhile: its time starts again.
    await pass(2);
    expect(await forget()).toMatchObject({ counters: 0 });
    await pass(181);
    expect(await forget()).toMatchObject({ counters: 1 });
    expect([await next(ids[0]), await next(ids[1])]).toEqual([2, 1]);
  });

  it("stays while an event has waited in the outbox as long as copies remember", async () => {
    await next(ids[1]);
    await forget();
    await pass(181);
    await pool.query(`INSERT INTO mesh.outbox (event_id, subject, entity, entity_id, version, body, created_at)
      VALUES (gen_random_uuid(), 's', 'compute.thing', 'x', 1, '{}', now() - interval '91 days')`);
    expect(await forget()).toMatchObject({ counters: 0 });
    await pool.query("TRUNCATE mesh.outbox");
    expect(await forget()).toMatchObject({ counters: 1 });
  });
});

describe("a copy that was away for longer than its owner counts on", () => {
  it("goes by sequence, so that an incarnation that starts at version 1 again is applied", async () => {
    await hear({ id: "a", action: "created", seq: 1, version: 1 });
    await hear({ id: "a", action: "updated", seq: 2, version: 7 });
    await hear({ id: "b", action: "deleted", seq: 3, version: 9 });
    const model = buildModel(consumer);
    await pool.query(
      "INSERT INTO mesh.subscription (durable, stream, snapshot_at) VALUES ('compute_auth_user', 'AUTH', now() - interval '179 days')",
    );
    expect(await distrustVersions(pool, model)).toBe(0);
    expect(await hear({ id: "a", action: "created", seq: 10, version: 1 })).toBe(0);
    await pool.query("UPDATE mesh.subscription SET snapshot_at = now() - interval '181 days'");
    expect(await distrustVersions(pool, model)).toBe(2);
    expect(await hear({ id: "a", action: "created", seq: 10, version: 1 })).toBe(1);
    expect(await hear({ id: "b", action: "created", seq: 11, version: 1 })).toBe(1);
    expect((await users()).sort()).toEqual(["a", "b"]);
  });
});

it("loses its connection in the middle of a pass, and the process goes on", async () => {
  const url = new URL(pool.options.connectionString ?? "");
  const proxy = await startTcpProxy({ host: url.hostname, port: Number(url.port) });
  url.port = String(proxy.port);
  const far = createPool(url.href);
  const blocker = await pool.connect();
  try {
    await blocker.query("BEGIN; LOCK TABLE mesh.applied IN ACCESS EXCLUSIVE MODE");
    const failed = expect(expireDeleted({ pool: far, definition, logger: silent })).rejects.toThrow();
    await waitFor(async () => {
      const { rowCount } = await pool.query(
        "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
      );
      return rowCount === 1;
    });
    expect(proxy.cut()).toBe(1);
    await failed;
    await blocker.query("ROLLBACK");
  } finally {
    blocker.release();
    await far.end();
    await proxy.close();
  }
});
