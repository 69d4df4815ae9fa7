import fc from "fast-check";

/*
 * What happens in one schedule, as data: fast-check generates it from a seed and shrinks it to the smallest that still
 * fails. Tables, keys and targets are numbers, taken modulo what the mesh has, so a plan fits every mesh.
 */

/** One schedule: who runs, who writes what, and what breaks when. The same plan is the same run. */
export interface Plan {
  /** Seed of all other choices: which actor comes next, what is lost, what is delivered when. */
  readonly schedule: number;
  /** Processes of each service. */
  readonly replicas: number;
  /** True: every event has a handler, which records that it ran. False: only the user's handlers run. */
  readonly effects: boolean;
  /** True: snapshots every few seconds, which repair much. False: only at a start, after a loss, and in the end. */
  readonly periodic: boolean;
  readonly network: Network;
  /** One list per writer. Writers run concurrently. */
  readonly writers: readonly (readonly Write[])[];
  readonly faults: readonly Fault[];
}

/** Levels from 0, where nothing goes wrong, to 3. */
export interface Network {
  /** Of acks, publishes and publish acks. */
  readonly loss: number;
  readonly duplicates: number;
  /** Out-of-order and late delivery. */
  readonly reorder: number;
}

const WRITES = [
  "insert",
  "update",
  "delete",
  "swap",
  "recreate",
  "recreate and update",
  "insert all",
  "delete all",
] as const;

export interface Write {
  readonly kind: (typeof WRITES)[number];
  readonly table: number;
  readonly key: number;
  readonly column: number;
  readonly value: number;
  /** Virtual time before it. */
  readonly pauseMs: number;
}

const FAULTS = [
  "kill",
  "freeze",
  "stop",
  "broker down",
  "database down",
  "cut the database",
  "cut the broker",
  "resync",
  "source fails",
  "hook fails",
  "poison",
  "redeliver",
  "clock",
  "delete the durable",
  "delete the stream",
  "purge the stream",
  "lose the tail",
  "restore the database",
] as const;
export type FaultKind = (typeof FAULTS)[number];

/** Faults that lose messages for good. Snapshots restore the state, but not the events. */
const LOSSY: ReadonlySet<FaultKind> = new Set([
  "delete the stream",
  "purge the stream",
  "lose the tail",
  "restore the database",
]);

export interface Fault {
  readonly kind: FaultKind;
  /** Step of the schedule after which it strikes. */
  readonly at: number;
  readonly target: number;
  readonly ms: number;
  readonly count: number;
}

/** Few keys, so that writers touch the same rows; few values, so that unique ones conflict. */
export const KEYS = 4;
export const VALUES = 5;

const write: fc.Arbitrary<Write> = fc.record({
  kind: fc.oneof(
    { weight: 5, arbitrary: fc.constant(WRITES[0]) },
    { weight: 4, arbitrary: fc.constant(WRITES[1]) },
    { weight: 3, arbitrary: fc.constant(WRITES[2]) },
    { weight: 4, arbitrary: fc.constantFrom(...WRITES.slice(3, 6)) },
    { weight: 3, arbitrary: fc.constant(WRITES[5]) },
    { weight: 1, arbitrary: fc.constantFrom(...WRITES.slice(6)) },
  ),
  // Table 0, to which most others refer, and key 0 more often than the rest: else few ids get a second incarnation.
  table: fc.oneof({ weight: 2, arbitrary: fc.nat({ max: 99 }) }, { weight: 2, arbitrary: fc.constant(0) }),
  key: fc.oneof(
    { weight: 1, arbitrary: fc.nat({ max: KEYS - 1 }) },
    { weight: 1, arbitrary: fc.constant(0) },
  ),
  column: fc.nat({ max: 9 }),
  value: fc.nat({ max: VALUES - 1 }),
  pauseMs: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat({ max: 3_000 })),
});

const fault: fc.Arbitrary<Fault> = fc.record({
  kind: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...FAULTS.filter((kind) => !LOSSY.has(kind))) },
    { weight: 1, arbitrary: fc.constantFrom(...LOSSY) },
  ),
  at: fc.nat({ max: 600 }),
  target: fc.nat({ max: 99 }),
  ms: fc.integer({ min: 10, max: 10_000 }),
  count: fc.integer({ min: 1, max: 5 }),
});

const level = fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.nat({ max: 3 }));

export const plans: fc.Arbitrary<Plan> = fc.record({
  schedule: fc.noShrink(fc.integer({ min: 1, max: 0x7fff_ffff })),
  // Mostly two, so that one can overtake what the other is working on.
  replicas: fc.oneof(
    { withCrossShrink: true },
    { weight: 1, arbitrary: fc.constant(1) },
    { weight: 3, arbitrary: fc.constant(2) },
  ),
  effects: fc.boolean(),
  periodic: fc.boolean(),
  network: fc.record({ loss: level, duplicates: level, reorder: level }),
  writers: fc.array(fc.array(write, { minLength: 1, maxLength: 14 }), { minLength: 1, maxLength: 3 }),
  faults: fc.array(fault, { maxLength: 4 }),
});

export function isLossy({ faults }: Plan): boolean {
  return faults.some(({ kind }) => LOSSY.has(kind));
}

/** A description for people, one line for each writer and fault. */
export function describePlan({
  schedule,
  replicas,
  effects,
  periodic,
  network,
  writers,
  faults,
}: Plan): string {
  const { loss, duplicates, reorder } = network;
  return [
    `schedule ${schedule}, ${replicas} of each service, ${effects ? "every event has a handler" : "handlers as they are"}, ${periodic ? "periodic snapshots" : "no periodic snapshots"}`,
    `network: loss ${loss}, duplicates ${duplicates}, reorder ${reorder}`,
    ...writers.map((writes, index) => `writer-${index + 1}: ${writes.map(describeWrite).join("; ")}`),
    ...faults.map(
      ({ kind, at, target, ms, count }) =>
        `after step ${at}: ${kind} (target ${target}, ${ms} ms, count ${count})`,
    ),
    "",
  ].join("\n");
}

function describeWrite({ kind, table, key, value, pauseMs }: Write): string {
  return `${pauseMs > 0 ? `after ${pauseMs} ms ` : ""}${kind} table ${table} key ${key} value ${value}`;
}
