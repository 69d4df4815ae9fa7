import type { ClientBase, Pool } from "pg";
import { openClient } from "../database/mesh-schema.js";
import { pause } from "../pause.js";

/** A session that another one waits for. */
export interface Blocker {
  readonly pid: number;
  readonly application: string;
  readonly user: string;
  /** NULL where the role may not see it, as all that follows: only members of pg_read_all_stats see others' sessions. */
  readonly state: string | null;
  readonly since: string | null;
  readonly query: string | null;
}

/** A prepared transaction has no session: its pid is 0. */
const BLOCKERS = `
SELECT blocker.pid, coalesce(activity.application_name, '') AS application,
       coalesce(activity.usename, '') AS user, activity.state,
       pg_catalog.to_char(coalesce(activity.xact_start, activity.query_start) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS since,
       pg_catalog.left(pg_catalog.regexp_replace(activity.query, '\\s+', ' ', 'g'), 80) AS query
FROM (SELECT DISTINCT pg_catalog.unnest(pg_catalog.pg_blocking_pids($1)) AS pid) AS blocker
LEFT JOIN pg_stat_activity AS activity ON activity.pid = blocker.pid
ORDER BY activity.xact_start NULLS LAST, blocker.pid`;

export interface BlockerWatch {
  /** Those it waits for now; where it no longer waits, those it waited for last. Empty when it never did, or nobody could look. */
  seen(): readonly Blocker[];
  end(): Promise<void>;
}

export interface WatchOptions {
  /** Whose connection settings the watch's own connection takes; a single client cannot be watched. */
  readonly database: Pool | ClientBase;
  /** Backend that may have to wait. */
  readonly pid: number;
  /** Called at each look that finds it waiting. */
  readonly onBlocked: (blockers: readonly Blocker[]) => void;
}

const LOOK_MS = 150;

/** Looks from a second connection, opened at the first look: what is done before costs none. Failing to look ends nothing. */
export function watchBlockers({ database, pid, onBlocked }: WatchOptions): BlockerWatch {
  const stopping = new AbortController();
  let seen: readonly Blocker[] = [];
  const look = async () => {
    await pause(LOOK_MS, stopping.signal);
    if (stopping.signal.aborted) return;
    await beside(database, async (client) => {
      while (!stopping.signal.aborted) {
        const { rows } = await client.query<Blocker>(BLOCKERS, [pid]);
        if (rows.length > 0) {
          seen = rows;
          onBlocked(rows);
        }
        await pause(LOOK_MS, stopping.signal);
      }
    });
  };
  const ended = look().catch(() => undefined);
  return {
    seen: () => seen,
    async end() {
      stopping.abort();
      await ended;
    },
  };
}

/** Ends what the backend is doing, and nothing else. Harmless when it cannot be reached. */
export async function cancelBackend(database: Pool | ClientBase, pid: number): Promise<void> {
  await beside(database, (client) => client.query("SELECT pg_catalog.pg_cancel_backend($1)", [pid])).catch(
    () => undefined,
  );
}

/** A connection of its own: the pool's may all be taken. */
async function beside(
  database: Pool | ClientBase,
  work: (client: ClientBase) => Promise<unknown>,
): Promise<void> {
  if (!("totalCount" in database)) return;
  const client = openClient(database);
  client.on("error", () => undefined);
  try {
    await client.connect();
    await work(client);
  } finally {
    await client.end();
  }
}

/** One line for the log: `process 4711 (psql, user anna, idle in transaction since 2026-01-02T03:04:05Z): SELECT …`. */
export function describeBlockers(blockers: readonly Blocker[]): string {
  if (blockers.length === 0) return "another session";
  return blockers
    .map(({ pid, application, user, state, since, query }) => {
      if (pid === 0) return "a prepared transaction (see pg_prepared_xacts)";
      const facts = [application, user && `user ${user}`, state && `${state} since ${since}`];
      const known = facts.filter((fact) => fact).join(", ");
      return `process ${pid}${known && ` (${known})`}${query ? `: ${query}` : ""}`;
    })
    .join("; ");
}
