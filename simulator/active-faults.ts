import type { Adversary } from "./broker/index.js";
import type { Network } from "./plan.js";
import type { DatabaseNetwork, RequestFault, SimulatedSocket } from "./postgres/socket.js";
import type { Random } from "./random.js";
import type { Actor, Schedule } from "./schedule.js";
import type { ServiceProcess, Testbed, World } from "./world.js";

/*
 * Which faults are active, and what the broker, the databases, the snapshot sources and the hooks of a world do while
 * they are.
 */

export interface ActiveFaults {
  network: Network;
  readonly downDatabases: Set<string>;
  /** By actor: where its connection breaks at its next request to the database. */
  readonly cuts: Map<Actor, Exclude<RequestFault, "none">>;
  /** How many of the next snapshot requests fail. */
  sourceFailures: number;
  hooksFail: boolean;
  /** By database: by how many ms its clock is off. */
  readonly skew: Map<string, number>;
  /** Subjects of the poison messages so far. */
  readonly poison: string[];
  /** How many faults are prepared and strike later. */
  scheduled: number;
}

export function createActiveFaults(network: Network): ActiveFaults {
  return {
    network,
    downDatabases: new Set(),
    cuts: new Map(),
    sourceFailures: 0,
    hooksFail: false,
    skew: new Map(),
    poison: [],
    scheduled: 0,
  };
}

/** Ends those that end: clocks stay off, and poison stays in its stream. */
export function endActiveFaults(faults: ActiveFaults): void {
  faults.network = { loss: 0, duplicates: 0, reorder: 0 };
  faults.downDatabases.clear();
  faults.cuts.clear();
  faults.sourceFailures = 0;
  faults.hooksFail = false;
}

export function createAdversary(faults: ActiveFaults, random: Random): Adversary {
  return {
    pick(due, max) {
      const indexes = due.map((_, index) => index);
      if (!random.chance(0.2 * faults.network.reorder)) return indexes.slice(0, max);
      const chosen: number[] = [];
      // Delivers some now, in any order, and keeps the rest for later.
      while (indexes.length > 0 && chosen.length < max && !random.chance(0.25)) {
        chosen.push(...indexes.splice(random.int(indexes.length), 1));
      }
      return chosen;
    },
    losesSettling: () => random.chance(0.06 * faults.network.loss),
    losesPublish() {
      if (!random.chance(0.04 * faults.network.loss)) return undefined;
      return random.pick(["before", "after"]);
    },
    duplicates: () => random.chance(0.1 * faults.network.duplicates),
  };
}

interface NetworkParts {
  readonly testbed: Testbed;
  readonly schedule: Schedule;
  readonly random: Random;
  readonly faults: ActiveFaults;
  readonly processes: () => readonly ServiceProcess[];
}

/** The share of notifications that arrive. The relay must get by on its poll where none does. */
const NOTIFIED = 0.2;

export function createDatabaseNetwork({
  testbed,
  schedule,
  random,
  faults,
  processes,
}: NetworkParts): DatabaseNetwork {
  const databases = new Map(testbed.mesh.services.map(({ database }) => [database.name, database]));
  return {
    schedule,
    backends: testbed.backends,
    sockets: new Set<SimulatedSocket>(),
    down: (database) => faults.downDatabases.has(database),
    nextFault(actor) {
      const cut = faults.cuts.get(actor);
      faults.cuts.delete(actor);
      return cut ?? "none";
    },
    async syncClock(database) {
      await databases.get(database)?.setClock(Date.now() + (faults.skew.get(database) ?? 0));
    },
    onCommit(database) {
      if (!random.chance(NOTIFIED)) return;
      for (const process of processes()) if (process.service.database?.name === database) process.notify();
    },
  };
}

/** The faults of snapshot sources and hooks, as the processes ask for them. */
export function createCallFaults(
  faults: ActiveFaults,
  random: Random,
): Pick<World, "nextSourceFault" | "hookFails"> {
  const hookFailures = new Map<string, number>();
  return {
    nextSourceFault() {
      if (faults.sourceFailures === 0) return "none";
      faults.sourceFailures -= 1;
      return random.pick(["fails", "breaks", "ends"]);
    },
    hookFails(call) {
      const times = hookFailures.get(call) ?? 0;
      if (!faults.hooksFail || times >= 2) return false;
      hookFailures.set(call, times + 1);
      return true;
    },
  };
}
