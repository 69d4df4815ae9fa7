import type pg from "pg";
import type { ServiceName } from "../project.js";
import type { Random } from "../random.js";
import type { WriteLog } from "../write-log.js";

/** What one write may use. */
export interface Writing {
  readonly random: Random;
  readonly writeLog: WriteLog;
  /** Unique in a run. */
  readonly serial: () => number;
  readonly client: Pick<pg.ClientBase, "query">;
  /** One of the few user ids, whether such a user exists now or not. */
  readonly user: () => string;
  /** One REST call to a random replica; rejects when it does not answer. */
  readonly call: (service: ServiceName, request: string, body?: object) => Promise<number>;
}

export interface Action {
  readonly name: string;
  readonly weight: number;
  /** The service whose database it writes to. */
  readonly service: ServiceName;
  readonly transaction?: true;
  write(writing: Writing): Promise<void>;
}

/** Few, so that ids and names are reused. */
const NAMES = 30;
const CONTAINERS = 40;

export function anyName(random: Random): string {
  return `name-${random.between(1, NAMES)}`;
}

export function anyContainer(random: Random): string {
  return `c${random.between(1, CONTAINERS)}`;
}

/** A row may refer only to a user that existed: no deletion is published of one that never did. */
export function knownUser({ random, writeLog }: Pick<Writing, "random" | "writeLog">): string {
  if (writeLog.users.size === 0) throw new NothingToDo("there is no user yet");
  return random.pick([...writeLog.users]);
}

/** There is nothing yet that the action could write to. */
export class NothingToDo extends Error {
  override readonly name = "NothingToDo";
}
