import { setTimeout as sleep } from "node:timers/promises";
import type { Pool } from "pg";
import type { Health } from "../http/health.js";
import type { Parts } from "./parts.js";
import type { ServiceState } from "./state.js";

export interface HealthOptions {
  readonly state: ServiceState;
  readonly pool: Pool;
  /** undefined until they are started. */
  readonly parts: () => Parts | undefined;
}

/** A database that does not answer within this time is as good as down. */
const PATIENCE_MS = 2_000;

/**
 * What `/readyz` says. Without its database a service can do nothing: unready. Without the broker it
 * serves reads and writes, whose events wait in the outbox: degraded, so that traffic keeps coming.
 */
export async function readHealth({ state, pool, parts }: HealthOptions): Promise<Health> {
  const database = await checkDatabase(pool);
  const running = parts();
  const part = (database.status === "up" ? await running?.report() : undefined) ?? {
    checks: {},
    reasons: [],
  };
  const blocking = [
    ...(state.phase === "serving" ? [] : [describePhase(state)]),
    ...(database.status === "up" ? [] : [`database: ${database.error}`]),
  ];
  const reasons = [...blocking, ...part.reasons];
  const checks = { service: { phase: state.phase }, database, ...part.checks };
  const status = blocking.length > 0 ? "unready" : reasons.length > 0 ? "degraded" : "ready";
  return { status, ...(reasons.length === 0 ? {} : { reasons }), checks };
}

type DatabaseCheck = { readonly status: "up" } | { readonly status: "down"; readonly error: string };

async function checkDatabase(pool: Pool): Promise<DatabaseCheck> {
  const asked: Promise<DatabaseCheck> = pool.query("SELECT 1").then(
    () => ({ status: "up" }),
    (error: unknown) => ({ status: "down", error: describe(error) }),
  );
  const timer = new AbortController();
  const waited: Promise<DatabaseCheck> = sleep(PATIENCE_MS, undefined, {
    ref: false,
    signal: timer.signal,
  }).then(
    () => ({ status: "down", error: `no answer within ${PATIENCE_MS} ms` }),
    () => ({ status: "down", error: "answered" }),
  );
  const first = await Promise.race([asked, waited]);
  timer.abort();
  return first;
}

function describePhase({ phase, trouble }: ServiceState): string {
  return trouble === undefined ? phase : `${phase}: ${trouble}`;
}

/** Codes alone: anyone may ask, and messages name hosts and users. */
function describe(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "no connection";
}
