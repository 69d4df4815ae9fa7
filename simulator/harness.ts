import {
  type ActiveFaults,
  createActiveFaults,
  createAdversary,
  createCallFaults,
  createDatabaseNetwork,
  endActiveFaults,
} from "./active-faults.js";
import { createSimulatedServer } from "./broker/index.js";
import { createForeignOwner } from "./foreign-owners.js";
import { createHistory } from "./history.js";
import type { PlayedService } from "./mesh.js";
import type { Plan } from "./plan.js";
import { startProcess } from "./process.js";
import type { Random } from "./random.js";
import { createSchedule, type TraceLine } from "./schedule.js";
import type { VirtualTime } from "./time.js";
import type { ServiceProcess, Testbed, Times, World } from "./world.js";

/*
 * A world with the means to start, kill and break its processes: what faults act on, and what ends them.
 */

/** A place for one process of a service, which is started again after it ended: `sfs-1`. */
export interface ReplicaSlot {
  readonly service: PlayedService;
  readonly name: string;
  /** How often its process is chosen to act, relative to others. */
  readonly weight: number;
  process: ServiceProcess | undefined;
}

/** What is written down for the oracle and the trace. */
interface Records {
  readonly trace: TraceLine[];
  readonly failures: string[];
  readonly hookCalls: Set<string>;
  readonly writerDeletions: Set<string>;
  readonly handled: Map<string, number>;
  readonly published: Map<string, Times>;
}

export interface Harness extends Records {
  readonly world: World;
  readonly slots: readonly ReplicaSlot[];
  readonly activeFaults: ActiveFaults;
  startAll(): void;
  start(slot: ReplicaSlot): void;
  /** kill -9; starts the slot's next process after this virtual time. */
  kill(slot: ReplicaSlot, downMs: number): void;
  /** Breaks all connections to this database. */
  cutAll(database: string): void;
  /** Ends all faults and starts every process that is down. */
  endFaults(): void;
  killAll(): void;
}

interface Sources {
  readonly random: Random;
  readonly time: VirtualTime;
}

export function createHarness(testbed: Testbed, plan: Plan, sources: Sources): Harness {
  const activeFaults = createActiveFaults(plan.network);
  const records: Records = {
    trace: [],
    failures: [],
    hookCalls: new Set(),
    writerDeletions: new Set(),
    handled: new Map(),
    published: new Map(),
  };
  const slots = createSlots(testbed, plan, sources.random);
  const world = createWorld({ ...sources, testbed, plan, activeFaults, records, slots });
  const start = (slot: ReplicaSlot) => {
    if (slot.process !== undefined) return;
    world.note(slot, "starts");
    slot.process = startProcess(world, slot);
  };
  const startAll = () => slots.forEach(start);
  return {
    ...records,
    world,
    slots,
    activeFaults,
    startAll,
    start,
    cutAll(database) {
      for (const socket of [...world.databaseNetwork.sockets]) if (socket.database === database) socket.cut();
    },
    kill(slot, downMs) {
      slot.process?.kill();
      slot.process = undefined;
      setTimeout(() => start(slot), downMs);
    },
    endFaults() {
      world.note({ name: "world" }, "faults end");
      endActiveFaults(activeFaults);
      world.schedule.endStalls();
      world.server.setUp(true);
      for (const process of world.processes()) process.actor.frozen = false;
      startAll();
    },
    killAll() {
      for (const process of world.processes()) process.kill();
      for (const owner of world.foreign) owner.end();
    },
  };
}

function createSlots({ mesh }: Testbed, { replicas }: Plan, random: Random): readonly ReplicaSlot[] {
  return [...mesh.services, ...mesh.stateless].flatMap((service) =>
    Array.from(
      { length: replicas },
      (_, index): ReplicaSlot => ({
        service,
        name: `${service.definition.name}-${index + 1}`,
        weight: random.pick([1, 2, 2, 8]),
        process: undefined,
      }),
    ),
  );
}

interface WorldParts extends Sources {
  readonly testbed: Testbed;
  readonly plan: Plan;
  readonly activeFaults: ActiveFaults;
  readonly records: Records;
  readonly slots: readonly ReplicaSlot[];
}

/** Lines after these are dropped: nobody reads a longer trace. */
const MAX_TRACE_LINES = 20_000;

function createWorld({ testbed, plan, random, time, activeFaults, records, slots }: WorldParts): World {
  const { trace, failures, hookCalls, writerDeletions, handled, published } = records;
  const record = (line: TraceLine) => {
    if (trace.length < MAX_TRACE_LINES) trace.push(line);
  };
  const schedule = createSchedule({ random, time, onStep: record });
  const processes = () => slots.flatMap(({ process }) => process ?? []);
  const server = createSimulatedServer({});
  const surroundings = { schedule, server, random, plan, coverage: testbed.coverage };
  return {
    plan,
    mesh: testbed.mesh,
    schedule,
    random,
    time,
    server,
    foreign: testbed.mesh.foreign.map((entity) => createForeignOwner(surroundings, entity)),
    adversary: createAdversary(activeFaults, random),
    databaseNetwork: createDatabaseNetwork({ testbed, schedule, random, faults: activeFaults, processes }),
    processes,
    history: createHistory(),
    coverage: testbed.coverage,
    ...createCallFaults(activeFaults, random),
    recordHookCall: (table, key) => hookCalls.add(`${table} ${key}`),
    recordPublished(subject, { least, most }) {
      const before = published.get(subject) ?? { least: 0, most: 0 };
      published.set(subject, { least: before.least + least, most: before.most + most });
    },
    recordHandled(durable, message) {
      const call = `${durable} ${message}`;
      handled.set(call, (handled.get(call) ?? 0) + 1);
    },
    recordWriterDeletion: ({ table }, key) => writerDeletions.add(`${table.name} ${key}`),
    note: ({ name }, what) => record({ step: schedule.steps, ms: time.elapsed(), actor: name, what }),
    fail: (reason) => failures.push(reason),
  };
}
