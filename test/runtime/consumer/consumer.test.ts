import { randomUUID } from "node:crypto";
import { connect, type JetStreamManager, type NatsConnection } from "nats";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import type { Broker } from "../../../runtime/broker/broker.js";
import { connectJetStream } from "../../../runtime/broker/jetstream.js";
import {
  type ConsumerOptions,
  type RunningConsumer,
  startConsumer,
} from "../../../runtime/consumer/consumer.js";
import { listDeadLetters } from "../../../runtime/consumer/dead-letters.js";
import { type AnsweringServer, startAnswering } from "../../support/answering-server.js";
import { silent } from "../../support/loggers.js";
import { waitFor } from "../../support/servers.js";
import {
  createPool,
  createServiceDatabase,
  type DefinitionChoices,
  eventBody,
  userConsumer,
} from "../../support/user-consumer.js";

let nats: NatsConnection;
let manager: JetStreamManager;
let source: AnsweringServer;
let sourceUsers: object[] | undefined;
/** What it answers once it has answered. */
let nextUsers: object[] | undefined;
let url: string;
let pool: pg.Pool;
let stream: string;
let consumers: RunningConsumer[];
let brokers: Broker[];

beforeAll(async () => {
  nats = await connect({ servers: inject("nats") });
  manager = await nats.jetstreamManager();
  source = await startAnswering((_, response) => {
    if (sourceUsers === undefined) response.writeHead(503).end("down");
    else response.end(JSON.stringify(sourceUsers));
    sourceUsers = nextUsers ?? sourceUsers;
  });
});
afterAll(async () => {
  await nats.close();
  await source.close();
});
beforeEach(async () => {
  stream = `S${randomUUID().slice(0, 8)}`;
  url = await createServiceDatabase(inject("postgres"));
  pool = createPool(url);
  consumers = [];
  brokers = [];
  sourceUsers = undefined;
  nextUsers = undefined;
});
afterEach(async () => {
  await Promise.all(consumers.map((consumer) => consumer.stop()));
  await Promise.all(brokers.map((broker) => broker.close()));
  await pool.end();
  await manager.streams.delete(stream).catch(() => false);
});

async function start(
  choices: DefinitionChoices = {},
  overrides: Partial<ConsumerOptions> = {},
): Promise<RunningConsumer> {
  const broker = await connectJetStream({ url: inject("nats"), name: "test", logger: silent });
  brokers.push(broker);
  const consumer = startConsumer({
    pool,
    broker,
    definition: userConsumer({ stream, ...choices }),
    env: {
      AUTH_SERVICE_URL: source.url,
      SFS_TO_AUTH_KEY: "k",
    },
    logger: silent,
    watchMs: 200,
    ...overrides,
  });
  consumers.push(consumer);
  return consumer;
}

interface Said {
  readonly id: string;
  readonly action: string;
  readonly version?: number;
  readonly username?: string;
}

async function say({ id, action, version, username }: Said): Promise<void> {
  const body = eventBody({
    id,
    ...(version === undefined ? {} : { version }),
    ...(username === undefined ? {} : { payload: { username } }),
  });
  await nats.jetstream().publish(`${stream}.user.${id}.${action}`, body);
}

async function names(): Promise<Record<string, string>> {
  const { rows } = await pool.query("SELECT user_id, username FROM user_cache ORDER BY user_id");
  return Object.fromEntries(rows.map((row) => [row.user_id, row.username]));
}

async function untilNames(expected: Record<string, string>, what: string): Promise<void> {
  await waitFor(async () => JSON.stringify(await names()) === JSON.stringify(expected), { what });
}

