import { randomUUID } from "node:crypto";
import type pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { applyAtOnce, prepareBatch, processBatch } from "../../../runtime/consumer/batch.js";
import type { BatchContext } from "../../../runtime/consumer/batch-context.js";
import { listDeadLetters, redriveDeadLetter } from "../../../runtime/consumer/dead-letters.js";
import { readPendingRetries } from "../../../runtime/consumer/retries.js";
import type { ConsumerDefinition } from "../../../runtime/definition/consumer-definition.js";
import type { Tx } from "../../../runtime/definition/hook-definition.js";
import { createInsertThrottle } from "../../../runtime/inbox/insert-throttle.js";
import { batchContext, receivedBy } from "../../support/batch-context.js";
import { silent } from "../../support/loggers.js";
import { waitFor } from "../../support/servers.js";
import {
  createPool,
  createServiceDatabase,
  type DefinitionChoices,
  deliver,
  profileConsumer,
  type Sent,
  type TestDelivery,
  userConsumer,
} from "../../support/user-consumer.js";

let pool: pg.Pool;

beforeAll(async () => {
  pool = createPool(await createServiceDatabase(inject("postgres")));
});
afterAll(async () => {
  await pool.end();
});
beforeEach(async () => {
  await pool.query(`TRUNCATE user_cache, profile_cache, namespaces, containers, ssh_keys, calls, mesh.applied, mesh.seen,
    mesh.attempt, mesh.dead_letter, mesh.cascade_task, mesh.subscription`);
  await pool.query("INSERT INTO mesh.subscription (durable, stream) VALUES ('compute_auth_user', 'AUTH')");
});

const contextOf = (definition: ConsumerDefinition) => batchContext(pool, definition);

async function runBatch(context: BatchContext, sent: readonly Sent[]): Promise<readonly TestDelivery[]> {
  const deliveries = sent.map(deliver);
  const received = receivedBy(context, deliveries);
  const prepared = prepareBatch(context, 0, received);
  const { outcome, settle } =
    prepared === undefined
      ? { outcome: "not-tried", settle: () => undefined }
      : await applyAtOnce(context, received, prepared);
  settle();
  if (outcome === "applied") return deliveries;
  const { bySeq } = await readPendingRetries(pool, context.model.definition.durable);
  const skipFastPath = outcome === "left-some-out" ? true : undefined;
  await processBatch({ ...context, skipFastPath }, received, bySeq);
  return deliveries;
}

async function apply(
  sent: readonly Sent[],
  choices: DefinitionChoices = {},
): Promise<readonly TestDelivery[]> {
  return await runBatch(contextOf(userConsumer(choices)), sent);
}

async function users(): Promise<Record<string, string>> {
  const { rows } = await pool.query("SELECT user_id, username FROM user_cache ORDER BY user_id");
  return Object.fromEntries(rows.map((row) => [row.user_id, row.username]));
}

const named = (username: string) => ({ payload: { username } });

