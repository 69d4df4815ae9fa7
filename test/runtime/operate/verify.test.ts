import { Pool } from "pg";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { ConsumerDefinition } from "../../../runtime/definition/consumer-definition.js";
import type { TableDefinition } from "../../../runtime/definition/table-definition.js";
import { verifyCache } from "../../../runtime/operate/verify.js";
import { startAnswering } from "../../support/answering-server.js";
import { streamPlan } from "../../support/broker-plans.js";
import { eventDefinition } from "../../support/event-definition.js";
import { createMigratedDatabase, startServer, type TestServer } from "../../support/http-server.js";
import { KEY } from "../../support/http-tables.js";

const cache: TableDefinition = {
  name: "user_cache",
  key: "user_id",
  cacheOf: "auth.user",
  columns: [
    { name: "user_id", type: "text" },
    { name: "username", type: "text", unique: true },
    { name: "score", type: "bigint", nullable: true },
    { name: "settings", type: "json", nullable: true },
    { name: "created_at", type: "timestamp" },
    { name: "synced_at", type: "timestamp", nullable: true, defaulted: true },
  ],
};

const consumer: ConsumerDefinition = {
  durable: "sfs_auth_user",
  stream: streamPlan({ name: "AUTH" }),
  filter: "auth.user.*.*",
  entity: "auth.user",
  cache,
  sync: {
    urlVariable: "AUTH_SERVICE_URL",
    keyVariable: "SFS_TO_AUTH_KEY",
    path: "/api/users",
    header: "authorization",
    everySeconds: 0,
  },
  delivery: { attempts: 1, backoffSeconds: [1], ackWaitSeconds: 1, maxAckPending: 1, batch: 1 },
  events: [
    {
      event: eventDefinition({
        name: "UserCreated",
        action: "created",
        change: "create",
        fields: ["user_id", "username", "score", "settings", "created_at"],
      }),
    },
  ],
};

const ROWS = 20_000;
let source: TestServer;
let pool: Pool;
beforeAll(async () => {
  source = await startServer();
  pool = new Pool({ connectionString: await createMigratedDatabase(CACHE), max: 4 });
  await source.pool.query(`INSERT INTO users (user_id, username, score, settings, created_at)
    SELECT 'u' || i, 'n' || i, nullif(i % 3, 0), '{"b": [1, 2], "a": 1}', '2024-01-01T00:00:00.123456+02' FROM generate_series(1, ${ROWS}) AS i`);
});
afterAll(async () => {
  await source.close();
  await pool.end();
});

const CACHE = `CREATE TABLE user_cache (
  user_id TEXT PRIMARY KEY, username TEXT NOT NULL UNIQUE, score BIGINT, settings JSONB,
  created_at TIMESTAMPTZ NOT NULL, synced_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)`;

beforeEach(async () => {
  await pool.query("TRUNCATE user_cache");
  await pool.query(`INSERT INTO user_cache (user_id, username, score, settings, created_at)
    SELECT 'u' || i, 'n' || i, nullif(i % 3, 0), '{"a": 1, "b": [1, 2]}', '2023-12-31T22:00:00.123456Z' FROM generate_series(1, ${ROWS}) AS i`);
});

const verify = (more: object = {}) =>
  verifyCache({
    pool,
    consumer,
    env: { AUTH_SERVICE_URL: source.url, SFS_TO_AUTH_KEY: KEY },
    settleMs: 200,
    ...more,
  });

test("a cache that equals its source, in its own types, is found equal", async () => {
  expect(await verify()).toMatchObject({
    rows: ROWS,
    missing: 0,
    extra: 0,
    differing: 0,
    sample: [],
    columns: ["user_id", "username", "score", "settings", "created_at"],
  });
});

test("rows that are missing, extra or different are counted and shown, each with both sides", async () => {
  await pool.query("DELETE FROM user_cache WHERE user_id = 'u5'");
  await pool.query("INSERT INTO user_cache VALUES ('x1', 'x', NULL, NULL, now())");
  await pool.query("UPDATE user_cache SET score = NULL WHERE user_id = 'u1'");
  await pool.query("UPDATE user_cache SET created_at = created_at + '1 microsecond' WHERE user_id = 'u2'");
  const found = await verify();
  expect(found).toMatchObject({ rows: ROWS, missing: 1, extra: 1, differing: 2 });
  expect(found.sample.map(({ key, finding }) => [key, finding])).toEqual([
    ["u1", "differing"],
    ["u2", "differing"],
    ["u5", "missing"],
    ["x1", "extra"],
  ]);
  expect(found.sample[0]).toMatchObject({ source: { score: 1 }, cache: { score: null } });
  expect(found.sample[2]?.cache).toBeNull();
  expect(found.sample[3]?.source).toBeNull();
});

test("many differences are read again as a list, and only the first are shown", async () => {
  await pool.query("UPDATE user_cache SET score = 9 WHERE user_id < 'u2'");
  const found = await verify({ sample: 3 });
  expect(found.differing).toBeGreaterThan(5_000);
  expect(found.sample).toHaveLength(3);
});

test("events in flight during a comparison are no differences", async () => {
  await pool.query("DELETE FROM user_cache WHERE user_id = 'u7'");
  await pool.query("INSERT INTO user_cache VALUES ('late', 'late', NULL, NULL, now())");
  const verified = verify({ settleMs: 600 });
  setTimeout(() => {
    void pool.query(
      `DELETE FROM user_cache WHERE user_id = 'late';
       INSERT INTO user_cache VALUES ('u7', 'n7', 1, '{"a": 1, "b": [1, 2]}', '2023-12-31T22:00:00.123456Z')`,
    );
  }, 900);
  expect(await verified).toMatchObject({ missing: 0, extra: 0, differing: 0 });
});

test("a source that breaks off, refuses or is down says nothing about the cache", async () => {
  const broken = await startAnswering((_request, response) => {
    response.write('[{"user_id": "u1"},');
    setTimeout(() => response.destroy(), 50);
  });
  const { url } = broken;
  await expect(verify({ env: { AUTH_SERVICE_URL: url, SFS_TO_AUTH_KEY: KEY } })).rejects.toThrow();
  await broken.close();
  await expect(verify({ env: { AUTH_SERVICE_URL: url, SFS_TO_AUTH_KEY: KEY } })).rejects.toThrow(
    "ECONNREFUSED",
  );
  await expect(verify({ env: { AUTH_SERVICE_URL: source.url, SFS_TO_AUTH_KEY: "wrong" } })).rejects.toThrow(
    "401",
  );
  await expect(verify({ consumer: { ...consumer, sync: undefined } })).rejects.toThrow("no cache");
});