describe("a consumer", () => {
  it("forgets a pending retry of a message that another replica has settled meanwhile", async () => {
    const consumer = await start();
    await waitFor(() => consumer.stats().connected);
    await say({ id: "a", action: "created", version: 1, username: "ada" });
    await untilNames({ a: "ada" }, "the first event");
    // What a failure leaves behind that is recorded after a second delivery of the same message was applied and acked.
    await pool.query(
      `INSERT INTO mesh.attempt (stream, stream_seq, durable, entity, entity_id, attempts, next_at)
VALUES ($1, 1, 'compute_auth_user', 'auth.user', 'a', 1, now() + interval '1 second')`,
      [stream],
    );
    await waitFor(() => consumer.stats().attemptsWaiting === 1, { what: "the attempt to be seen" });
    await waitFor(() => consumer.stats().attemptsWaiting === 0, { what: "the attempt to be forgotten" });
    await say({ id: "a", action: "updated", version: 2, username: "ada lovelace" });
    await untilNames({ a: "ada lovelace" }, "the next event of its entity");
  });

  it("makes stream and durable, applies what comes, acks it all", async () => {
    const consumer = await start();
    await waitFor(() => consumer.stats().connected);
    await say({ id: "a", action: "created", version: 1 });
    await say({ id: "b", action: "created", version: 1 });
    await say({ id: "a", action: "updated", version: 2, username: "renamed" });
    await say({ id: "b", action: "deleted", version: 2 });
    await untilNames({ a: "renamed" }, "the cache");
    await waitFor(() => consumer.stats().pending === 0 && consumer.stats().ackPending === 0, {
      what: "all acks",
    });
    expect(consumer.stats()).toMatchObject({ connected: true, applied: 4, deadLetters: 0, stalled: false });
  });

  it("is not stalled by an event in its back-off", { timeout: 40_000 }, async () => {
    const hooks = {
      created: async () => {
        throw new Error("not yet");
      },
    };
    const consumer = await start({ hooks, attempts: 5, backoffSeconds: [60] });
    await waitFor(() => consumer.stats().connected);
    await say({ id: "a", action: "created", version: 1 });
    await waitFor(() => consumer.stats().attemptsWaiting === 1 && consumer.stats().ackPending === 1);
    // Longer than one that settles nothing may take.
    await new Promise((wake) => setTimeout(wake, 16_000));
    expect(consumer.stats()).toMatchObject({ attemptsWaiting: 1, ackPending: 1, stalled: false });
  });

  it("starts while database and broker are down, and says so", async () => {
    const broker = await connectJetStream({ url: "nats://127.0.0.1:9", name: "test", logger: silent });
    brokers.push(broker);
    const away = await start({}, { broker });
    const elsewhere = createPool("postgres://postgres@127.0.0.1:9/nothing");
    const homeless = await start({}, { pool: elsewhere });
    await waitFor(() => homeless.stats().lastError !== undefined && away.stats().lastError !== undefined);
    expect(away.stats()).toMatchObject({ connected: false, stalled: true });
    expect(homeless.stats().stalled).toBe(true);
    await homeless.stop();
    await elsewhere.end();
  });

  it("hands back what is in flight when it stops in the middle", async () => {
    const consumer = await start({ batch: 20 });
    await waitFor(() => consumer.stats().connected);
    const sends = Array.from({ length: 600 }, (_, at) =>
      say({ id: `u${at}`, action: "created", version: 1 }),
    );
    await waitFor(() => consumer.stats().applied > 20);
    await consumer.stop();
    await Promise.all(sends);
    const next = await start({ batch: 200 });
    await waitFor(async () => Object.keys(await names()).length === 600, { timeoutMs: 8_000 });
    await waitFor(() => next.stats().ackPending === 0, {
      timeoutMs: 5_000,
      what: "nothing left to the ack wait",
    });
  });

  it("shares its durable with another replica", async () => {
    const hooks = {
      created: async ({ tx, event }: { tx: pg.Pool; event: { user_id: string } }) => {
        await tx.query("INSERT INTO calls (what) VALUES ($1)", [event.user_id]);
      },
    };
    const replicas = [await start({ hooks, batch: 10 } as never), await start({ hooks, batch: 10 } as never)];
    await waitFor(() => replicas.every((replica) => replica.stats().connected));
    for (let at = 0; at < 200; at += 1) {
      await say({
        id: `u${at % 50}`,
        action: at < 50 ? "created" : "updated",
        version: Math.floor(at / 50) + 1,
        username: `n${at}`,
      });
    }
    const expected = Object.fromEntries(
      Array.from({ length: 50 }, (_, at) => [`u${at}`, `n${at + 150}`] as const).sort(([a], [b]) =>
        a < b ? -1 : 1,
      ),
    );
    await untilNames(expected, "the newest names");
    expect(replicas.every((replica) => replica.stats().applied > 0)).toBe(true);
    const { rows } = await pool.query(
      "SELECT what, count(*) AS times FROM calls GROUP BY what HAVING count(*) > 1",
    );
    expect(rows).toEqual([]);
    expect(await listDeadLetters(pool)).toEqual([]);
  });

  it("goes on with the others while one entity's hook fails for good", async () => {
    const hooks = {
      created: async ({ event }: { event: { user_id: string } }) => {
        if (event.user_id === "bad") throw new Error("always");
      },
    };
    const consumer = await start({ hooks, attempts: 3, backoffSeconds: [0.1] });
    await waitFor(() => consumer.stats().connected);
    await say({ id: "bad", action: "created", version: 1 });
    await say({ id: "bad", action: "updated", version: 2, username: "after" });
    for (let at = 0; at < 20; at += 1) await say({ id: `u${at}`, action: "created", version: 1 });
    await waitFor(() => consumer.stats().applied >= 20, { timeoutMs: 3_000, what: "the others" });
    await waitFor(() => consumer.stats().deadLetters === 1, { what: "the dead letter" });
    await waitFor(async () => (await names()).bad === "after", { what: "the event behind it" });
    expect(await listDeadLetters(pool)).toMatchObject([{ attempts: 3, error: "hook: always" }]);
  });

  it("outlives every connection to the database being cut, again and again", async () => {
    const consumer = await start({ batch: 25 });
    await waitFor(() => consumer.stats().connected);
    const killer = new pg.Client({ connectionString: url });
    await killer.connect();
    const sends: Promise<void>[] = [];
    for (let round = 0; round < 8; round += 1) {
      for (let at = 0; at < 50; at += 1)
        sends.push(say({ id: `u${round}-${at}`, action: "created", version: 1 }));
      await new Promise((wake) => setTimeout(wake, 40));
      await killer.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
      );
    }
    await killer.end();
    await Promise.all(sends);
    await waitFor(async () => Object.keys(await names()).length === 400, { what: "every event" });
    expect(await listDeadLetters(pool)).toEqual([]);
  });
});

