/*
 * The figures of `/metrics` that are read when it is asked for. Labels are names from mesh.yaml and members of closed sets, never
 * ids: however much runs through a mesh, the number of its series stays. What is not known now is left out, and `mesh_broker_up`
 * and `mesh_database_up` say why. Each name ends in its unit.
 */

/** What one service knows of itself at one moment. */
export interface Observed {
  /** It takes requests. */
  readonly serving: boolean;
  /** Undefined: it has none. */
  readonly broker: boolean | undefined;
  readonly database: boolean | undefined;
  /** Undefined where the database did not answer, or is not migrated. */
  readonly figures: ObservedFigures | undefined;
  readonly consumers: readonly ObservedConsumer[];
  readonly relay: ObservedRelay | undefined;
  /** Whether events of the service are published at a moment. */
  readonly hasMoments: boolean;
  readonly cascades: { readonly done: number; readonly failed: number } | undefined;
  readonly pools: readonly ObservedPool[];
}

export interface ObservedFigures {
  readonly outbox: number;
  /** Null where it is empty. */
  readonly outboxOldestSeconds: number | null;
  /** By durable; the relay's under "outbox". */
  readonly letters: Readonly<Record<string, number>>;
  readonly cascadesWaiting: number;
  readonly cascadesFailing: number;
  readonly momentsWaiting: number;
  readonly momentsLateSeconds: number | null;
}

export interface ObservedConsumer {
  readonly durable: string;
  /** The table of its copy; undefined where it keeps none. */
  readonly copy: string | undefined;
  readonly connected: boolean;
  readonly stalled: boolean;
  readonly pending: number | undefined;
  readonly ackPending: number | undefined;
  readonly redelivered: number | undefined;
  readonly lagSeconds: number | undefined;
  readonly attemptsWaiting: number;
  readonly applied: number;
  readonly stale: number;
  readonly deadLetters: number;
  readonly lettersKept?: number | undefined;
  /** Commit of the newest event that was applied since the start, in unix seconds; undefined before the first. */
  readonly lastEventAt: number | undefined;
  readonly snapshot: ObservedSnapshot | undefined;
}

export interface ObservedSnapshot {
  readonly ageSeconds: number | null;
  readonly rows: number | null;
  readonly unfit: number;
  readonly failed: boolean;
  readonly wanted: boolean;
}

export interface ObservedRelay {
  readonly leader: boolean;
  readonly paused: boolean;
  readonly published: number;
  readonly retries: number;
  readonly quarantined: number;
}

export interface ObservedPool {
  /** What the connections are for. */
  readonly use: "work" | "requests" | "figures";
  readonly total: number;
  readonly idle: number;
  readonly waiting: number;
}

export type Label = "consumer" | "copy" | "pool" | "state";
export type Labels = Partial<Readonly<Record<Label, string>>>;
export type Sample = readonly [labels: Labels, value: number];

export interface MetricDefinition {
  readonly name: string;
  readonly help: string;
  /** A counter rises from 0 at each start of the process. */
  readonly kind: "gauge" | "counter";
  readonly labels: readonly Label[];
  readonly read: (observed: Observed) => readonly Sample[];
}

