import type { Pool, PoolClient } from "pg";
import { acquire } from "../database/transaction.js";
import type { Health } from "../http/health-routes.js";
import type { Parts } from "./parts.js";
import type { PartsReport } from "./report.js";
import type { ServiceState } from "./state.js";

export interface ReadinessOptions {
  readonly state: ServiceState;
  /** For readiness alone: events and requests do not wait for whoever asks. Undefined for a service without a database. */
  readonly pool: Pool | undefined;
  /** Undefined until the parts are started. */
  readonly parts: () => Parts | undefined;
}

/** A database that does not answer within this time counts as down. */
export const HEALTH_TIMEOUT_MS = 2_000;
/** The database is asked once in this time, however many requests come. */
const FRESH_MS = 1_000;

/**
 * The answer of `/readyz`. Without its database a service can do nothing: unready. Without the broker it serves reads, and
 * writes whose events wait in the outbox: degraded, so that traffic keeps coming.
 */
export function openReadiness({ state, pool, parts }: ReadinessOptions): () => Promise<Health> {
  const read = shareFor(FRESH_MS, (running: Parts | undefined) =>
    pool === undefined ? readWithout(running) : readFigures(pool, running),
  );
  return async () => {
    const { database, report } = await read(parts());
    const blocking = [
      // Never cached: load balancers go by it.
      ...(state.phase === "serving" ? [] : [describePhase(state)]),
      ...(database?.status === "down" ? [`database: ${database.error}`] : []),
    ];
    const reasons = [...blocking, ...report.reasons];
    const checks = {
      service: { phase: state.phase },
      ...(database === undefined ? {} : { database }),
      ...report.checks,
    };
    const status = blocking.length > 0 ? "unready" : reasons.length > 0 ? "degraded" : "ready";
    return { status, ...(reasons.length === 0 ? {} : { reasons }), checks };
  };
}

/** Shares one call among all callers while it runs and for `ms` after it. Another argument makes another call. */
function shareFor<A, T>(ms: number, work: (of: A) => Promise<T>): (of: A) => Promise<T> {
  let last: { readonly of: A; readonly result: Promise<T>; until: number } | undefined;
  return (of) => {
    if (last !== undefined && last.of === of && performance.now() < last.until) return last.result;
    const current = { of, result: work(of), until: Number.POSITIVE_INFINITY };
    const settled = () => {
      current.until = performance.now() + ms;
    };
    current.result.then(settled, settled);
    last = current;
    return current.result;
  };
}

interface Figures {
  readonly database: DatabaseCheck | undefined;
  readonly report: PartsReport;
}

type DatabaseCheck = { readonly status: "up" } | { readonly status: "down"; readonly error: string };

const NOTHING: PartsReport = { checks: {}, reasons: [] };

async function readWithout(running: Parts | undefined): Promise<Figures> {
  return { database: undefined, report: (await running?.report()) ?? NOTHING };
}

/** Never rejects. A connection that does not answer is closed, so that the next request does not wait for it. */
async function readFigures(pool: Pool, running: Parts | undefined): Promise<Figures> {
  const down = (error: string): Figures => ({ database: { status: "down", error }, report: NOTHING });
  let session: Session;
  try {
    session = await openSession(pool);
  } catch (error) {
    return down(describe(error));
  }
  try {
    await session.client.query("SELECT 1");
  } catch (error) {
    const silent = session.isGivenUp();
    session.end();
    return down(silent ? `no answer within ${HEALTH_TIMEOUT_MS} ms` : describe(error));
  }
  session.refresh();
  // Figures that take too long are left out: a slow count must not turn traffic away.
  const report = (await running?.report(session.client)) ?? NOTHING;
  session.end();
  return { database: { status: "up" }, report };
}

interface Session {
  readonly client: PoolClient;
  /** Starts its time again. */
  readonly refresh: () => void;
  readonly isGivenUp: () => boolean;
  readonly end: () => void;
}

/** A session that is closed, and rejects what it runs, unless it is ended in time. */
async function openSession(pool: Pool): Promise<Session> {
  let broken = false;
  let released = false;
  const onError = () => {
    broken = true;
  };
  const client = await acquire(pool, onError);
  const release = (close: boolean) => {
    if (released) return;
    released = true;
    if (!close) client.off("error", onError);
    client.release(close);
  };
  const timer = setTimeout(() => {
    broken = true;
    release(true);
  }, HEALTH_TIMEOUT_MS);
  return {
    client,
    refresh: () => timer.refresh(),
    isGivenUp: () => released,
    end: () => {
      clearTimeout(timer);
      release(broken);
    },
  };
}

function describePhase({ phase, trouble }: ServiceState): string {
  return trouble === undefined ? phase : `${phase}: ${trouble}`;
}

/** The error's code only: anyone may ask, and messages name hosts and users. */
function describe(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "no connection";
}
