import type { Pool, PoolClient } from "pg";
import { lockSpace, meshSchemaOf } from "../database/mesh-schema.js";
import { acquire } from "../database/transaction.js";
import type { Logger } from "../definition/hook-definition.js";
import type { ServiceDefinition } from "../definition/service-definition.js";
import type { StreamDefinition } from "../definition/stream-definition.js";
import { scopeOf } from "../inbox/scope.js";
import { pause } from "../pause.js";
import { messageOf } from "../text/error-message.js";
import { APPLIED_PAGE, COUNTER_PAGE, expireCounters, expireTombstones } from "./tombstone-statements.js";

/*
 * Expiry of tombstones. A tombstone keeps a late event from bringing a deleted entity back; each stream says for how long. Its
 * time starts when a pass first finds it, whatever wrote it. A tombstone for which a dead letter, an attempt or a cascade
 * waits stays. Nothing here waits for a lock, and no transaction is long.
 *
 * An owner keeps the version counter of a deleted entity for twice as long: when a re-creation starts at version 1 again, every
 * consumer that ran meanwhile has expired the former incarnation.
 */

/** Delay of the first pass after the start. */
const FIRST_MS = 60_000;
const EVERY_MS = 6 * 3_600_000;
const PAGE_ROWS = 5_000;
/** Pause between two pages: this work is in no hurry. */
const PAGE_PAUSE_MS = 20;
/** Behind the number of the schema: 1 is the relay's. */
const EXPIRY = 2;

export interface TombstoneExpiry {
  stop(): Promise<void>;
}

export interface TombstoneExpiryOptions {
  readonly pool: Pool;
  readonly definition: Pick<ServiceDefinition, "name" | "stream" | "tables" | "consumers">;
  readonly logger: Logger;
}

/** Runs a pass every six hours, in one replica at a time. */
export function startTombstoneExpiry(options: TombstoneExpiryOptions): TombstoneExpiry {
  const stopping = new AbortController();
  const { signal } = stopping;
  const work = async () => {
    for (let wait = FIRST_MS; !signal.aborted; wait = EVERY_MS) {
      await pause(wait, signal);
      if (signal.aborted) return;
      try {
        const expired = await expireDeleted(options, signal);
        if (expired !== undefined && expired.tombstones + expired.counters > 0)
          options.logger.info(expired, "tombstones expired");
      } catch (error) {
        options.logger.warn(
          { error: messageOf(error) },
          "tombstones could not be expired; the next pass tries again",
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

export interface Expired {
  /** Of entities of other services, deleted from `mesh.applied`. */
  readonly tombstones: number;
  /** Of its own entities, deleted from `mesh.entity_version`. */
  readonly counters: number;
}

/** One pass over all tombstones and counters; undefined where another replica is running one. */
export async function expireDeleted(
  { pool, definition }: TombstoneExpiryOptions,
  signal?: AbortSignal,
): Promise<Expired | undefined> {
  const lock = [lockSpace(meshSchemaOf(pool.options)), EXPIRY];
  let failure: Error | undefined;
  const onError = (error: Error) => {
    failure = error;
  };
  const client = await acquire(pool, onError);
  try {
    const { rows } = await client.query<{ locked: boolean }>(
      "SELECT pg_catalog.pg_try_advisory_lock($1, $2) AS locked",
      lock,
    );
    if (rows[0]?.locked !== true) return undefined;
    let tombstones = 0;
    for (const [entity, seconds] of entities(definition))
      tombstones += await eachPage(client, { statement: APPLIED_PAGE, of: entity, signal }, (ids) =>
        expireTombstones(client, { entity, ids, seconds }),
      );
    let counters = 0;
    for (const { entity, table, seconds } of ownEntities(definition))
      counters += await eachPage(client, { statement: COUNTER_PAGE, of: entity, signal }, (ids) =>
        expireCounters(client, { entity, table, ids, seconds }),
      );
    await client.query("SELECT pg_catalog.pg_advisory_unlock($1, $2)", lock);
    return { tombstones, counters };
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
    throw error;
  } finally {
    client.off("error", onError);
    // Closing a failed connection frees its lock.
    client.release(failure);
  }
}

function entities({ consumers }: TombstoneExpiryOptions["definition"]): ReadonlyMap<string, number> {
  return new Map(
    consumers.flatMap((consumer) => {
      const { tombstoneSeconds } = consumer.stream;
      return tombstoneSeconds === undefined ? [] : [[scopeOf(consumer), tombstoneSeconds] as const];
    }),
  );
}

/** Own entities that are rows of a table. Of others the database does not know whether they are deleted. */
function ownEntities({ name, stream, tables }: TombstoneExpiryOptions["definition"]) {
  const seconds = counterSeconds(stream);
  if (seconds === undefined) return [];
  return tables.flatMap((table) =>
    table.entity === undefined ? [] : [{ entity: `${name}.${table.entity}`, table, seconds }],
  );
}

/** How long an owner keeps the counter of a deleted entity; undefined: for ever. */
function counterSeconds(stream: StreamDefinition | undefined): number | undefined {
  return stream?.tombstoneSeconds === undefined ? undefined : 2 * stream.tombstoneSeconds;
}

interface Pages {
  /** The statement that reads a page. */
  readonly statement: string;
  /** The entity: `auth.user`. */
  readonly of: string;
  readonly signal: AbortSignal | undefined;
}

async function eachPage(
  client: PoolClient,
  { statement, of, signal }: Pages,
  work: (ids: readonly string[]) => Promise<number>,
): Promise<number> {
  let done = 0;
  for (let last = ""; signal?.aborted !== true; ) {
    const { rows } = await client.query<{ id: string }>(statement, [of, last, PAGE_ROWS]);
    if (rows.length > 0) done += await work(rows.map(({ id }) => id));
    if (rows.length < PAGE_ROWS) break;
    last = rows.at(-1)?.id ?? last;
    await pause(PAGE_PAUSE_MS, signal);
  }
  return done;
}