describe("snapshots of a running consumer", () => {
  it("starts without its source, and takes a snapshot once there is one", async () => {
    const consumer = await start({ sync: true });
    await waitFor(() => consumer.stats().lastError?.includes("answered 503"));
    await say({ id: "b", action: "created", version: 1 });
    await untilNames({ b: "name-b" }, "events without a snapshot");
    sourceUsers = [
      { user_id: "a", username: "first", _version: 1 },
      { user_id: "b", username: "name-b", _version: 1 },
    ];
    await untilNames({ a: "first", b: "name-b" }, "the snapshot");
    await waitFor(() => consumer.stats().lastSnapshot?.rows === 2);
  });

  it("replaces a placeholder value that a snapshot left in a row", async () => {
    const user = (user_id: string, username: string, version: number) => ({
      user_id,
      username,
      _version: version,
    });
    sourceUsers = [];
    const consumer = await start({ sync: true });
    await waitFor(() => consumer.stats().lastSnapshot?.rows === 0);
    await say({ id: "a", action: "created", version: 1, username: "ann" });
    await say({ id: "a", action: "updated", version: 2, username: "ada" });
    await untilNames({ a: "ada" }, "both events");
    // At a start it looks anyway.
    await new Promise((wake) => setTimeout(wake, 800));
    // Read before the second event was written, and noted after it was published.
    sourceUsers = [user("a", "ann", 1), user("b", "ada", 1)];
    nextUsers = [user("a", "ada", 2), user("b", "bob", 2)];
    // It looks again and again while the snapshot has yet to end.
    const holder = await pool.connect();
    await holder.query("BEGIN; LOCK TABLE mesh.subscription IN SHARE MODE");
    const done = consumer.resync();
    await untilNames({ a: "superseded:a", b: "ada" }, "the snapshot");
    await new Promise((wake) => setTimeout(wake, 800));
    await holder.query("COMMIT");
    holder.release();
    await done;
    await untilNames({ a: "ada", b: "bob" }, "the name again");
  });

  it("does not take what is written between durable and snapshot for gone", async () => {
    sourceUsers = [];
    const consumer = await start({ sync: true });
    await waitFor(() => consumer.stats().lastSnapshot?.rows === 0);
    await say({ id: "a", action: "created", version: 1 });
    await untilNames({ a: "name-a" }, "the event");
    const { rows } = await pool.query(
      "SELECT snapshot_seq, (SELECT stream_seq FROM mesh.applied) AS applied FROM mesh.subscription",
    );
    expect(Number(rows[0].applied)).toBeGreaterThan(Number(rows[0].snapshot_seq));
    expect(await consumer.resync()).toMatchObject({ removed: 1 });
  });

  it("notices a deleted durable, creates it again, and heals what was missed", async () => {
    sourceUsers = [{ user_id: "a", username: "name-a", _version: 1 }];
    const consumer = await start({ sync: true });
    await untilNames({ a: "name-a" }, "the start");
    await manager.consumers.delete(stream, "compute_auth_user");
    await say({ id: "b", action: "created", version: 1 });
    sourceUsers = [
      ...sourceUsers,
      { user_id: "b", username: "name-b", _version: 1 },
      { user_id: "c", username: "lost", _version: 1 },
    ];
    await untilNames({ a: "name-a", b: "name-b", c: "lost" }, "the healed cache");
    await waitFor(() => consumer.stats().connected);
    await say({ id: "d", action: "created", version: 1 });
    await waitFor(async () => "d" in (await names()));
  });

  it("begins a new stream epoch where the stream was deleted and created anew, unversioned events included", async () => {
    sourceUsers = [{ user_id: "a", username: "old" }];
    const consumer = await start({ sync: true });
    await waitFor(() => consumer.stats().connected);
    for (let at = 0; at < 30; at += 1) await say({ id: "a", action: "updated", username: `n${at}` });
    sourceUsers = [{ user_id: "a", username: "n29" }];
    await untilNames({ a: "n29" }, "the first stream");
    const before = await pool.query("SELECT stream_seq FROM mesh.applied WHERE entity_id = 'a'");
    await manager.streams.delete(stream);
    await waitFor(
      async () =>
        manager.streams.info(stream).then(
          () => true,
          () => false,
        ),
      { what: "the stream again" },
    );
    await waitFor(() => consumer.stats().connected);
    await say({ id: "a", action: "updated", username: "anew" });
    sourceUsers = [{ user_id: "a", username: "anew" }];
    await untilNames({ a: "anew" }, "an event of the new stream");
    const after = await pool.query("SELECT stream_seq FROM mesh.applied WHERE entity_id = 'a'");
    expect(Number(after.rows[0].stream_seq)).toBeGreaterThan(Number(before.rows[0].stream_seq));
  });
});
