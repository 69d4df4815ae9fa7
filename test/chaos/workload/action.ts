import type pg from "pg";
import type { Ledger } from "../ledger.js";
import type { ServiceName } from "../project.js";
import type { Random } from "../random.js";

/** What one write may use. */
export interface Writing {
  readonly random: Random;
  readonly ledger: Ledger;
  /** Never the same twice in a run. */
  readonly serial: () => number;
  readonly client: Pick<pg.ClientBase, "query">;
  /** One of the ids that users share, whether somebody has it now or not. */
  readonly user: () => string;
  /** One call of the service's REST API by whatever replica; rejects when it does not answer. */
  readonly call: (service: ServiceName, request: string, body?: object) => Promise<number>;
}

export interface Action {
  readonly name: string;
  readonly weight: number;
  /** Whose database its statements are for; within one transaction unless it uses REST alone. */
  readonly service: ServiceName;
  readonly transaction?: true;
  write(writing: Writing): Promise<void>;
}

/** Few, so that ids and names are used again and again. */
const NAMES = 30;
export const CONTAINERS = 40;

export function anyName(random: Random): string {
  return `name-${random.between(1, NAMES)}`;
}

export function anyContainer(random: Random): string {
  return `c${random.between(1, CONTAINERS)}`;
}

/** A row may only refer to what existed once: nobody announces the end of what never was. */
export function knownUser({ random, ledger }: Pick<Writing, "random" | "ledger">): string {
  if (ledger.users.size === 0) throw new NothingToDo("there is no user yet");
  return random.pick([...ledger.users]);
}

/** What the write is about is not there. */
export class NothingToDo extends Error {
  override readonly name = "NothingToDo";
}
