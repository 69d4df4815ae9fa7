import type pg from "pg";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { applyAtOnce, prepareBatch, processBatch } from "../../../runtime/consumer/batch.js";
import type { BatchContext } from "../../../runtime/consumer/batch-context.js";
import { createInsertThrottle } from "../../../runtime/inbox/insert-throttle.js";
import { batchContext, receivedBy } from "../../support/batch-context.js";
import { type Draw, openDraw, pick } from "../../support/draw.js";
import {
  createPool,
  createServiceDatabase,
  deliver,
  type Sent,
  userConsumer,
} from "../../support/user-consumer.js";

/*
 * Batches of events, most of them without versions, in two databases: the one plans each batch, the other tries each at once first.
 */

let planned: pg.Pool;
let atOnce: pg.Pool;

beforeAll(async () => {
  [planned, atOnce] = (await Promise.all(
    [1, 2].map(async () => createPool(await createServiceDatabase(inject("postgres")))),
  )) as [pg.Pool, pg.Pool];
});
afterAll(async () => {
  await Promise.all([planned.end(), atOnce.end()]);
});

const SEEDS = 10;
const BATCHES = 12;

it("a batch that is tried at once comes to the same as one that is planned", async () => {
  let applied = 0;
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    for (const pool of [planned, atOnce]) {
      await pool.query("TRUNCATE user_cache, mesh.applied, mesh.seen, mesh.attempt, mesh.subscription");
      await pool.query(
        "INSERT INTO mesh.subscription (durable, stream) VALUES ('compute_auth_user', 'AUTH')",
      );
    }
    const plain = batchContext(planned, userConsumer());
    for (const sent of drawBatches(openDraw(seed))) {
      await processBatch({ ...plain, skipFastPath: true }, received(plain, sent), new Map());
      // Another replica: it has not been told what comes to nothing.
      const context = { ...batchContext(atOnce, userConsumer()), insertThrottle: createInsertThrottle() };
      const batch = received(context, sent);
      const prepared = prepareBatch(context, 0, batch);
      const outcome = prepared && (await applyAtOnce(context, batch, prepared)).outcome;
      if (outcome === "applied") applied += 1;
      else await processBatch({ ...context, skipFastPath: true }, batch, new Map());
      expect(await written(atOnce), `seed ${seed}`).toEqual(await written(planned));
    }
  }
  expect(applied).toBeGreaterThan((SEEDS * BATCHES) / 5);
  expect(applied).toBeLessThan((SEEDS * BATCHES * 4) / 5);
});

const received = (context: BatchContext, sent: readonly Sent[]) => receivedBy(context, sent.map(deliver));

async function written(pool: pg.Pool): Promise<unknown> {
  const { rows } = await pool.query(`SELECT
  (SELECT json_agg(one ORDER BY entity_id) FROM (SELECT entity_id, version, versioned, deleted, stream_seq FROM mesh.applied) AS one) AS states,
  (SELECT json_agg(one ORDER BY user_id) FROM (SELECT user_id, username FROM user_cache) AS one) AS users,
  (SELECT json_agg(event_id ORDER BY event_id) FROM mesh.seen) AS seen,
  (SELECT count(*) FROM mesh.attempt) AS attempts`);
  return rows[0];
}

/** What owners say of a few users, now and then redelivered, published again, or held back for a batch. */
function drawBatches(draw: Draw): readonly (readonly Sent[])[] {
  const ids = ["a", "b", "c", "d", "e", "f", "g", "h"];
  const living = new Set<string>();
  const former: Sent[] = [];
  let late: Sent[] = [];
  let seq = 0;
  const next = (): Sent => {
    seq += 1;
    const again = draw(40) === 0 ? former[draw(former.length || 1)] : undefined;
    if (again !== undefined) return draw(2) === 0 ? again : { ...again, seq };
    const id = pick(ids, draw);
    const change = living.has(id) ? (draw(8) === 0 ? "deleted" : "updated") : "created";
    const action = draw(30) === 0 ? pick(["created", "updated", "deleted"], draw) : change;
    if (action === "deleted") living.delete(id);
    else living.add(id);
    const versioned = draw(40) === 0 ? { version: 1 + draw(4) } : {};
    const payload = { username: `${id}-${seq}` };
    const sent = { action, id, seq, eventId: `event-${seq}`, payload, ...versioned };
    former.push(sent);
    return sent;
  };
  return Array.from({ length: BATCHES }, () => {
    const sent = [...late, ...Array.from({ length: 1 + draw(5) }, next)];
    late = draw(6) === 0 ? sent.splice(draw(sent.length), 1) : [];
    return sent.length > 0 ? sent : [next()];
  });
}