describe("effect once, in order", () => {
  it("is idempotent: a batch that is redelivered is written once", async () => {
    const batch = [
      { action: "created", id: "a", seq: 1, version: 1 },
      { action: "created", id: "b", seq: 2, version: 1 },
    ];
    const first = await apply(batch);
    await pool.query("UPDATE user_cache SET username = 'touched' WHERE user_id = 'a'");
    const again = await apply(batch.map((sent) => ({ ...sent, seq: sent.seq + 100 })));
    expect([...first, ...again].map((delivery) => delivery.outcome())).toEqual(["ack", "ack", "ack", "ack"]);
    expect(await users()).toEqual({ a: "touched", b: "name-b" });
  });

  it("inserts optimistically what is created, and guards it where a redelivery shows a conflict", async () => {
    const context = { ...contextOf(userConsumer()), insertThrottle: createInsertThrottle() };
    const tally = context.tally;
    const batch: readonly Sent[] = [
      { action: "created", id: "a", seq: 1, version: 1 },
      { action: "updated", id: "a", seq: 2, version: 2, ...named("renamed") },
      { action: "created", id: "b", seq: 3, version: 1 },
    ];
    await runBatch(context, batch);
    expect(await users()).toEqual({ a: "renamed", b: "name-b" });
    expect(context.insertThrottle.mayTry()).toBe(true);
    await pool.query("UPDATE user_cache SET username = 'touched' WHERE user_id = 'b'");
    await runBatch(context, [
      ...batch.map((sent) => ({ ...sent, seq: sent.seq + 100 })),
      { action: "created", id: "c", seq: 104, version: 1 },
      { action: "updated", id: "a", seq: 105, version: 3, ...named("again") },
    ]);
    expect(await users()).toEqual({ a: "again", b: "touched", c: "name-c" });
    expect(tally.applied + tally.stale).toBe(8);
    expect([context.insertThrottle.mayTry(), context.insertThrottle.mayTry()]).toEqual([false, true]);
  });

  it("gives a name that a change frees to one who is created after it", async () => {
    await apply([{ action: "created", id: "a", seq: 1, version: 1, ...named("wanted") }]);
    const context = { ...contextOf(userConsumer()), insertThrottle: createInsertThrottle() };
    await runBatch(context, [
      { action: "updated", id: "a", seq: 2, version: 2, ...named("other") },
      { action: "created", id: "b", seq: 3, version: 1, ...named("wanted") },
    ]);
    expect(await users()).toEqual({ a: "other", b: "wanted" });
  });

  it("drops a duplicate without a version by its event id, redelivered or published again under another sequence", async () => {
    const eventId = randomUUID();
    await apply([
      { action: "created", id: "a", seq: 1, version: 1 },
      { action: "updated", id: "a", seq: 2, eventId, ...named("old") },
      { action: "updated", id: "a", seq: 3, ...named("new") },
    ]);
    await apply([{ action: "updated", id: "a", seq: 900, eventId, ...named("old") }]);
    expect(await users()).toEqual({ a: "new" });
  });

  it("applies the documented messages, placeholders and all", async () => {
    const metadata = {
      event_id: "uuid-v4",
      entity_id: "nanoid-user-id",
      timestamp: 1705920000,
      source: "auth-service",
    };
    const user = { user_id: "V1StGXR8_Z5jdHi6B-myT", username: "johndoe" };
    const id = user.user_id;
    const created = JSON.stringify({
      metadata: { ...metadata, version: 1 },
      ...user,
      display_name: "John Doe",
    });
    const updated = JSON.stringify({ metadata, ...user, display_name: "John D." });
    const deleted = JSON.stringify({ metadata, ...user });
    await apply([{ action: "created", id, seq: 1, raw: created }]);
    await apply([{ action: "updated", id, seq: 2, raw: updated }]);
    const { rows } = await pool.query(
      "SELECT user_id, username, display_name, synced_at IS NOT NULL AS synced FROM user_cache",
    );
    expect(rows).toEqual([{ ...user, display_name: "John D.", synced: true }]);
    await apply([{ action: "deleted", id, seq: 3, raw: deleted }]);
    await apply([
      { action: "updated", id, seq: 2, raw: updated },
      { action: "created", id, seq: 1, raw: created },
    ]);
    expect(await users()).toEqual({});
    await apply([{ action: "created", id, seq: 9, raw: created }]);
    expect(await users()).toEqual({});
  });

  it("out of order: names the events after a version gap, and waits for earlier versions first", async () => {
    const missed: string[] = [];
    const context: BatchContext = {
      ...contextOf(userConsumer()),
      versionGaps: {
        delays: async (events) => {
          missed.push(...events.map(({ id, version }) => `${id} ${version}`));
          return new Map();
        },
        behind: () => [],
        timesDeferred: () => 0,
        applied: () => undefined,
      },
    };
    const versions = async () => {
      const { rows } = await pool.query("SELECT entity_id, version FROM mesh.applied ORDER BY 1");
      return rows.map(({ entity_id, version }) => `${entity_id} ${version}`);
    };
    await pool.query("INSERT INTO containers (container_id, user_id) VALUES ('c', 'named')");
    const update = (id: string, version: number, seq: number): Sent => ({
      action: "updated",
      id,
      version,
      seq,
    });
    await runBatch(context, [update("unheard-of", 6, 1), { action: "created", id: "a", seq: 2, version: 1 }]);
    await runBatch(context, [update("a", 2, 3), update("unheard-of", 7, 4), update("a", 3, 5)]);
    expect([missed, await versions()]).toEqual([[], ["a 3", "named null", "unheard-of 7"]]);
    await runBatch(context, [update("a", 5, 6), update("unheard-of", 8, 7)]);
    await runBatch(context, [update("a", 6, 8), update("a", 8, 9), update("named", 2, 10)]);
    expect([missed, await versions()]).toEqual([
      ["a 5", "a 8", "named 2"],
      ["a 8", "named 2", "unheard-of 8"],
    ]);
  });

  it("keeps a tombstone against late and redelivered events, and takes a true re-creation", async () => {
    await apply([
      { action: "created", id: "a", seq: 1, version: 1 },
      { action: "deleted", id: "a", seq: 3, version: 3 },
    ]);
    await apply([
      { action: "updated", id: "a", seq: 4, version: 2 },
      { action: "created", id: "a", seq: 5, version: 1 },
    ]);
    expect(await users()).toEqual({});
    await apply([{ action: "created", id: "a", seq: 6, version: 4, ...named("again") }]);
    expect(await users()).toEqual({ a: "again" });
  });

  it.each([
    ["in one statement", {}],
    ["one by one", { hooks: { created: async () => undefined } }],
  ])("wants a snapshot for an update after an inferred deletion, %s", async (_, choices) => {
    await apply([{ action: "created", id: "a", seq: 1, version: 1 }]);
    // As a snapshot leaves it that no longer finds the row: the deletion's own version is not known.
    await pool.query("UPDATE mesh.applied SET deleted = true, versioned = false, stream_seq = 5");
    await pool.query("DELETE FROM user_cache");
    const wanted = async () =>
      (await pool.query("SELECT snapshot_wanted FROM mesh.subscription")).rows[0].snapshot_wanted;
    await apply([{ action: "updated", id: "a", seq: 4, version: 2, ...named("before") }], choices);
    expect([await users(), await wanted()]).toEqual([{}, null]);
    await apply([{ action: "updated", id: "a", seq: 8, version: 5, ...named("renamed") }], choices);
    expect(await users()).toEqual({});
    expect(await wanted()).toBe("a: version 5 came, and its incarnation is not known");
    await apply([{ action: "created", id: "a", seq: 7, version: 4, ...named("again") }], choices);
    expect(await users()).toEqual({ a: "again" });
  });

  it("runs the hook of a deletion that a re-creation implies, before the new incarnation's, and once", async () => {
    const seen: string[] = [];
    const hooks: DefinitionChoices["hooks"] = {
      created: async ({ event, origin }) => void seen.push(`${origin} created ${event.username}`),
      deleted: async ({ event, origin }) => void seen.push(`${origin} deleted ${event.username}`),
    };
    await apply([{ action: "created", id: "a", seq: 1, version: 1, ...named("first") }], { hooks });
    await apply([{ action: "created", id: "a", seq: 3, version: 3, ...named("second") }], { hooks });
    await apply([{ action: "deleted", id: "a", seq: 2, version: 2, ...named("first") }], { hooks });
    expect(seen).toEqual(["event created first", "snapshot deleted first", "event created second"]);
    expect(await users()).toEqual({ a: "second" });
  });

  it("out of order: an older update after a newer one changes nothing", async () => {
    await apply([{ action: "updated", id: "a", seq: 9, version: 3, ...named("new") }]);
    await apply([{ action: "updated", id: "a", seq: 10, version: 2, ...named("old") }]);
    expect(await users()).toEqual({ a: "new" });
  });

  it("applies a batch in phases where a deleted entity is created again", async () => {
    await apply([
      { action: "created", id: "a", seq: 1, version: 1, ...named("x") },
      { action: "deleted", id: "a", seq: 2, version: 2 },
      { action: "created", id: "b", seq: 3, version: 1, ...named("x") },
      { action: "created", id: "a", seq: 4, version: 3, ...named("y") },
      { action: "updated", id: "a", seq: 5, version: 4, ...named("z") },
    ]);
    expect(await users()).toEqual({ a: "z", b: "x" });
    const { rows } = await pool.query("SELECT entity_id, version, deleted FROM mesh.applied ORDER BY 1");
    expect(rows).toEqual([
      { entity_id: "a", version: "4", deleted: false },
      { entity_id: "b", version: "1", deleted: false },
    ]);
  });

  it("clears an optional field that a full event leaves out", async () => {
    await apply([{ action: "created", id: "a", seq: 1, version: 1, payload: { display_name: "A" } }]);
    await apply([{ action: "updated", id: "a", seq: 2, version: 2 }]);
    const { rows } = await pool.query("SELECT display_name FROM user_cache");
    expect(rows).toEqual([{ display_name: "" }]);
  });

  it("stores every character that JSON can carry, but for NUL, which is a dead letter", async () => {
    const odd = 'q"b\\s\n\t\u0001é漢😀{},[]null';
    const deliveries = await apply([
      { action: "created", id: "a", seq: 1, version: 1, ...named(odd) },
      { action: "created", id: "b", seq: 2, version: 1, ...named("nu\0l") },
    ]);
    expect(await users()).toEqual({ a: odd });
    expect(deliveries.map((delivery) => delivery.outcome())).toEqual(["ack", "term"]);
  });
});

