import type { PoolClient } from "pg";
import { withClient } from "../database/transaction.js";
import { messageOf } from "../text/error-message.js";
import { endNotedIncarnations } from "./incarnations.js";
import { CHUNK_ROWS, mergeSource } from "./merge-source.js";
import { noteRepeated, refuseDoubtful, removeLacking, untilSettled } from "./removal.js";
import { readSnapshotRecord, recordFailure, recordSuccess, releaseLock, tryLock } from "./snapshot-record.js";
import type { Run, SnapshotOptions, SnapshotReport } from "./snapshot-run.js";
import { type Ahead, CREATE_AHEAD, describeAhead, overrule, readAhead } from "./source-trust.js";
import { findUnchanged } from "./unchanged.js";
import { createSetAside, describeUnfit, recordUnfit } from "./unfit-rows.js";

/*
 * One snapshot, from its lock to its record: read and merge the source, then remove what it lacks.
 */

/**
 * Makes the cache equal to its source; for a consumer without one, infers the deletions that were
 * missed. One replica at a time: undefined when another is taking one.
 * Rejects with what is wrong; then nothing was deleted, and rows that were written are right.
 */
export async function takeSnapshot(options: SnapshotOptions): Promise<SnapshotReport | undefined> {
  const { durable } = options.model.definition;
  return await withClient(options.pool, async (client) => {
    if (!(await tryLock(client, durable))) return undefined;
    const wanted = (await readSnapshotRecord(client, durable))?.wanted ?? null;
    try {
      const report = await readTwiceWhereOverruled(options, client);
      await recordSuccess(client, durable, report, wanted);
      return report;
    } catch (error) {
      if (options.isStarting !== true) await recordFailure(options, messageOf(error));
      throw error;
    } finally {
      await releaseLock(client, durable, options.logger);
    }
  });
}

/**
 * After versions were taken back, the source is read again: that merges what was skipped, hooks and cascades included. The
 * second reading is later than every event that was skipped meanwhile.
 */
async function readTwiceWhereOverruled(
  options: SnapshotOptions,
  client: PoolClient,
): Promise<SnapshotReport> {
  const first = await snapshotLocked(options, client);
  if (first.overruled === 0) return first;
  const second = await snapshotLocked({ ...options, trustSource: false }, client);
  return {
    ...second,
    written: first.written + second.written,
    removed: first.removed + second.removed,
    overruled: first.overruled,
    ms: first.ms + second.ms,
  };
}

async function snapshotLocked(options: SnapshotOptions, client: PoolClient): Promise<SnapshotReport> {
  const started = Date.now();
  const { pool, model, logger, hookTimeoutMs, trustSource = false } = options;
  const seq = await options.noteSeq();
  const handlers = { pool, logger, origin: "snapshot", hookTimeoutMs } as const;
  const setAside = createSetAside();
  const run: Run = { ...options, client, seq, handlers, setAside };
  const unchanged = await findUnchanged(run);
  if (typeof unchanged === "number") {
    await recordUnfit(client, model.definition.durable, setAside);
    return { ...NOTHING_DONE, rows: unchanged, seq, ms: Date.now() - started };
  }
  await client.query(
    `DROP TABLE IF EXISTS pg_temp."$snapshot", pg_temp."$incarnation", pg_temp."$lacking", pg_temp."$ahead"`,
  );
  await client.query(`CREATE TEMPORARY TABLE "$snapshot" (entity_id text COLLATE "C", unfit boolean NOT NULL DEFAULT false);
CREATE TEMPORARY TABLE "$incarnation" (
  ordinal bigint GENERATED ALWAYS AS IDENTITY, entity_id text COLLATE "C" NOT NULL, first_version bigint NOT NULL); ${CREATE_AHEAD}`);
  const merged = await mergeSource(run, unchanged);
  await untilSettled(run);
  const incarnations = await endNotedIncarnations(run);
  await client.query('ANALYZE "$snapshot"');
  if (merged.rows > CHUNK_ROWS && merged.unversioned) await noteRepeated(run);
  await recordUnfit(client, model.definition.durable, setAside);
  refuseDoubtful(setAside, merged.rows);
  const removal = await removeLacking(run);
  const unfit = setAside.count();
  const ahead = await readAhead(client);
  const overruled = trustSource ? await overrule(run, merged) : 0;
  await client.query(
    `DROP TABLE pg_temp."$snapshot", pg_temp."$incarnation", pg_temp."$lacking", pg_temp."$ahead"`,
  );
  if (overruled > 0)
    logger.warn(
      { ...describeAhead(model, ahead), overruled },
      "the source's word is taken over later versions that were known here",
    );
  const left = overruled > 0 ? NONE_AHEAD : ahead;
  noteLeft(run, left);
  if (removal.failed > 0 || left.count > 0) await recordUnfit(client, model.definition.durable, setAside);
  if (unfit > 0)
    logger.warn(describeUnfit(setAside), "rows that cannot be taken: what is here of them stays as it is");
  return {
    rows: merged.rows,
    written: merged.written,
    removed: removal.done,
    unfit,
    failed: merged.failed + incarnations.failed + removal.failed,
    ahead: left.count,
    overruled,
    seq,
    ms: Date.now() - started,
  };
}

const NOTHING_DONE = { written: 0, removed: 0, unfit: 0, failed: 0, ahead: 0, overruled: 0 } as const;
const NONE_AHEAD: Ahead = { count: 0, first: [] };

/** For `mesh status`, which names what stays as it is. */
function noteLeft({ model, logger, setAside }: Run, left: Ahead): void {
  if (left.count === 0) return;
  setAside.add(left.first);
  setAside.count(left.count - left.first.length);
  logger.warn(
    describeAhead(model, left),
    "entities are known here at versions beyond their source's: what the source has of them is skipped until mesh resync --trust-source",
  );
}
