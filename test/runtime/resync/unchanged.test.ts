import type pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, it } from "vitest";
import { buildModel } from "../../../runtime/inbox/consumer-model.js";
import type { SnapshotReport } from "../../../runtime/resync/snapshot-run.js";
import { DIGEST_FORM } from "../../../runtime/values/digests.js";
import { type AnsweringServer, startAnswering } from "../../support/answering-server.js";
import { KEY, startServer, type TestServer } from "../../support/http-server.js";
import { readSnapshot } from "../../support/read-snapshot.js";
import {
  createPool,
  createServiceDatabase,
  type DefinitionChoices,
  userConsumer,
} from "../../support/user-consumer.js";

/* Digests in place of rows: where nothing differs none travels, and whatever differs is found. */

const ROWS = 500;

let owner: TestServer;
let pool: pg.Pool;
let between: AnsweringServer;
/** What the owner answered with, in turn. */
let answers: ("digests" | "rows")[] = [];
/** Called with each of them, before it is passed on. */
let onAnswer: (answer: "digests" | "rows", body: Buffer) => Promise<Buffer>;

beforeAll(async () => {
  owner = await startServer();
  pool = createPool(await createServiceDatabase(inject("postgres")));
  between = await startAnswering(async (request, response) => {
    const headers = Object.entries(request.headers).flatMap(([name, value]) =>
      typeof value === "string" && name !== "host" && name !== "connection" ? [[name, value] as const] : [],
    );
    const answer = await fetch(`${owner.url}${request.url}`, { headers: Object.fromEntries(headers) });
    const kind = answer.headers.get("mesh-digest") === null ? "rows" : "digests";
    answers.push(kind);
    const body = await onAnswer(kind, Buffer.from(await answer.arrayBuffer()));
    response.writeHead(answer.status, kind === "digests" ? { "mesh-digest": DIGEST_FORM } : {});
    response.end(body);
  });
});
afterAll(async () => {
  await between.close();
  await owner.close();
  await pool.end();
});

beforeEach(async () => {
  onAnswer = async (_, body) => body;
  await pool.query("INSERT INTO mesh.subscription (durable, stream) VALUES ('compute_auth_user', 'AUTH')");
  await owner.pool.query(
    `INSERT INTO users (user_id, username, display_name)
     SELECT 'u' || i, 'name ' || i, 'é"\\ ' || i FROM generate_series(1, ${ROWS}) AS i`,
  );
  await owner.pool.query(
    "INSERT INTO mesh.entity_version (entity, entity_id, version) SELECT 'auth.user', user_id, 3 FROM users WHERE user_id <> 'u7'",
  );
  const first = await snapshot();
  expect(first.written).toBe(ROWS);
  expect(answers).toEqual(["rows"]);
  answers = [];
});
afterEach(async () => {
  answers = [];
  await owner.pool.query("TRUNCATE users, mesh.entity_version CASCADE");
  await pool.query("TRUNCATE user_cache, mesh.applied, mesh.subscription, mesh.unheard, mesh.unfit_row");
});

async function snapshot(choices: DefinitionChoices = {}, trustSource = false): Promise<SnapshotReport> {
  const report = await readSnapshot({
    pool,
    model: buildModel(userConsumer({ ...choices, sync: true })),
    env: {
      AUTH_SERVICE_URL: between.url,
      SFS_TO_AUTH_KEY: KEY,
    },
    noteSeq: async () => 10,
    trustSource,
  });
  if (report === undefined) throw new Error("another snapshot is being taken");
  await pool.query("UPDATE mesh.subscription SET snapshot_at = now()");
  return report;
}

const NAMES = "SELECT user_id, username, display_name FROM";

async function isEqual(): Promise<void> {
  const theirs = await owner.pool.query(`${NAMES} users ORDER BY user_id COLLATE "C"`);
  const ours = await pool.query(`${NAMES} user_cache ORDER BY user_id COLLATE "C"`);
  expect(ours.rows).toEqual(theirs.rows);
}

it("reads no row of a copy that is as its source", async () => {
  const report = await snapshot();
  expect(report).toMatchObject({ rows: ROWS, written: 0, removed: 0, unfit: 0, ahead: 0 });
  expect(answers).toEqual(["digests"]);
});

it("forgets rows that an earlier snapshot could not take", async () => {
  await pool.query("UPDATE mesh.subscription SET snapshot_unfit = 1");
  await pool.query(
    "INSERT INTO mesh.unfit_row (durable, ordinal, reason) VALUES ('compute_auth_user', 1, 'it was odd')",
  );
  await snapshot();
  expect((await pool.query("SELECT snapshot_unfit FROM mesh.subscription")).rows).toEqual([
    { snapshot_unfit: "0" },
  ]);
  expect((await pool.query("SELECT FROM mesh.unfit_row")).rowCount).toBe(0);
});

