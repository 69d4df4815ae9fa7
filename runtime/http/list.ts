import { Readable } from "node:stream";
import type { Pool, PoolClient } from "pg";
import Cursor from "pg-cursor";
import { isUnavailable } from "../database/database-errors.js";
import { acquire } from "../database/transaction.js";
import type { TableDefinition } from "../definition/table-definition.js";
import { equalities, type Values } from "../repository/rows.js";
import { tableSql } from "../repository/table-sql.js";

export interface ListOptions {
  /** Values that columns must equal. */
  readonly filter: Values;
  /** Adds `_version` and `_first_version` of that entity (`auth.user`) to each element; 0 and null where it never had an event. */
  readonly versions?: { readonly entity: string | undefined } | undefined;
  /** How long the client may take for one chunk, in ms, before the list is broken off. Default 60000. */
  readonly chunkMs?: number;
}

const CHUNK_MS = 60_000;
/** Size of a chunk: large enough that its fixed cost does not matter, small enough for many lists at once. */
const CHUNK_BYTES = 64 * 1024;
const FIRST_ROWS = 32;
const MOST_ROWS = 8192;

/**
 * A table as one JSON array, read by one statement and so from one consistent snapshot. Rows are fetched as the client takes them, so
 * memory grows neither with the table nor with a slow client. Resolves once the first rows are here, so that a refusal by
 * PostgreSQL is known before anything is sent. A later error destroys the stream: a truncated array must never look complete.
 */
export async function openList(pool: Pool, table: TableDefinition, options: ListOptions): Promise<Readable> {
  const { tell, unlessLost } = watchConnection();
  const client = await acquire(pool, tell);
  const release = (error?: Error) => {
    client.off("error", tell);
    client.release(error);
  };
  try {
    const chunks = readChunks({ client, unlessLost }, table, options);
    return await streamRows(chunks, { chunkMs: options.chunkMs ?? CHUNK_MS, release });
  } catch (error) {
    // A refused filter does no harm to the connection.
    release(error instanceof Error && isUnavailable(error) ? error : undefined);
    throw error;
  }
}

interface Connection {
  /** Listener for errors of the connection. Without one a lost connection would end the process. */
  readonly tell: (error: Error) => void;
  /** Settles as the work does, or rejects when the connection is lost. One at a time. */
  readonly unlessLost: <T>(work: Promise<T>) => Promise<T>;
}

/**
 * A cursor that has read its last row and waits for the server to be ready is not told that the connection is lost: its reader would
 * wait for ever, and the connection never return to the pool.
 *
 * Not `Promise.race` with one promise for the loss: that promise would keep every chunk of the list until the list ends.
 */
function watchConnection(): Connection {
  let lost: Error | undefined;
  let interrupt: (error: Error) => void = () => undefined;
  return {
    tell(error) {
      lost ??= error;
      interrupt(lost);
    },
    unlessLost: (work) =>
      new Promise((resolve, reject) => {
        interrupt = reject;
        work.then(resolve, reject);
        if (lost !== undefined) reject(lost);
      }),
  };
}

interface Chunks {
  /** Rows as JSON texts; none at the end. */
  next(): Promise<readonly string[]>;
  close(): Promise<void>;
}

interface Reading extends Pick<Connection, "unlessLost"> {
  readonly client: PoolClient;
}

function readChunks(
  { client, unlessLost }: Reading,
  table: TableDefinition,
  { filter, versions }: ListOptions,
): Chunks {
  const { conditions, parameters } = equalities(table, filter);
  const entity = versions?.entity === undefined ? [] : [versions.entity];
  const versionOf = entity.length === 0 ? {} : { parameter: parameters.length + 1 };
  const text = tableSql(table, "callers").scan(conditions, versions && versionOf);
  const cursor = client.query(new Cursor<[string]>(text, [...parameters, ...entity], { rowMode: "array" }));
  let count = FIRST_ROWS;
  return {
    next: async () => {
      const rows = (await unlessLost(cursor.read(count))).map(([row]) => row);
      const bytes = rows.reduce((sum, row) => sum + row.length, 1);
      count = Math.max(1, Math.min(MOST_ROWS, Math.ceil((rows.length * CHUNK_BYTES) / bytes)));
      return rows;
    },
    close: () => unlessLost(cursor.close()),
  };
}

interface Streaming {
  readonly chunkMs: number;
  /** Called exactly once, however the stream ends, and only when no read is in progress. */
  readonly release: (error?: Error) => void;
}

async function streamRows(chunks: Chunks, { chunkMs, release }: Streaming): Promise<Readable> {
  let ahead: Promise<readonly string[]> = chunks.next();
  let opening = "[";
  let timeout: NodeJS.Timeout | undefined;
  await ahead;

  const push = async (stream: Readable) => {
    const rows = await ahead;
    if (stream.destroyed) return;
    if (rows.length === 0) {
      stream.push(opening === "[" ? "[]" : "\n]\n");
      stream.push(null);
      return;
    }
    const chunk = `${opening}\n${rows.join(",\n")}`;
    opening = ",";
    // PostgreSQL prepares the next rows while these are sent: one chunk ahead, never more.
    ahead = chunks.next();
    ahead.catch(() => undefined);
    timeout = setTimeout(() => stream.destroy(new Error("its reader takes too long")), chunkMs);
    stream.push(chunk);
  };

  return new Readable({
    read() {
      clearTimeout(timeout);
      push(this).catch((error: Error) => this.destroy(error));
    },
    destroy(error, done) {
      clearTimeout(timeout);
      ahead
        .then(() => chunks.close())
        .then(
          () => release(),
          (failure: Error) => release(failure),
        )
        .finally(() => done(error));
    },
  });
}
