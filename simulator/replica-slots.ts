import {
  createAdversary,
  createDatabaseNetwork,
  createMishaps,
  createTroubles,
  endTroubles,
  type Troubles,
} from "./active-faults.js";
import { createSimulatedServer } from "./broker/index.js";
import { createHistory } from "./history.js";
import type { SimulatedService } from "./mesh.js";
import type { Plan } from "./plan.js";
import { type Life, startLife } from "./process.js";
import type { Random } from "./random.js";
import { createSchedule, type TraceLine } from "./schedule.js";
import type { VirtualTime } from "./time.js";
import type { Stage, World } from "./world.js";

/*
 * The world and its strings: what faults pull at, and what mends them.
 */

/** A place for a process: it is started again when it ends. */
export interface Role {
  readonly service: SimulatedService;
  readonly name: string;
  readonly weight: number;
  life: Life | undefined;
}

/** What the oracle hears of, once all is quiet. */
interface Records {
  readonly trace: TraceLine[];
  readonly failures: string[];
  readonly called: Set<string>;
  readonly byHand: Set<string>;
}

export interface Cast extends Records {
  readonly world: World;
  readonly roles: readonly Role[];
  readonly troubles: Troubles;
  startAll(): void;
  start(role: Role): void;
  /** kill -9; it is started again after the time. */
  kill(role: Role, downMs: number): void;
  /** Everybody who is connected to it loses the connection. */
  cutAll(database: string): void;
  /** No fault goes on, every process runs. */
  mend(): Promise<void>;
  endAll(): void;
}

interface Means {
  readonly random: Random;
  readonly time: VirtualTime;
}

export function createCast(stage: Stage, plan: Plan, means: Means): Cast {
  const troubles = createTroubles(plan.network);
  const records: Records = { trace: [], failures: [], called: new Set(), byHand: new Set() };
  const roles = castRoles(stage, plan, means.random);
  const world = createWorld({ ...means, stage, plan, troubles, records, roles });
  const start = (role: Role) => {
    if (role.life !== undefined) return;
    world.note(role, "starts");
    role.life = startLife(world, role);
  };
  const startAll = () => roles.forEach(start);
  return {
    ...records,
    world,
    roles,
    troubles,
    startAll,
    start,
    cutAll(database) {
      for (const socket of [...world.databaseNetwork.sockets]) if (socket.database === database) socket.cut();
    },
    kill(role, downMs) {
      role.life?.crash();
      role.life = undefined;
      setTimeout(() => start(role), downMs);
    },
    async mend() {
      world.note({ name: "world" }, "faults end");
      endTroubles(troubles);
      world.schedule.endStalls();
      world.server.setUp(true);
      for (const life of world.lives()) life.actor.frozen = false;
      startAll();
    },
    endAll() {
      for (const life of world.lives()) life.crash();
    },
  };
}

function castRoles({ mesh }: Stage, { replicas }: Plan, random: Random): readonly Role[] {
  return mesh.services.flatMap((service) =>
    Array.from(
      { length: replicas },
      (_, place): Role => ({
        service,
        name: `${service.definition.name}-${place + 1}`,
        weight: random.pick([1, 2, 2, 8]),
        life: undefined,
      }),
    ),
  );
}

interface WorldParts extends Means {
  readonly stage: Stage;
  readonly plan: Plan;
  readonly troubles: Troubles;
  readonly records: Records;
  readonly roles: readonly Role[];
}

/** What a longer trace would go on with, nobody reads. */
const TRACE_LINES = 20_000;

function createWorld({ stage, plan, random, time, troubles, records, roles }: WorldParts): World {
  const { trace, failures, called, byHand } = records;
  const record = (line: TraceLine) => {
    if (trace.length < TRACE_LINES) trace.push(line);
  };
  const schedule = createSchedule({ random, time, onStep: record });
  const lives = () => roles.flatMap(({ life }) => life ?? []);
  return {
    plan,
    mesh: stage.mesh,
    schedule,
    random,
    time,
    server: createSimulatedServer({}),
    adversary: createAdversary(troubles, random),
    databaseNetwork: createDatabaseNetwork({ stage, schedule, random, troubles, lives }),
    lives,
    history: createHistory(),
    ...createMishaps(troubles, random),
    calledBefore: (table, key) => called.add(`${table} ${key}`),
    deletedByHand: ({ table }, key) => byHand.add(`${table.name} ${key}`),
    note: ({ name }, what) => record({ step: schedule.steps, ms: time.elapsed(), actor: name, what }),
    fail: (reason) => failures.push(reason),
  };
}