describe("events that carry a part", () => {
  it("out of order: merges the partial events of one batch in version order", async () => {
    const context = contextOf(profileConsumer());
    await runBatch(context, [
      { action: "created", id: "a", seq: 1, version: 1 },
      { action: "moved", id: "a", seq: 2, version: 3, payload: { city: "Bern" } },
      { action: "moved", id: "a", seq: 3, version: 2, payload: { city: "Rome" } },
      { action: "upgraded", id: "a", seq: 4, version: 4, payload: { plan: "pro" } },
    ]);
    const { rows } = await pool.query("SELECT username, city, plan FROM profile_cache");
    expect(rows).toEqual([{ username: "name-a", city: "Bern", plan: "pro" }]);
  });

  it("records that a snapshot is wanted for a partial event whose row is missing", async () => {
    const definition = profileConsumer();
    await pool.query("INSERT INTO mesh.subscription (durable, stream) VALUES ($1, 'AUTH')", [
      definition.durable,
    ]);
    const context = contextOf(definition);
    const [delivery] = await runBatch(context, [
      { action: "moved", id: "a", seq: 2, version: 2, payload: { city: "Bern" } },
    ]);
    expect(delivery?.outcome()).toBe("ack");
    expect(await listDeadLetters(pool)).toEqual([]);
    const { rows } = await pool.query(
      "SELECT snapshot_wanted FROM mesh.subscription WHERE durable = 'profile_auth_user'",
    );
    expect(rows[0].snapshot_wanted).toContain("1 missing row of profile_cache came in part");
  });

  it("wants a snapshot for a partial event after a version gap", async () => {
    const definition = profileConsumer();
    await pool.query("INSERT INTO mesh.subscription (durable, stream) VALUES ($1, 'AUTH')", [
      definition.durable,
    ]);
    await runBatch(contextOf(definition), [
      { action: "created", id: "a", seq: 1, version: 1 },
      { action: "moved", id: "a", seq: 9, version: 5, payload: { city: "Bern" } },
    ]);
    const { rows } = await pool.query(
      "SELECT snapshot_wanted, (SELECT city FROM profile_cache) FROM mesh.subscription WHERE durable = 'profile_auth_user'",
    );
    expect(rows).toEqual([{ snapshot_wanted: "a: versions between 1 and 5", city: "Bern" }]);
  });
});

