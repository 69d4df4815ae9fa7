import pg from "pg";
import { backOff } from "../back-off.js";
import { lockSpace, meshSchemaOf, openClient } from "../database/mesh-schema.js";
import type { Logger } from "../definition/hook-definition.js";
import { pause } from "../pause.js";
import { messageOf } from "../text/error-message.js";

/*
 * The leader lease of the relay: of all connections of its service to this database, only the one that holds it may publish. It is a session
 * advisory lock, so PostgreSQL frees it the moment the connection ends, whatever ended it.
 */

/** Behind the number of the schema, 1 is for the relay. Locks of two numbers and of one, such as the migrations', never conflict. */
const RELAY = 1;

const pollMs = backOff({ from: 1_000, to: 1_000 });
const QUERY_TIMEOUT_MS = 30_000;
/** The lease is validated for this long after a query was sent that succeeded. */
const VALID_MS = 1_500;

export interface LeaseOptions {
  readonly pool: Pick<pg.Pool, "options">;
  readonly service: string;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Called at each attempt that finds the lease held by another connection. */
  readonly onStandby: () => void;
  readonly onNotify: () => void;
}

export interface LeaderLease {
  /**
   * Rows as arrays. Rejects for good once the connection is lost. Commits do not wait for the disk: see `transaction`.
   * With a name, it is planned once for the connection, whatever the values are: planning takes longer than reading a page.
   */
  query<Row extends readonly unknown[]>(
    text: string,
    values: readonly unknown[],
    name?: string,
  ): Promise<readonly Row[]>;
  /** One transaction, on the disk once it has resolved: rolled back when `work` rejects. */
  transaction<T>(work: () => Promise<T>): Promise<T>;
  /**
   * Whether the lease was validated in the last 1.5 s: a query succeeded, so the connection and its lock were ours. A process that was
   * suspended has to validate it again, since another one may have published meanwhile. Every query that succeeds does.
   */
  isValid(): boolean;
  /** Aborted when the connection is lost. */
  readonly lost: AbortSignal;
  /** Closes the connection, which frees the lease. */
  release(): Promise<void>;
}

/** Connects, and polls until the lease is free. Undefined where `signal` is aborted first; rejects when the database is away. */
export async function acquireLease(options: LeaseOptions): Promise<LeaderLease | undefined> {
  const lease = await connectLease(options);
  const lock = [lockSpace(meshSchemaOf(options.pool.options)), RELAY];
  try {
    while (!options.signal.aborted) {
      const [tried] = await lease.query<[boolean]>("SELECT pg_catalog.pg_try_advisory_lock($1, $2)", lock);
      if (tried?.[0]) {
        await lease.query("LISTEN mesh_outbox", []);
        return lease;
      }
      options.onStandby();
      await pause(pollMs(0), options.signal);
    }
  } catch (error) {
    await lease.release();
    throw error;
  }
  await lease.release();
  return undefined;
}

async function connectLease({ pool, service, logger, signal, onNotify }: LeaseOptions): Promise<LeaderLease> {
  const client = openClient(pool);
  const lost = new AbortController();
  client.on("error", (error) => {
    logger.warn({ error: messageOf(error) }, "relay lost its database connection");
    lost.abort(error);
  });
  client.on("end", () => lost.abort(new Error("the database connection has ended")));
  client.on("notification", onNotify);
  await connectUnless(signal, client);

  let validAt = performance.now();
  let validAtClock = Date.now();
  const query = async <Row extends readonly unknown[]>(
    text: string,
    values: readonly unknown[],
    name?: string,
  ) => {
    lost.signal.throwIfAborted();
    // Valid from when the query was sent: the answer may have waited here while this process was suspended.
    const at = performance.now();
    const atClock = Date.now();
    const settings = {
      text,
      values: [...values],
      rowMode: "array" as const,
      query_timeout: QUERY_TIMEOUT_MS,
      ...(name !== undefined && { name }),
    };
    const { rows } = await client.query<Row & unknown[]>(settings).catch((error) => {
      // Not an answer of the server: the connection is broken, or in an unknown state.
      if (!(error instanceof pg.DatabaseError)) lost.abort(error);
      throw error;
    });
    validAt = at;
    validAtClock = atClock;
    return rows;
  };
  const lease: LeaderLease = {
    query,
    async transaction(work) {
      await query("BEGIN", []);
      try {
        await query("SET LOCAL synchronous_commit = on", []);
        await query("SET LOCAL plan_cache_mode = auto", []);
        const result = await work();
        await query("COMMIT", []);
        return result;
      } catch (error) {
        // A lost connection is rolled back by the server; the first error is the one to report.
        await query("ROLLBACK", []).catch(() => undefined);
        throw error;
      }
    },
    // By both clocks: the monotonic one stops while the machine is suspended.
    isValid: () =>
      !lost.signal.aborted &&
      performance.now() - validAt < VALID_MS &&
      Math.abs(Date.now() - validAtClock) < VALID_MS,
    lost: lost.signal,
    release: async () => {
      client.removeListener("notification", onNotify);
      // A broken connection has ended already.
      await client.end().catch(() => undefined);
    },
  };
  try {
    await query(
      "SELECT pg_catalog.set_config('application_name', $1, false), pg_catalog.set_config('TimeZone', 'UTC', false)",
      [`meshwright ${service}`],
    );
    // The outbox is read in order, from a sequence on: a plan that sorts it or scans all of it is never right.
    // Without jit: where a disabled plan is the only one (a table of one row) its cost would have jit compile for 50 ms.
    await query("SET enable_seqscan = off", []);
    await query("SET enable_bitmapscan = off", []);
    await query("SET jit = off", []);
    // Its statements have one good plan each, which a plan made for known values cannot better.
    await query("SET plan_cache_mode = force_generic_plan", []);
    // Deletions that a crash of the server undoes are compared with the stream before anything is published again.
    await query("SET synchronous_commit = off", []);
    return lease;
  } catch (error) {
    await lease.release();
    throw error;
  }
}

/**
 * Connects, and rejects when `signal` is aborted: a host that does not answer must not delay a stop for minutes. The driver
 * never settles a `connect()` whose client was ended.
 */
async function connectUnless(signal: AbortSignal, client: pg.Client): Promise<void> {
  const connected = client.connect();
  const stopped = new Promise<never>((_, reject) => {
    const giveUp = () => {
      reject(new Error("stopped while connecting to the database"));
      void client.end().catch(() => undefined);
    };
    signal.addEventListener("abort", giveUp, { once: true });
    const settled = () => signal.removeEventListener("abort", giveUp);
    connected.then(settled, settled);
  });
  await Promise.race([connected, stopped]);
}