export const METRICS: readonly MetricDefinition[] = [
  plain("mesh_serving", "1 while the service takes requests.", ({ serving }) => serving),
  plain("mesh_broker_up", "1 while the service is connected to its broker.", ({ broker }) => broker),
  plain("mesh_database_up", "1 where the database answered within 2 s.", ({ database }) => database),

  plain(
    "mesh_outbox_messages",
    "Events that wait to be published, counted up to 100000.",
    ({ figures }) => figures?.outbox,
  ),
  plain(
    "mesh_outbox_oldest_seconds",
    "Age of the oldest event that waits to be published; 0 where none does.",
    ({ figures }) => figures && (figures.outboxOldestSeconds ?? 0),
  ),
  plain(
    "mesh_relay_leader",
    "1 in the one replica that publishes, 0 in those that stand by.",
    ({ relay }) => relay?.leader,
  ),
  plain(
    "mesh_relay_paused",
    "1 while broker or database keep the relay from publishing.",
    ({ relay }) => relay?.paused,
  ),
  plain(
    "mesh_relay_quarantined_entities",
    "Entities of which the broker refuses an event.",
    ({ relay }) => relay?.quarantined,
  ),
  counter("mesh_relay_published_total", "Events that the stream has acknowledged.", [], ({ relay }) =>
    relay === undefined ? [] : [[{}, relay.published]],
  ),
  counter("mesh_relay_retries_total", "Publishes that failed and are tried again.", [], ({ relay }) =>
    relay === undefined ? [] : [[{}, relay.retries]],
  ),

  byConsumer("mesh_consumer_connected", "1 while messages of the durable are taken.", (one) => one.connected),
  byConsumer(
    "mesh_consumer_stalled",
    "1 where messages wait and none was settled for 15 s, or what is needed is out of reach.",
    (one) => one.stalled,
  ),
  byConsumer(
    "mesh_consumer_lag_messages",
    "Messages that are not applied yet, over all replicas, as of the last 3 s.",
    ({ connected, pending, ackPending }) =>
      connected && pending !== undefined ? pending + (ackPending ?? 0) : undefined,
  ),
  byConsumer(
    "mesh_consumer_lag_seconds",
    "Age of the oldest event that this replica was given and has not applied; 0 where there is none.",
    ({ lagSeconds }) => lagSeconds,
  ),
  byConsumer(
    "mesh_consumer_redelivered_messages",
    "Messages that were delivered more than once and are not settled.",
    ({ connected, redelivered }) => (connected ? redelivered : undefined),
  ),
  byConsumer(
    "mesh_consumer_retries_waiting",
    "Events that failed and are tried again after their back-off.",
    (one) => one.attemptsWaiting,
  ),
  countedByConsumer("mesh_events_applied_total", "Events that changed something.", (one) => one.applied),
  countedByConsumer(
    "mesh_events_stale_total",
    "Events that changed nothing: duplicates, and those that newer ones have overtaken.",
    (one) => one.stale,
  ),
  countedByConsumer(
    "mesh_dead_letters_total",
    "Messages that became dead letters since the start.",
    (one) => one.deadLetters,
  ),
  gauge(
    "mesh_dead_letters",
    'Dead letters that wait for a person, counted up to 10000; of the consumer "outbox" those that must not be published.',
    ["consumer"],
    ({ figures, consumers }) => [
      ...Object.entries(figures?.letters ?? {}).map(([consumer, count]): Sample => [{ consumer }, count]),
      ...consumers.flatMap(({ durable: consumer, lettersKept }): Sample[] =>
        lettersKept === undefined ? [] : [[{ consumer }, lettersKept]],
      ),
    ],
  ),

  gauge(
    "mesh_copy_age_seconds",
    "Time since the commit of the newest event in the copy, or since its last snapshot. It grows while the owner changes nothing: lag says whether events wait.",
    ["consumer", "copy"],
    ({ consumers }) => consumers.flatMap(copyAge),
  ),
  byConsumer(
    "mesh_snapshot_age_seconds",
    "Time since the last snapshot.",
    ({ snapshot }) => snapshot?.ageSeconds,
  ),
  byConsumer("mesh_snapshot_rows", "Rows that the last snapshot read.", ({ snapshot }) => snapshot?.rows),
  byConsumer(
    "mesh_snapshot_unfit_rows",
    "Rows of the source that the last snapshot could not take.",
    ({ snapshot }) => snapshot?.unfit,
  ),
  byConsumer("mesh_snapshot_failed", "1 where the last snapshot failed.", ({ snapshot }) => snapshot?.failed),
  byConsumer(
    "mesh_snapshot_wanted",
    "1 where events were missed and a snapshot has yet to heal that.",
    ({ snapshot }) => snapshot?.wanted,
  ),

  gauge("mesh_cascade_tasks", "Rows that wait for their before hook.", ["state"], ({ figures }) =>
    figures === undefined
      ? []
      : [
          [{ state: "waiting" }, figures.cascadesWaiting - figures.cascadesFailing],
          [{ state: "failing" }, figures.cascadesFailing],
        ],
  ),
  counter("mesh_cascade_tasks_total", "Calls of before hooks that ended.", ["state"], ({ cascades }) =>
    cascades === undefined
      ? []
      : [
          [{ state: "done" }, cascades.done],
          [{ state: "failed" }, cascades.failed],
        ],
  ),
  plain("mesh_moments_waiting", "Moments to come, counted up to 100000.", ({ figures, hasMoments }) =>
    hasMoments ? figures?.momentsWaiting : undefined,
  ),
  plain(
    "mesh_moments_late_seconds",
    "By how much the latest moment that has come is late; 0 where none is.",
    ({ figures, hasMoments }) => (hasMoments && figures ? (figures.momentsLateSeconds ?? 0) : undefined),
  ),

  gauge("mesh_pool_connections", "Connections to the database.", ["pool", "state"], ({ pools }) =>
    pools.flatMap(({ use: pool, total, idle }): Sample[] => [
      [{ pool, state: "busy" }, total - idle],
      [{ pool, state: "idle" }, idle],
    ]),
  ),
  gauge("mesh_pool_waiting", "Who waits for a connection.", ["pool"], ({ pools }) =>
    pools.map(({ use: pool, waiting }): Sample => [{ pool }, waiting]),
  ),
];

function copyAge({ durable: consumer, copy, lastEventAt, snapshot }: ObservedConsumer): Sample[] {
  if (copy === undefined) return [];
  const sinceEvent = lastEventAt === undefined ? undefined : Date.now() / 1000 - lastEventAt;
  const known = [sinceEvent, snapshot?.ageSeconds].filter((age) => age !== undefined && age !== null);
  return known.length === 0 ? [] : [[{ consumer, copy }, Math.max(0, Math.min(...known))]];
}

type Value = number | boolean | null | undefined;

function gauge(
  name: string,
  help: string,
  labels: readonly Label[],
  read: MetricDefinition["read"],
): MetricDefinition {
  return { name, help, kind: "gauge", labels, read };
}

function counter(
  name: string,
  help: string,
  labels: readonly Label[],
  read: MetricDefinition["read"],
): MetricDefinition {
  return { name, help, kind: "counter", labels, read };
}

function plain(name: string, help: string, read: (observed: Observed) => Value): MetricDefinition {
  return gauge(name, help, [], (observed) => sample({}, read(observed)));
}

function readConsumers(read: (one: ObservedConsumer) => Value): MetricDefinition["read"] {
  return ({ consumers }) => consumers.flatMap((one) => sample({ consumer: one.durable }, read(one)));
}

function byConsumer(name: string, help: string, read: (one: ObservedConsumer) => Value): MetricDefinition {
  return gauge(name, help, ["consumer"], readConsumers(read));
}

function countedByConsumer(
  name: string,
  help: string,
  read: (one: ObservedConsumer) => number,
): MetricDefinition {
  return counter(name, help, ["consumer"], readConsumers(read));
}

function sample(labels: Labels, value: Value): Sample[] {
  return value === undefined || value === null ? [] : [[labels, Number(value)]];
}