describe("unique names", () => {
  const start: readonly Sent[] = [
    { action: "created", id: "a", seq: 1, version: 1, ...named("x") },
    { action: "created", id: "b", seq: 2, version: 1, ...named("y") },
  ];

  it("swaps two in one batch", async () => {
    await apply(start);
    const deliveries = await apply([
      { action: "updated", id: "a", seq: 3, version: 2, ...named("y") },
      { action: "updated", id: "b", seq: 4, version: 2, ...named("x") },
    ]);
    expect(await users()).toEqual({ a: "y", b: "x" });
    expect(deliveries.map((delivery) => delivery.outcome())).toEqual(["ack", "ack"]);
  });

  it("swaps two in two batches, in either order", async () => {
    await apply(start);
    await apply([{ action: "updated", id: "b", seq: 4, version: 2, ...named("x") }]);
    expect(await users()).toEqual({ a: "superseded:a", b: "x" });
    await apply([{ action: "updated", id: "a", seq: 3, version: 2, ...named("y") }]);
    expect(await users()).toEqual({ a: "y", b: "x" });
  });

  it("unique conflict: takes no name from a later claim that another replica is just applying", async () => {
    await apply(start);
    const replica = await pool.connect();
    try {
      await replica.query("BEGIN");
      await replica.query("UPDATE mesh.applied SET version = 3, stream_seq = 9 WHERE entity_id = 'a'");
      const applied = apply([{ action: "updated", id: "b", seq: 6, version: 2, ...named("x") }]);
      await waitFor(async () => {
        const { rowCount } = await pool.query("SELECT FROM pg_locks WHERE NOT granted");
        return (rowCount ?? 0) > 0;
      });
      // Renamed to another and back, which is one change here.
      await replica.query("UPDATE user_cache SET username = 'x' WHERE user_id = 'a'");
      await replica.query("COMMIT");
      await applied;
    } finally {
      replica.release();
    }
    expect(await users()).toEqual({ a: "x", b: "superseded:b" });
  });

  it("gives a freed name to whoever has it next, after a rename and after a deletion", async () => {
    await apply(start);
    await apply([
      { action: "updated", id: "a", seq: 3, version: 2, ...named("z") },
      { action: "created", id: "c", seq: 4, version: 1, ...named("x") },
      { action: "deleted", id: "b", seq: 5, version: 2 },
      { action: "created", id: "d", seq: 6, version: 1, ...named("y") },
    ]);
    expect(await users()).toEqual({ a: "z", c: "x", d: "y" });
  });

  it("unique conflict: the later claim wins when the event that frees the name comes last", async () => {
    await apply(start);
    await apply([{ action: "created", id: "c", seq: 9, version: 1, ...named("x") }]);
    await apply([{ action: "deleted", id: "a", seq: 8, version: 2 }]);
    expect(await users()).toEqual({ b: "y", c: "x" });
    await apply([{ action: "updated", id: "b", seq: 7, version: 2, ...named("x") }]);
    expect(await users()).toEqual({ b: "superseded:b", c: "x" });
  });
});

