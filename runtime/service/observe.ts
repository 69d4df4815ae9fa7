import { DatabaseError } from "pg";
import { ageInSeconds } from "../age.js";
import type { ConsumerStats } from "../consumer/consumer.js";
import { relationName } from "../database/relation.js";
import type { ServiceDefinition } from "../definition/service-definition.js";
import { consumersOf } from "../inbox/every-event.js";
import { readMetricFigures } from "../operate/metric-figures.js";
import type { SnapshotRecord } from "../resync/snapshot-record.js";
import type { Meter, MetricsPage } from "../telemetry/meter.js";
import type {
  Observed,
  ObservedConsumer,
  ObservedFigures,
  ObservedPool,
  ObservedSnapshot,
} from "../telemetry/metric-table.js";
import { FIGURES_FRESH_MS, openFigureSession } from "./figure-session.js";
import type { Pools } from "./pools.js";
import type { RunningParts } from "./running-parts.js";
import { shareFor } from "./share-for.js";
import type { ServiceState } from "./state.js";

export interface ObserveOptions {
  readonly definition: ServiceDefinition;
  readonly state: ServiceState;
  /** Undefined for a service without a database. */
  readonly pools: Pools | undefined;
  readonly meter: Meter;
  /** Undefined until the parts are started. */
  readonly parts: () => RunningParts | undefined;
}

/**
 * The page of `/metrics`. Database and process are looked at once a second, however often it is asked for; what does not answer
 * within 2 s is left out, so a scrape never waits for long, and nothing waits for a scrape.
 */
export function openMetrics(options: ObserveOptions): () => Promise<MetricsPage> {
  const copies = copiesOf(options.definition);
  const read = shareFor(FIGURES_FRESH_MS, async (parts: RunningParts | undefined) =>
    options.meter.page(await observe(options, parts, copies)),
  );
  return () => read(options.parts());
}

/** By durable, the table of its copy. */
type Copies = ReadonlyMap<string, string | undefined>;

function copiesOf(definition: ServiceDefinition): Copies {
  return new Map(definition.consumers.map(({ durable, cache }) => [durable, cache && relationName(cache)]));
}

async function observe(
  { definition, state, pools }: ObserveOptions,
  parts: RunningParts | undefined,
  copies: Copies,
): Promise<Observed> {
  const durables = consumersOf(definition).map(({ durable }) => durable);
  const { database, figures } = await readFigures(pools, durables);
  const stats = parts?.consumers.map(({ running }) => running.stats()) ?? [];
  return {
    serving: state.phase === "serving",
    broker: parts?.broker?.connected(),
    database,
    figures,
    consumers: stats.map((one) => observedConsumer(one, copies)),
    relay: parts?.relay?.stats(),
    hasMoments: definition.moments !== undefined,
    cascades: parts?.cascades?.stats(),
    pools: pools === undefined ? [] : observedPools(pools),
  };
}

interface FiguresRead {
  /** Undefined: the service has none. */
  readonly database: boolean | undefined;
  readonly figures: ObservedFigures | undefined;
}

/** Never rejects. A database that refuses the statement is up: it may not be migrated yet, or the statement took too long. */
async function readFigures(pools: Pools | undefined, durables: readonly string[]): Promise<FiguresRead> {
  if (pools === undefined) return { database: undefined, figures: undefined };
  const session = await openFigureSession(pools.figurePool).catch(() => undefined);
  if (session === undefined) return { database: false, figures: undefined };
  try {
    return { database: true, figures: await readMetricFigures(session.client, durables) };
  } catch (error) {
    return { database: error instanceof DatabaseError, figures: undefined };
  } finally {
    session.end();
  }
}

function observedConsumer(stats: ConsumerStats, copies: Copies): ObservedConsumer {
  const { lastSnapshot, lastEventAt } = stats;
  return {
    ...stats,
    copy: copies.get(stats.durable),
    lastEventAt,
    snapshot: lastSnapshot && observedSnapshot(lastSnapshot, stats.snapshotError),
  };
}

function observedSnapshot(
  { at, rows, unfit, error, wanted }: SnapshotRecord,
  failure: string | undefined,
): ObservedSnapshot {
  return {
    ageSeconds: at === null ? null : ageInSeconds(new Date(at)),
    rows,
    unfit,
    failed: error !== null || failure !== undefined,
    wanted: wanted !== null,
  };
}

function observedPools({ pool, requestPool, figurePool }: Pools): readonly ObservedPool[] {
  return (
    [
      ["work", pool],
      ["requests", requestPool],
      ["figures", figurePool],
    ] as const
  ).map(([use, { totalCount: total, idleCount: idle, waitingCount: waiting }]) => ({
    ...{ use, total, idle, waiting },
  }));
}
