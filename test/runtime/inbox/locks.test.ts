import type pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { type ApplyContext, applyBatch } from "../../../runtime/inbox/apply.js";
import { buildModel } from "../../../runtime/inbox/consumer-model.js";
import { type Incoming, parseMessage } from "../../../runtime/inbox/parse.js";
import { type AnsweringServer, startAnswering } from "../../support/answering-server.js";
import { silent } from "../../support/loggers.js";
import { readSnapshot } from "../../support/read-snapshot.js";
import { waitFor } from "../../support/servers.js";
import {
  createPool,
  createServiceDatabase,
  deliver,
  type Sent,
  userConsumer,
} from "../../support/user-consumer.js";

/*
 * Whoever writes states locks them in order of id, in byte order: two that meet wait for each other in turn, and PostgreSQL
 * finds no deadlock. Each gets the ids backwards here, and meets one in the middle that is locked.
 */

let pool: pg.Pool;
let server: AnsweringServer;
let source: readonly object[] = [];

beforeAll(async () => {
  pool = createPool(await createServiceDatabase(inject("postgres")));
  server = await startAnswering((_, response) => response.end(JSON.stringify(source)));
});
afterAll(async () => {
  await server.close();
  await pool.end();
});

/** By locale the capital letter would come last. */
const IDS = ["Z", "m", "z"] as const;
const BACKWARDS = [...IDS].reverse();

beforeEach(async () => {
  await pool.query("TRUNCATE user_cache, containers, mesh.applied, mesh.subscription");
  await pool.query("INSERT INTO mesh.subscription (durable, stream) VALUES ('compute_auth_user', 'AUTH')");
  await pool.query("INSERT INTO user_cache (user_id, username) SELECT id, id FROM unnest($1::text[]) AS id", [
    IDS,
  ]);
  await pool.query(
    "INSERT INTO mesh.applied SELECT 'auth.user', id, 1, true, false, 1 FROM unnest($1::text[]) AS id",
    [IDS],
  );
});

const model = buildModel(userConsumer({ sync: true }));

async function applies(action: string): Promise<unknown> {
  const context: ApplyContext = { pool, model, logger: silent, origin: "event" };
  const sent = BACKWARDS.map((id, at): Sent => ({ action, id, seq: 10 + at, version: 2 }));
  return await applyBatch(
    pool,
    context,
    sent.map((one): Incoming => {
      const parsed = parseMessage(model, deliver(one), one.seq);
      if (!parsed.ok) throw new Error(parsed.rejected.reason);
      return parsed.incoming;
    }),
  );
}

async function snapshot(users: readonly object[]): Promise<unknown> {
  source = users;
  return await readSnapshot({
    pool,
    model,
    env: { AUTH_SERVICE_URL: server.url },
    noteSeq: async () => 100,
  });
}

const listed = (user_id: string, _first_version?: number) => ({
  user_id,
  username: `later-${user_id}`,
  _version: 5,
  ...(_first_version === undefined ? {} : { _first_version }),
});

const isFree = async (id: string) => {
  const { rowCount } = await pool.query(
    "SELECT FROM mesh.applied WHERE entity_id = $1 FOR UPDATE SKIP LOCKED",
    [id],
  );
  return rowCount === 1;
};

describe("states are locked in order of id", () => {
  const works: readonly (readonly [string, () => Promise<unknown>])[] = [
    ["a plain batch", () => applies("updated")],
    ["a batch of deletions", () => applies("deleted")],
    ["a snapshot", () => snapshot(BACKWARDS.map((id) => listed(id)))],
    [
      "a snapshot that has one later incarnation",
      () => snapshot(BACKWARDS.map((id) => listed(id, id === "z" ? 4 : 1))),
    ],
    ["a snapshot that lacks them", () => snapshot([])],
    [
      "rows that name them",
      () =>
        pool.query(
          "INSERT INTO containers (container_id, user_id) SELECT id, id FROM unnest($1::text[]) AS id",
          [BACKWARDS],
        ),
    ],
  ];

  it.each(works)("by %s", async (_, work) => {
    const [first, middle, last] = IDS;
    const other = await pool.connect();
    await other.query("BEGIN");
    await other.query("SELECT FROM mesh.applied WHERE entity_id = $1 FOR UPDATE", [middle]);
    const working = work();
    try {
      await waitFor(async () => {
        const waiting = await pool.query("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
        return (waiting.rowCount ?? 0) > 0;
      });
      expect({ first: await isFree(first), last: await isFree(last) }).toEqual({ first: false, last: true });
    } finally {
      await other.query("COMMIT");
      other.release();
      await working;
    }
  });
});