describe("poison and failing hooks", () => {
  it("makes poison (messages that are no events) dead letters, and applies the others", async () => {
    const deliveries = await apply([
      { action: "created", id: "a", seq: 1, version: 1 },
      { action: "created", id: "j", seq: 2, raw: "not json" },
      { action: "created", id: "e", seq: 3, raw: "" },
      { action: "created", id: "m", seq: 4, raw: Buffer.alloc(1 << 20, 0xfe) },
      { action: "created", id: "s", seq: 5, raw: '{"metadata":{"entity_id":"s"}}' },
      { action: "exploded", id: "u", seq: 6 },
      { action: "created", id: "b", seq: 7, version: 1 },
    ]);
    expect(deliveries.map((delivery) => delivery.outcome())).toEqual([
      "ack",
      "term",
      "term",
      "term",
      "term",
      "term",
      "ack",
    ]);
    expect(await users()).toEqual({ a: "name-a", b: "name-b" });
    const letters = await listDeadLetters(pool);
    expect(letters.map((letter) => [letter.seq, letter.error.split(":")[0]])).toEqual([
      [6, 'unknown action "exploded" of auth.user; known'],
      [5, "not a valid UserCreated"],
      [4, "not UTF-8"],
      [3, "empty message"],
      [2, "not JSON"],
    ]);
    expect(letters[2]?.bodyBytes).toBe(1 << 20);
  });

  it("says why a hook failed, whatever its library wrapped the reason in", async () => {
    const wrapped = (cause: unknown) => new Error("Failed query: insert into notes \0", { cause });
    const refused = async ({ tx }: { tx: Tx }) => {
      await tx.query("CREATE TEMPORARY TABLE notes (body TEXT NOT NULL)");
      await tx.query("INSERT INTO notes VALUES (NULL)").catch((cause: unknown) => {
        throw wrapped(cause);
      });
    };
    const context = contextOf(
      userConsumer({ hooks: { created: refused }, backoffSeconds: [0.05], attempts: 2 }),
    );
    const event = { action: "created", id: "a", seq: 1, version: 1 };
    await runBatch(context, [event]);
    const { rows: attempts } = await pool.query("SELECT last_error AS error FROM mesh.attempt");
    await new Promise((wake) => setTimeout(wake, 100));
    await runBatch(context, [{ ...event, deliveries: 2 }]);
    const { rows: letters } = await pool.query("SELECT error FROM mesh.dead_letter");
    for (const { error } of [...attempts, ...letters])
      expect(error).toMatch(/^hook: Failed query: .*; caused by: null value in column "body" .* \(23502\)$/);
    expect([attempts.length, letters.length]).toEqual([1, 1]);
  });

  it("does not count a deadlock that a library has wrapped", async () => {
    let deadlocks = 3;
    const context = contextOf(
      userConsumer({
        attempts: 1,
        hooks: {
          created: async ({ tx }) => {
            deadlocks -= 1;
            if (deadlocks < 0) return;
            await tx
              .query("DO $$ BEGIN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END $$")
              .catch((cause) => {
                throw new Error("Failed query", { cause: new Error("driver", { cause }) });
              });
          },
        },
      }),
    );
    const [delivery] = await runBatch(context, [{ action: "created", id: "a", seq: 1, version: 1 }]);
    expect(delivery?.outcome()).toBe("ack");
    expect((await pool.query("SELECT FROM mesh.dead_letter")).rowCount).toBe(0);
  });

  it("retries a hook that throws after its back-off, defers later events of the entity, and applies the others at once", async () => {
    let failures = 2;
    const seen: string[] = [];
    const hooks = {
      created: async ({ event }: { event: { user_id: string } }) => {
        if (event.user_id === "bad" && failures > 0) {
          failures -= 1;
          throw new Error("not yet");
        }
        seen.push(event.user_id);
      },
    };
    const context = contextOf(userConsumer({ hooks, backoffSeconds: [0.05] }));
    const bad = { action: "created", id: "bad", seq: 2, version: 1 };
    const behind = { action: "updated", id: "bad", seq: 3, version: 2, ...named("later") };
    const [ok1, first, waiting, ok2] = await runBatch(context, [
      { action: "created", id: "a", seq: 1, version: 1 },
      bad,
      behind,
      { action: "created", id: "b", seq: 4, version: 1 },
    ]);
    expect([ok1?.outcome(), ok2?.outcome()]).toEqual(["ack", "ack"]);
    expect(first?.outcome()).toEqual({ nak: 50 });
    expect(waiting?.outcome()).toHaveProperty("nak");
    await new Promise((wake) => setTimeout(wake, 100));
    const [early] = await runBatch(context, [{ ...behind, deliveries: 2 }]);
    expect(early?.outcome()).toHaveProperty("nak");
    await runBatch(context, [
      { ...behind, deliveries: 3 },
      { ...bad, deliveries: 2 },
    ]);
    await new Promise((wake) => setTimeout(wake, 100));
    const last = await runBatch(context, [
      { ...behind, deliveries: 4 },
      { ...bad, deliveries: 3 },
    ]);
    expect(last.map((delivery) => delivery.outcome())).toEqual(["ack", "ack"]);
    expect(await users()).toEqual({ a: "name-a", b: "name-b", bad: "later" });
    expect(seen.filter((id) => id === "bad")).toHaveLength(1);
    expect((await pool.query("SELECT FROM mesh.attempt")).rowCount).toBe(0);
  });

  it("makes an event a dead letter after its attempts, then goes on with its entity; a stale one cannot be redriven into it", async () => {
    let healed = false;
    const calls: string[] = [];
    const hooks = {
      created: async ({ event }: { event: { user_id: string } }) => {
        calls.push(event.user_id);
        if (!healed) throw new Error("always");
      },
    };
    const definition = userConsumer({ hooks, attempts: 3, backoffSeconds: [0.001] });
    const context = contextOf(definition);
    for (let round = 1; round <= 3; round += 1) {
      await new Promise((wake) => setTimeout(wake, 20));
      const [delivery] = await runBatch(context, [
        { action: "created", id: "bad", seq: 1, version: 1, deliveries: round },
      ]);
      expect(delivery?.outcome()).toEqual(round === 3 ? "term" : { nak: 1 });
    }
    expect(calls).toHaveLength(3);
    expect((await pool.query("SELECT FROM mesh.attempt")).rowCount).toBe(0);
    const [letter] = await listDeadLetters(pool);
    expect(letter).toMatchObject({ seq: 1, attempts: 3, error: "hook: always", entityId: "bad" });
    const id = letter?.id ?? 0;
    await expect(redriveDeadLetter({ pool, definition, id, logger: silent })).rejects.toThrow("always");
    healed = true;
    expect(await redriveDeadLetter({ pool, definition, id, logger: silent })).toEqual({ outcome: "applied" });
    expect(await redriveDeadLetter({ pool, definition, id, logger: silent })).toEqual({ outcome: "stale" });
    expect(await users()).toEqual({ bad: "name-bad" });
    expect(await listDeadLetters(pool)).toEqual([]);
  });

  it("counts an attempt before it is made once a message was redelivered suspiciously often", async () => {
    const during: unknown[] = [];
    const hooks = {
      created: async () => {
        const { rows } = await pool.query("SELECT attempts FROM mesh.attempt");
        during.push(...rows);
      },
    };
    await apply([{ action: "created", id: "a", seq: 1, version: 1, deliveries: 3 }], { hooks });
    expect(during).toEqual([{ attempts: 1 }]);
    await pool.query(`INSERT INTO mesh.attempt (stream, stream_seq, durable, entity, entity_id, attempts)
      VALUES ('AUTH', 2, 'compute_auth_user', 'auth.user', 'b', 3)`);
    const [killer] = await apply([{ action: "created", id: "b", seq: 2, version: 1, deliveries: 5 }], {
      hooks,
    });
    expect(killer?.outcome()).toBe("term");
    expect((await listDeadLetters(pool))[0]).toMatchObject({ attempts: 3, seq: 2 });
  });

  it("does not take a commit that was none for one: a hook that swallows its own SQL error fails", async () => {
    const hooks = {
      created: async ({ tx }: { tx: { query(text: string): Promise<unknown> } }) => {
        await tx.query("SELECT 1/0").catch(() => undefined);
      },
    };
    const [delivery] = await apply([{ action: "created", id: "a", seq: 1, version: 1 }], { hooks });
    expect(delivery?.outcome()).toHaveProperty("nak");
    expect(await users()).toEqual({});
  });
});

