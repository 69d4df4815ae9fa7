import { escapeIdentifier, type Pool, type PoolClient } from "pg";
import { arrayLiteral, arrayType, columnOf } from "../database/columns.js";
import type { Logger, ServiceDefinition, StreamDefinition, TableDefinition } from "../definition.js";
import { pause } from "../pause.js";
import { messageOf } from "../text/error-message.js";

/*
 * What is remembered of the deleted, so that no late event brings them back, does not grow for ever: each stream says
 * how long. A tombstone's time runs from when this work first met it, however it came; one that anything still waits for
 * stays. Nothing here waits for a lock, and no transaction is long.
 *
 * An owner goes on counting an entity's versions for twice as long: by the time that a re-creation starts at 1 again, all
 * copies that ran meanwhile have forgotten the former life.
 */

const FIRST_MS = 60_000;
const EVERY_MS = 6 * 3_600_000;
const PAGE_ROWS = 5_000;
/** Between two pages: this work is in no hurry. */
const BREATH_MS = 20;
/** "mesh" in ASCII, and 2: 1 is the relay's. */
const LOCK = [0x6d_65_73_68, 2] as const;

export interface Forgetting {
  stop(): Promise<void>;
}

export interface ForgettingOptions {
  readonly pool: Pool;
  readonly definition: Pick<ServiceDefinition, "name" | "stream" | "tables" | "consumers">;
  readonly logger: Logger;
}

/** Every six hours, in one replica at a time. */
export function startForgetting(options: ForgettingOptions): Forgetting {
  const stopping = new AbortController();
  const { signal } = stopping;
  const work = async () => {
    for (let wait = FIRST_MS; !signal.aborted; wait = EVERY_MS) {
      await pause(wait, signal);
      if (signal.aborted) return;
      try {
        const forgotten = await forgetDeleted(options, signal);
        if (forgotten !== undefined && forgotten.tombstones + forgotten.counters > 0)
          options.logger.info(forgotten, "forgot entities that were deleted long ago");
      } catch (error) {
        options.logger.warn(
          { error: messageOf(error) },
          "could not look for what is to be forgotten; later again",
        );
      }
    }
  };
  const ended = work();
  return {
    async stop() {
      stopping.abort();
      await ended;
    },
  };
}

export interface Forgotten {
  /** Of other services' entities, in `mesh.applied`. */
  readonly tombstones: number;
  /** Of its own, in `mesh.entity_version`. */
  readonly counters: number;
}

/** One pass over all that is remembered; undefined where another replica is at it. */
export async function forgetDeleted(
  { pool, definition }: ForgettingOptions,
  signal?: AbortSignal,
): Promise<Forgotten | undefined> {
  const client = await pool.connect();
  let failure: Error | undefined;
  try {
    const { rows } = await client.query<{ locked: boolean }>(
      "SELECT pg_try_advisory_lock($1, $2) AS locked",
      [...LOCK],
    );
    if (rows[0]?.locked !== true) return undefined;
    let tombstones = 0;
    for (const [entity, seconds] of entities(definition))
      tombstones += await eachPage(client, { known: APPLIED_PAGE, of: entity, signal }, (ids) =>
        forgetTombstones(client, { entity, ids, seconds }),
      );
    let counters = 0;
    for (const { entity, table, seconds } of ownEntities(definition))
      counters += await eachPage(client, { known: COUNTER_PAGE, of: entity, signal }, (ids) =>
        forgetCounters(client, { entity, table, ids, seconds }),
      );
    await client.query("SELECT pg_advisory_unlock($1, $2)", [...LOCK]);
    return { tombstones, counters };
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
    throw error;
  } finally {
    // A connection that failed is closed, and its lock with it.
    client.release(failure);
  }
}

function entities({ consumers }: ForgettingOptions["definition"]): ReadonlyMap<string, number> {
  return new Map(
    consumers.flatMap(({ entity, stream: { tombstoneSeconds } }) =>
      tombstoneSeconds === undefined ? [] : [[entity, tombstoneSeconds] as const],
    ),
  );
}

/** Entities that are rows: whether one of the others lives is not known here. */
function ownEntities({ name, stream, tables }: ForgettingOptions["definition"]) {
  const seconds = counterSeconds(stream);
  if (seconds === undefined) return [];
  return tables.flatMap((table) =>
    table.entity === undefined ? [] : [{ entity: `${name}.${table.entity}`, table, seconds }],
  );
}

/** How long an owner goes on counting after a deletion; undefined: for ever. */
function counterSeconds(stream: StreamDefinition | undefined): number | undefined {
  return stream?.tombstoneSeconds === undefined ? undefined : 2 * stream.tombstoneSeconds;
}

const APPLIED_PAGE =
  "SELECT entity_id AS id FROM mesh.applied WHERE entity = $1 AND entity_id > $2 ORDER BY entity_id LIMIT $3";