it.each<readonly [string, { readonly ours?: string; readonly theirs?: string }]>([
  [
    "a value that differs at the same version",
    { ours: "UPDATE user_cache SET display_name = 'x' WHERE user_id = 'u9'" },
  ],
  ["a row that is missing", { ours: "DELETE FROM user_cache WHERE user_id = 'u9'" }],
  [
    "a row and its state that are missing",
    { ours: "DELETE FROM mesh.applied WHERE entity_id = 'u9'; DELETE FROM user_cache WHERE user_id = 'u9'" },
  ],
  ["a row that nobody knows", { ours: "INSERT INTO user_cache (user_id, username) VALUES ('gone', 'gone')" }],
  [
    "an entity that is known to be alive and has no row",
    {
      ours: "INSERT INTO mesh.applied (entity, entity_id, version, versioned, stream_seq) VALUES ('auth.user', 'gone', 3, true, 5)",
    },
  ],
  ["a state at an earlier version", { ours: "UPDATE mesh.applied SET version = 2 WHERE entity_id = 'u9'" }],
  [
    "a state of which only the sequence is known",
    { ours: "UPDATE mesh.applied SET versioned = false WHERE entity_id = 'u9'" },
  ],
  [
    "a tombstone of a user who is there",
    { ours: "UPDATE mesh.applied SET deleted = true, versioned = false, version = 2 WHERE entity_id = 'u9'" },
  ],
  [
    "two values that have changed places",
    {
      ours: `UPDATE user_cache SET display_name = CASE user_id WHEN 'u8' THEN (SELECT display_name FROM user_cache WHERE user_id = 'u9')
      ELSE (SELECT display_name FROM user_cache WHERE user_id = 'u8') END WHERE user_id IN ('u8', 'u9')`,
    },
  ],
  [
    "two values of one bucket that have changed places",
    {
      // One pair of them: the sums of some others would differ by chance, whatever is summed.
      ours: `WITH pair AS (
  SELECT array_agg(user_id ORDER BY user_id COLLATE "C") AS ids FROM user_cache
  GROUP BY hashtextextended(user_id COLLATE "C", 0) & 1023 HAVING count(*) > 1 AND 'u11' = ANY (array_agg(user_id))
)
UPDATE user_cache SET display_name = other.display_name FROM pair, user_cache AS other
WHERE user_cache.user_id = ANY (ids) AND other.user_id = ANY (ids) AND other.user_id <> user_cache.user_id`,
    },
  ],
  [
    "a user who was renamed without an event",
    { theirs: "UPDATE users SET username = 'other' WHERE user_id = 'u9'" },
  ],
  [
    "a user of whom every event was lost",
    { theirs: "INSERT INTO users (user_id, username) VALUES ('new', 'new')" },
  ],
])("finds %s", { timeout: 30_000 }, async (_, { ours, theirs }) => {
  if (ours !== undefined) await pool.query(ours);
  if (theirs !== undefined) await owner.pool.query(theirs);
  await snapshot();
  expect(answers).toEqual(["digests", "digests", "digests", "rows"]);
  await isEqual();
  answers = [];
  await snapshot();
  expect(answers).toEqual(["digests"]);
});

it("names an entity that is ahead of its source, each time", { timeout: 30_000 }, async () => {
  await pool.query("UPDATE mesh.applied SET version = 99 WHERE entity_id = 'u9'");
  expect((await snapshot()).ahead).toBe(1);
  expect((await snapshot()).ahead).toBe(1);
  expect((await snapshot({}, true)).overruled).toBe(1);
  await isEqual();
});

it("waits for an event that is on its way", async () => {
  await pool.query("UPDATE user_cache SET display_name = 'before' WHERE user_id = 'u9'");
  onAnswer = async (_, body) => {
    if (answers.length === 2)
      await pool.query(`UPDATE user_cache SET display_name = 'é"\\ 9' WHERE user_id = 'u9'`);
    // Another one, whose own bucket was the same before.
    if (answers.length === 2)
      await pool.query("UPDATE user_cache SET display_name = 'later' WHERE user_id = 'u123'");
    return body;
  };
  expect((await snapshot()).written).toBe(0);
  expect(answers).toEqual(["digests", "digests"]);
});

it.each<readonly [string, (body: Buffer) => Buffer]>([
  ["break off", (body) => body.subarray(0, body.length - 9)],
  ["are none", () => Buffer.from('{"title":"sorry"}')],
  ["all differ", () => Buffer.from('[[1,500,"7"]]')],
])("reads the rows at once where the digests %s", async (_, spoil) => {
  onAnswer = async (answer, body) => (answer === "digests" ? spoil(body) : body);
  expect(await snapshot()).toMatchObject({ rows: ROWS, written: 0 });
  expect(answers).toEqual(["digests", "rows"]);
});

it("reads the rows where hooks have still to hear of events", async () => {
  await pool.query(
    "INSERT INTO mesh.unheard (entity, entity_id, after_version, version, actions) VALUES ('auth.user', 'u9', 0, 3, '{created}')",
  );
  const told: string[] = [];
  const created = async ({ event }: { readonly event: { readonly user_id: string } }) => {
    told.push(event.user_id);
  };
  await snapshot({ hooks: { created } });
  expect(answers[0]).toBe("rows");
});
