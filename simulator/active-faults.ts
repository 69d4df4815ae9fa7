import type { Adversary } from "./broker/index.js";
import type { Network } from "./plan.js";
import type { DatabaseNetwork, SimulatedSocket } from "./postgres/socket.js";
import type { Life } from "./process.js";
import type { Random } from "./random.js";
import type { Actor, Schedule } from "./schedule.js";
import type { Stage, World } from "./world.js";

/*
 * What goes wrong, and how the broker, the databases and the sources of a world go by it.
 */

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

export function createTroubles(network: Network): Troubles {
  return {
    network,
    downDatabases: new Set(),
    cuts: new Map(),
    sourceFailures: 0,
    hooksFail: false,
    skew: new Map(),
    poison: [],
    coming: 0,
  };
}

/** Clocks stay off, and nobody takes poison back: neither is a fault that ends. */
export function endTroubles(troubles: Troubles): void {
  troubles.network = { loss: 0, duplicates: 0, reorder: 0 };
  troubles.downDatabases.clear();
  troubles.cuts.clear();
  troubles.sourceFailures = 0;
  troubles.hooksFail = false;
}

export function createAdversary(troubles: Troubles, random: Random): Adversary {
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
  readonly schedule: Schedule;
  readonly random: Random;
  readonly troubles: Troubles;
  readonly lives: () => readonly Life[];
}

/** A notification is heard now and then: the poll has to do where it is not. */
const HEARD = 0.2;

export function createDatabaseNetwork({
  stage,
  schedule,
  random,
  troubles,
  lives,
}: NetworkParts): DatabaseNetwork {
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

/** Sources and hooks, as the processes call them. */
export function createMishaps(troubles: Troubles, random: Random): Pick<World, "sourceFate" | "hookFails"> {
  const hookFailures = new Map<string, number>();
  return {
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
  };
}
