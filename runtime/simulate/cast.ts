import { type Adversary, createSimulatedServer } from "./broker/index.js";
import { createHistory } from "./history.js";
import type { SimulatedService } from "./mesh.js";
import type { Network, Plan } from "./plan.js";
import type { DatabaseNetwork, SimulatedSocket } from "./postgres/socket.js";
import { type Life, startLife } from "./process.js";
import type { Random } from "./random.js";
import { type Actor, createSchedule, type TraceLine } from "./schedule.js";
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

/** What is wrong at the moment. */
export interface Troubles {
  network: Network;
  readonly downDatabases: Set<string>;
  /** By actor: what becomes of its next request to the database. */
  readonly cuts: Map<Actor, "before" | "after">;
  /** So many of the next readings of a source go wrong. */
  sourceFailures: number;
  hooksFail: boolean;
  /** By database: how far its clock is off. */
  readonly skew: Map<string, number>;
  readonly poison: string[];
  /** Faults that have begun and are yet to strike. */
  coming: number;
}

export interface Cast {
  readonly world: World;
  readonly roles: readonly Role[];
  readonly troubles: Troubles;
  readonly trace: TraceLine[];
  readonly failures: string[];
  readonly called: Set<string>;
  readonly byHand: Set<string>;
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

/** A trace that is longer is one that nobody reads; its end tells. */
const TRACE_LINES = 20_000;

export function createCast(stage: Stage, plan: Plan, { random, time }: Means): Cast {
  const trace: TraceLine[] = [];
  const record = (line: TraceLine) => {
    if (trace.length < TRACE_LINES) trace.push(line);
  };
  const schedule = createSchedule({ random, time, onStep: record });
  const troubles: Troubles = {
    network: plan.network,
    downDatabases: new Set(),
    cuts: new Map(),
    sourceFailures: 0,
    hooksFail: false,
    skew: new Map(),
    poison: [],
    coming: 0,
  };
  const failures: string[] = [];
  const called = new Set<string>();
  const byHand = new Set<string>();
  const hookFailures = new Map<string, number>();
  const roles = stage.mesh.services.flatMap((service) =>
    Array.from(
      { length: plan.replicas },
      (_, place): Role => ({
        service,
        name: `${service.definition.name}-${place + 1}`,
        weight: random.pick([1, 2, 2, 8]),
        life: undefined,
      }),
    ),
  );
  const lives = () => roles.flatMap(({ life }) => life ?? []);
  const world: World = {
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
    sourceFate() {
      if (troubles.sourceFailures === 0) return "whole";
      troubles.sourceFailures -= 1;
      return random.pick(["fails", "breaks", "ends"]);
    },
    hookFails(call) {
      const times = hookFailures.get(call) ?? 0;
      if (!troubles.hooksFail || times >= 2) return false;
      hookFailures.set(call, times + 1);
      return true;
    },
    calledBefore: (table, key) => called.add(`${table} ${key}`),
    deletedByHand: ({ table }, key) => byHand.add(`${table.name} ${key}`),
    note: ({ name }, what) => record({ step: schedule.steps, ms: time.elapsed(), actor: name, what }),
    fail: (reason) => failures.push(reason),
  };
  const start = (role: Role) => {
    if (role.life !== undefined) return;
    world.note(role, "starts");
    role.life = startLife(world, role);
  };
  const startAll = () => roles.forEach(start);
  const cutAll = (database: string) => {
    for (const socket of [...world.databaseNetwork.sockets]) if (socket.database === database) socket.cut();
  };
  return {
    world,
    roles,
    troubles,
    trace,
    failures,
    called,
    byHand,
    startAll,
    start,
    cutAll,
    kill(role, downMs) {
      role.life?.crash();
      role.life = undefined;
      setTimeout(() => start(role), downMs);
    },
    async mend() {
      world.note({ name: "world" }, "faults end");
      troubles.network = { loss: 0, duplicates: 0, reorder: 0 };
      troubles.downDatabases.clear();
      troubles.cuts.clear();
      troubles.sourceFailures = 0;
      troubles.hooksFail = false;
      world.server.setUp(true);
      for (const life of lives()) life.actor.frozen = false;
      startAll();
    },
    endAll() {
      for (const life of lives()) life.crash();
    },
  };
}

function createAdversary(troubles: Troubles, random: Random): Adversary {
  return {
    pick(due, max) {
      const places = due.map((_, place) => place);
      if (!random.chance(0.2 * troubles.network.reorder)) return places.slice(0, max);
      const chosen: number[] = [];
      // Some now, in any order; the rest later.
      while (places.length > 0 && chosen.length < max && !random.chance(0.25)) {
        chosen.push(...places.splice(random.int(places.length), 1));
      }
      return chosen;
    },
    losesSettling: () => random.chance(0.06 * troubles.network.loss),
    losesPublish() {
      if (!random.chance(0.04 * troubles.network.loss)) return undefined;
      return random.pick(["before", "after"]);
    },
    duplicates: () => random.chance(0.1 * troubles.network.duplicates),
  };
}

interface NetworkParts {
  readonly stage: Stage;
  readonly schedule: World["schedule"];
  readonly random: Random;
  readonly troubles: Troubles;
  readonly lives: () => readonly Life[];
}

/** A notification is heard now and then: the poll has to do where it is not. */
const HEARD = 0.2;

function createDatabaseNetwork({ stage, schedule, random, troubles, lives }: NetworkParts): DatabaseNetwork {
  const databases = new Map(stage.mesh.services.map(({ database }) => [database.name, database]));
  return {
    schedule,
    backends: stage.backends,
    sockets: new Set<SimulatedSocket>(),
    down: (database) => troubles.downDatabases.has(database),
    fate(actor) {
      const cut = troubles.cuts.get(actor);
      troubles.cuts.delete(actor);
      return cut ?? "carried";
    },
    async syncClock(database) {
      await databases.get(database)?.setClock(Date.now() + (troubles.skew.get(database) ?? 0));
    },
    onCommit(database) {
      if (!random.chance(HEARD)) return;
      for (const life of lives()) if (life.service.database.name === database) life.ring();
    },
  };
}