const COUNTER_PAGE =
  "SELECT entity_id AS id FROM mesh.entity_version WHERE entity = $1 AND entity_id > $2 ORDER BY entity_id LIMIT $3";

interface Pages {
  readonly known: string;
  readonly of: string;
  readonly signal: AbortSignal | undefined;
}

async function eachPage(
  client: PoolClient,
  { known, of, signal }: Pages,
  work: (ids: readonly string[]) => Promise<number>,
): Promise<number> {
  let done = 0;
  for (let last = ""; signal?.aborted !== true; ) {
    const { rows } = await client.query<{ id: string }>(known, [of, last, PAGE_ROWS]);
    if (rows.length > 0) done += await work(rows.map(({ id }) => id));
    if (rows.length < PAGE_ROWS) break;
    last = rows.at(-1)?.id ?? last;
    await pause(BREATH_MS, signal);
  }
  return done;
}

const NOTE_TOMBSTONES = `WITH met AS (
  SELECT entity_id FROM mesh.applied
  WHERE entity = $1 AND entity_id = ANY ($2::text[]) AND deleted AND deleted_seq IS DISTINCT FROM stream_seq
  FOR UPDATE SKIP LOCKED)
UPDATE mesh.applied AS state SET deleted_at = now(), deleted_seq = state.stream_seq
FROM met WHERE state.entity = $1 AND state.entity_id = met.entity_id`;

const FORGET_TOMBSTONES = `WITH gone AS (
  SELECT entity_id FROM mesh.applied AS state
  WHERE entity = $1 AND entity_id = ANY ($2::text[]) AND deleted AND deleted_seq = stream_seq
    AND deleted_at < now() - make_interval(secs => $3)
    AND NOT EXISTS (SELECT FROM mesh.dead_letter AS letter
      WHERE letter.entity = $1 AND letter.entity_id = state.entity_id AND letter.redriven_at IS NULL)
    AND NOT EXISTS (SELECT FROM mesh.attempt WHERE attempt.entity = $1 AND attempt.entity_id = state.entity_id)
    AND NOT EXISTS (SELECT FROM mesh.cascade_task AS task WHERE task.entity = $1 AND task.entity_id = state.entity_id)
  FOR UPDATE OF state SKIP LOCKED)
DELETE FROM mesh.applied AS state USING gone WHERE state.entity = $1 AND state.entity_id = gone.entity_id`;

async function forgetTombstones(
  client: PoolClient,
  page: { readonly entity: string; readonly ids: readonly string[]; readonly seconds: number },
): Promise<number> {
  const ids = arrayLiteral(page.ids);
  const { rowCount } = await client.query(FORGET_TOMBSTONES, [page.entity, ids, page.seconds]);
  await client.query(NOTE_TOMBSTONES, [page.entity, ids]);
  return rowCount ?? 0;
}

const NOTE_COUNTERS = `WITH met AS (
  SELECT entity_id FROM mesh.entity_version
  WHERE entity = $1 AND entity_id = ANY ($2::text[]) AND gone_version IS DISTINCT FROM version
  FOR UPDATE SKIP LOCKED)
UPDATE mesh.entity_version AS counter SET gone_at = now(), gone_version = counter.version
FROM met WHERE counter.entity = $1 AND counter.entity_id = met.entity_id`;

/** An event that has waited for as long in the outbox is still to be numbered before its successors. */
const FORGET_COUNTERS = `WITH gone AS (
  SELECT entity_id FROM mesh.entity_version
  WHERE entity = $1 AND entity_id = ANY ($2::text[]) AND gone_version = version
    AND gone_at < now() - make_interval(secs => $3)
    AND NOT EXISTS (SELECT FROM mesh.outbox WHERE created_at < now() - make_interval(secs => $3 / 2.0) LIMIT 1)
  FOR UPDATE SKIP LOCKED)
DELETE FROM mesh.entity_version AS counter USING gone
WHERE counter.entity = $1 AND counter.entity_id = gone.entity_id`;

async function forgetCounters(
  client: PoolClient,
  page: {
    readonly entity: string;
    readonly table: TableDefinition;
    readonly ids: readonly string[];
    readonly seconds: number;
  },
): Promise<number> {
  const { entity, table, ids, seconds } = page;
  const key = escapeIdentifier(table.key);
  const { rows } = await client.query<{ id: string }>(
    `SELECT ${key}::text AS id FROM ${escapeIdentifier(table.name)}
WHERE ${key} = ANY ($1::${arrayType(columnOf(table, table.key))})`,
    [arrayLiteral(ids)],
  );
  const alive = new Set(rows.map(({ id }) => id));
  const gone = arrayLiteral(ids.filter((id) => !alive.has(id)));
  if (gone === "{}") return 0;
  const { rowCount } = await client.query(FORGET_COUNTERS, [entity, gone, seconds]);
  await client.query(NOTE_COUNTERS, [entity, gone]);
  return rowCount ?? 0;
}