describe("cascades", () => {
  it("leaves no row that a rule names, and none can be attached afterwards", async () => {
    await apply([{ action: "created", id: "a", seq: 1, version: 1 }]);
    await pool.query("INSERT INTO namespaces VALUES ('n', 'n', 'a')");
    await pool.query("INSERT INTO containers (container_id, user_id) VALUES ('c', 'a')");
    await pool.query("INSERT INTO ssh_keys VALUES ('k', 'a')");
    await apply([{ action: "deleted", id: "a", seq: 2, version: 2 }]);
    const { rows } = await pool.query(`SELECT (SELECT count(*)::int FROM containers) AS containers,
      (SELECT count(*)::int FROM ssh_keys) AS keys, (SELECT owner_id FROM namespaces) AS owner`);
    expect(rows).toEqual([{ containers: 0, keys: 0, owner: null }]);
    await expect(
      pool.query("INSERT INTO containers (container_id, user_id) VALUES ('d', 'a')"),
    ).rejects.toThrow("deleted");
  });

  it("waits for a container that is being attached, and deletes it too", async () => {
    await apply([{ action: "created", id: "a", seq: 1, version: 1 }]);
    const client = await pool.connect();
    await client.query("BEGIN");
    await client.query(
      "INSERT INTO containers (container_id, user_id) VALUES ('c', 'a'), ('u', 'unheard-of')",
    );
    const deletions = apply([
      { action: "deleted", id: "a", seq: 2, version: 2 },
      { action: "deleted", id: "unheard-of", seq: 3, version: 7 },
    ]);
    await new Promise((wake) => setTimeout(wake, 200));
    await client.query("COMMIT");
    client.release();
    expect((await deletions).map((delivery) => delivery.outcome())).toEqual(["ack", "ack"]);
    expect((await pool.query("SELECT FROM containers")).rowCount).toBe(0);
  });

  it("runs them for a missed deletion, when the entity is created again", async () => {
    await apply([{ action: "created", id: "a", seq: 1, version: 1 }]);
    await pool.query("INSERT INTO ssh_keys VALUES ('k', 'a')");
    await apply([{ action: "created", id: "a", seq: 5, version: 3, ...named("again") }]);
    expect((await pool.query("SELECT FROM ssh_keys")).rowCount).toBe(0);
    expect(await users()).toEqual({ a: "again" });
  });

  it("turns a task that an earlier row of the same key left over to the row that is pending deletion now", async () => {
    const hooks = { before: async () => undefined };
    const taskOf = (user: string) =>
      pool.query(
        `INSERT INTO mesh.cascade_task (entity, entity_id, hook, table_name, row_key, attempts, next_at)
         VALUES ('auth.user', $1, 'tearDown', 'containers', 'c', 7, now() + interval '5 minutes')`,
        [user],
      );
    const tasks = async () =>
      (await pool.query("SELECT entity_id, attempts, next_at <= now() AS due FROM mesh.cascade_task")).rows;
    await taskOf("former");
    await apply([{ action: "created", id: "a", seq: 1, version: 1 }]);
    await pool.query("INSERT INTO containers (container_id, user_id) VALUES ('c', 'a')");
    await apply([{ action: "deleted", id: "a", seq: 2, version: 2 }], { hooks });
    expect(await tasks()).toEqual([{ entity_id: "a", attempts: 0, due: true }]);
    // The row of a former life of `a` itself: its hook goes on failing at its pace.
    await pool.query("TRUNCATE mesh.cascade_task");
    await taskOf("a");
    await apply([{ action: "created", id: "a", seq: 3, version: 3 }], { hooks });
    await apply([{ action: "deleted", id: "a", seq: 4, version: 4 }], { hooks });
    expect(await tasks()).toEqual([{ entity_id: "a", attempts: 7, due: false }]);
  });

  it("names, of each row that a batch of deletions takes, the event that caused it", async () => {
    await pool.query(`CREATE TABLE caused (container_id text, cause text);
CREATE FUNCTION note_cause() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO caused SELECT container_id, mesh.cause() ->> 'Mesh-Causation-Id' FROM gone; RETURN NULL;
END $$;
CREATE TRIGGER note AFTER DELETE ON containers REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION note_cause()`);
    const ids = ["a", "b", "c"];
    const created = await apply(ids.map((id, at) => ({ action: "created", id, seq: at + 1, version: 1 })));
    expect(created).toHaveLength(3);
    await pool.query(
      "INSERT INTO containers (container_id, user_id) VALUES ('a1', 'a'), ('a2', 'a'), ('b1', 'b')",
    );
    const deliveries = await apply([
      ...ids.map((id, at) => ({ action: "deleted", id, seq: at + 11, version: 2 })),
      { action: "created", id: "d", seq: 20, version: 1 },
    ]);
    const eventOf = (at: number) => JSON.parse(String(deliveries[at]?.body)).metadata.event_id;
    const { rows } = await pool.query("SELECT * FROM caused ORDER BY container_id");
    await pool.query("DROP TRIGGER note ON containers; DROP TABLE caused; DROP FUNCTION note_cause");
    expect(rows).toEqual([
      { container_id: "a1", cause: eventOf(0) },
      { container_id: "a2", cause: eventOf(0) },
      { container_id: "b1", cause: eventOf(1) },
    ]);
    expect(Object.keys(await users())).toEqual(["d"]);
  });

  it("gives what a hook writes its own event as the cause, each hook of a batch", async () => {
    const noted: unknown[] = [];
    const hooks = {
      created: async ({
        event,
        tx,
      }: {
        event: { metadata: { event_id: string } };
        tx: { query(text: string): Promise<{ rows: { cause: string }[] }> };
      }) => {
        const { rows } = await tx.query("SELECT mesh.cause() ->> 'Mesh-Causation-Id' AS cause");
        noted.push([event.metadata.event_id, rows[0]?.cause]);
      },
    };
    await apply(
      ["a", "b"].map((id, at) => ({ action: "created", id, seq: at + 1, version: 1 })),
      { hooks: hooks as never },
    );
    expect(noted).toHaveLength(2);
    for (const [event, cause] of noted as [string, string][]) expect(cause).toBe(event);
    expect(noted[0]).not.toEqual(noted[1]);
  });

  it("takes along what an earlier event's hook attached in the same batch", async () => {
    const hooks = {
      created: async ({
        event,
        tx,
      }: {
        event: { user_id: string };
        tx: { query(text: string, values: unknown[]): Promise<unknown> };
      }) => {
        await tx.query("INSERT INTO ssh_keys VALUES ($1, $1)", [event.user_id]);
      },
    };
    await apply(
      [
        { action: "created", id: "a", seq: 1, version: 1 },
        { action: "deleted", id: "a", seq: 2, version: 2 },
      ],
      { hooks },
    );
    expect((await pool.query("SELECT FROM ssh_keys")).rowCount).toBe(0);
  });
});

describe("the database in trouble", () => {
  it("holds the batch and tries again when its connection is cut, counting nothing", async () => {
    let cut = true;
    const hooks = {
      created: async ({ tx }: { tx: { query(text: string): Promise<unknown> } }) => {
        if (cut) {
          cut = false;
          await tx.query("SELECT pg_terminate_backend(pg_backend_pid())");
        }
      },
    };
    const deliveries = await apply(
      [
        { action: "created", id: "a", seq: 1, version: 1 },
        { action: "created", id: "b", seq: 2, version: 1 },
      ],
      { hooks },
    );
    expect(deliveries.map((delivery) => delivery.outcome())).toEqual(["ack", "ack"]);
    expect(await users()).toEqual({ a: "name-a", b: "name-b" });
    expect((await pool.query("SELECT FROM mesh.attempt")).rowCount).toBe(0);
    expect(await listDeadLetters(pool)).toEqual([]);
  });
});
