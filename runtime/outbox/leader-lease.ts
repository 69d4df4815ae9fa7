import pg from "pg";
import { backOff } from "../back-off.js";
import type { Logger } from "../definition.js";
import { pause } from "../pause.js";
import { messageOf } from "../text/error-message.js";

/*
 * The relay's seat: the one connection of this database that may publish. A session advisory lock marks it, so
 * it is free again the moment the connection ends, whatever ended it.
 */

/** "mesh" in ASCII, and 1 for the relay. A lock of two numbers never meets one of a single number, such as the migrations'. */
const LOCK = [0x6d_65_73_68, 1] as const;

const pollMs = backOff({ from: 1_000, to: 1_000 });
const QUERY_TIMEOUT_MS = 30_000;
/** Older proof than this, and the connection must be heard from before anything is published. */
const PROOF_LASTS_MS = 1_500;

export interface SeatOptions {
  readonly pool: Pick<pg.Pool, "options">;
  readonly service: string;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Waiting for the seat while another holds it. */
  readonly onStandby: () => void;
  readonly onNotify: () => void;
}

export interface Seat {
  /** Rows as arrays. Rejects for good once the connection is lost. */
  query<Row extends readonly unknown[]>(text: string, values: readonly unknown[]): Promise<readonly Row[]>;
  /** One transaction: rolled back when `work` rejects. */
  transaction<T>(work: () => Promise<T>): Promise<T>;
  /**
   * The connection, and so the lock, was ours a moment ago. A process that was stopped and woke up has no such
   * proof: another may have published meanwhile. Any query that succeeds renews it.
   */
  proven(): boolean;
  /** Aborted when the connection is lost. */
  readonly lost: AbortSignal;
  /** Gives the seat up. */
  leave(): Promise<void>;
}

/** Connects, and waits until the seat is free. Undefined when stopped meanwhile; rejects when the database is away. */
export async function takeSeat(options: SeatOptions): Promise<Seat | undefined> {
  const seat = await connectSeat(options);
  try {
    while (!options.signal.aborted) {
      const [tried] = await seat.query<[boolean]>("SELECT pg_try_advisory_lock($1, $2)", LOCK);
      if (tried?.[0]) {
        await seat.query("LISTEN mesh_outbox", []);
        return seat;
      }
      options.onStandby();
      await pause(pollMs(0), options.signal);
    }
  } catch (error) {
    await seat.leave();
    throw error;
  }
  await seat.leave();
  return undefined;
}

async function connectSeat({ pool, service, logger, signal, onNotify }: SeatOptions): Promise<Seat> {
  const client = new pg.Client(pool.options);
  const lost = new AbortController();
  client.on("error", (error) => {
    logger.warn({ error: messageOf(error) }, "relay lost its database connection");
    lost.abort(error);
  });
  client.on("end", () => lost.abort(new Error("the database connection has ended")));
  client.on("notification", onNotify);
  await connectUnless(signal, client);

  let provenAt = performance.now();
  let provenAtClock = Date.now();
  const query = async <Row extends readonly unknown[]>(text: string, values: readonly unknown[]) => {
    lost.signal.throwIfAborted();
    // Proof dates from when the question left, not from when its answer was read.
    const at = performance.now();
    const atClock = Date.now();
    const settings = {
      text,
      values: [...values],
      rowMode: "array" as const,
      query_timeout: QUERY_TIMEOUT_MS,
    };
    const { rows } = await client.query<Row & unknown[]>(settings).catch((error) => {
      // Not an answer of the server's: the connection is broken, or nobody knows what it is in the middle of.
      if (!(error instanceof pg.DatabaseError)) lost.abort(error);
      throw error;
    });
    provenAt = at;
    provenAtClock = atClock;
    return rows;
  };
  const seat: Seat = {
    query,
    async transaction(work) {
      await query("BEGIN", []);
      try {
        const result = await work();
        await query("COMMIT", []);
        return result;
      } catch (error) {
        // Where the connection is gone the server rolls back by itself; the first error is the one to tell.
        await query("ROLLBACK", []).catch(() => undefined);
        throw error;
      }
    },
    // The wall clock too: the monotonic one stands still while a machine is suspended.
    proven: () =>
      !lost.signal.aborted &&
      performance.now() - provenAt < PROOF_LASTS_MS &&
      Math.abs(Date.now() - provenAtClock) < PROOF_LASTS_MS,
    lost: lost.signal,
    leave: async () => {
      client.removeListener("notification", onNotify);
      // Already broken is as good as ended.
      await client.end().catch(() => undefined);
    },
  };
  try {
    await query("SELECT set_config('application_name', $1, false), set_config('TimeZone', 'UTC', false)", [
      `meshwright ${service}`,
    ]);
    // The outbox is read in order, from a place: a plan that sorts or scans it all is never the right one.
    // Without jit: a disabled plan that is the only one (a table of one row) has a cost that would compile for 50 ms.
    await query("SET enable_seqscan = off", []);
    await query("SET enable_bitmapscan = off", []);
    await query("SET jit = off", []);
    return seat;
  } catch (error) {
    await seat.leave();
    throw error;
  }
}

/**
 * A host that does not answer must not hold up a stop for minutes. The driver leaves a `connect()` that is
 * ended under way without any answer, so the stop is one.
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
