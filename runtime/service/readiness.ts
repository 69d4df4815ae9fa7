import type { ClientBase, Pool } from "pg";
import type { Health } from "../http/health-routes.js";
import { codeOf } from "../text/error-message.js";
import {
  FIGURES_FRESH_MS,
  FIGURES_TIMEOUT_MS,
  type FigureSession,
  openFigureSession,
} from "./figure-session.js";
import type { Parts } from "./parts.js";
import type { PartsReport } from "./report.js";
import { shareFor } from "./share-for.js";
import type { ServiceState } from "./state.js";

export interface ReadinessOptions {
  readonly state: ServiceState;
  /** For figures alone: events and requests do not wait for whoever asks. Undefined for a service without a database. */
  readonly pool: Pool | undefined;
  /** Undefined until the parts are started. */
  readonly parts: () => Parts | undefined;
  /** Why tables that exist degrade it. */
  readonly existing: (database: ClientBase) => Promise<readonly string[]>;
}

/**
 * The answer of `/readyz`. Without its database a service can do nothing: unready. Without the broker it serves reads, and
 * writes whose events wait in the outbox: degraded, so that traffic keeps coming.
 */
export function openReadiness(options: ReadinessOptions): () => Promise<Health> {
  const { state, pool, parts } = options;
  const read = shareFor(FIGURES_FRESH_MS, (running: Parts | undefined) =>
    pool === undefined ? readWithout(running) : readFigures(pool, { ...options, running }),
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
async function readFigures(
  pool: Pool,
  { running, existing }: Pick<ReadinessOptions, "existing"> & { readonly running: Parts | undefined },
): Promise<Figures> {
  const down = (error: string): Figures => ({ database: { status: "down", error }, report: NOTHING });
  let session: FigureSession;
  try {
    session = await openFigureSession(pool);
  } catch (error) {
    return down(describe(error));
  }
  try {
    await session.client.query("SELECT 1");
  } catch (error) {
    const silent = session.isGivenUp();
    session.end();
    return down(silent ? `no answer within ${FIGURES_TIMEOUT_MS} ms` : describe(error));
  }
  session.refresh();
  // Figures that take too long are left out: a slow count must not turn traffic away.
  const report = (await running?.report(session.client)) ?? NOTHING;
  const differing = running === undefined ? [] : await existing(session.client);
  session.end();
  return { database: { status: "up" }, report: { ...report, reasons: [...report.reasons, ...differing] } };
}

function describePhase({ phase, trouble }: ServiceState): string {
  return trouble === undefined ? phase : `${phase}: ${trouble}`;
}

/** The error's code only: anyone may ask, and messages name hosts and users. */
function describe(error: unknown): string {
  return codeOf(error) ?? "no connection";
}
