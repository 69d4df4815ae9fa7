import type pg from "pg";
import type { ChaosMesh } from "../mesh.js";
import type { ServiceName } from "../project.js";
import type { Random } from "../random.js";
import { createWriteLog, type Outcome, outcomeOf, type WriteLog } from "../write-log.js";
import { type Action, NothingToDo, type Writing } from "./action.js";
import { belongingActions } from "./belongings.js";
import { userActions } from "./users.js";

export interface Writers {
  readonly writeLog: WriteLog;
  /** Writes at the rate until `pause`. */
  resume(): void;
  /** Resolves when the writes in progress have ended. */
  pause(): Promise<void>;
  /** Writes by name of the action and outcome. */
  readonly done: ReadonlyMap<string, number>;
}

export interface WritersOptions {
  readonly mesh: ChaosMesh;
  readonly random: Random;
  /** Writes per second, over all writers. */
  readonly rate: number;
  /** Number of user ids. */
  readonly users: number;
}

const WRITERS = 6;
const CALL_MS = 3_000;
const ACTIONS: readonly Action[] = [...userActions, ...belongingActions];

export function createWriters({ mesh, random, rate, users }: WritersOptions): Writers {
  const writeLog = createWriteLog();
  const done = new Map<string, number>();
  let serial = 0;
  let writing: Promise<unknown> = Promise.resolve();
  let stop = new AbortController();
  const settle = (action: Action, outcome: Outcome) => {
    writeLog.note(outcome);
    const name = `${action.name}: ${outcome}`;
    done.set(name, (done.get(name) ?? 0) + 1);
  };
  const write = async (signal: AbortSignal, own: Random) => {
    while (!signal.aborted) {
      const action = pickAction(own);
      const user = () => `u${own.between(1, users)}`;
      const context = { random: own, writeLog, serial: () => ++serial, user, call: callOf(mesh, own) };
      settle(action, await perform(mesh.databases.pools[action.service], action, context));
      await pauseMs((WRITERS / rate) * 1_000 * (0.5 + own.next()), signal);
    }
  };
  return {
    writeLog,
    done,
    resume() {
      stop = new AbortController();
      const { signal } = stop;
      writing = Promise.all(
        Array.from({ length: WRITERS }, (_, place) => write(signal, random.fork(`${serial}/${place}`))),
      );
    },
    async pause() {
      stop.abort();
      await writing;
    },
  };
}

const TOTAL_WEIGHT = ACTIONS.reduce((sum, action) => sum + action.weight, 0);

function pickAction(random: Random): Action {
  let left = random.next() * TOTAL_WEIGHT;
  for (const action of ACTIONS) {
    left -= action.weight;
    if (left < 0) return action;
  }
  return random.pick(ACTIONS);
}

async function perform(pool: pg.Pool, action: Action, context: Omit<Writing, "client">): Promise<Outcome> {
  try {
    if (action.transaction) await inTransaction(pool, (client) => action.write({ ...context, client }));
    else await action.write({ ...context, client: pool });
    return "committed";
  } catch (error) {
    return error instanceof Refused || error instanceof NothingToDo ? "refused" : outcomeOf(error);
  }
}

async function inTransaction(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<void>): Promise<void> {
  const client = await pool.connect();
  let broken = true;
  try {
    await client.query("BEGIN");
    await work(client);
    await client.query("COMMIT");
    broken = false;
  } catch (error) {
    await client.query("ROLLBACK").then(
      () => {
        broken = false;
      },
      () => undefined,
    );
    throw error;
  } finally {
    client.release(broken);
  }
}

/** The service answered with a status below 500 that refuses the request. */
class Refused extends Error {
  override readonly name = "Refused";
}

function callOf(mesh: ChaosMesh, random: Random) {
  return async (service: ServiceName, request: string, body?: object): Promise<number> => {
    const [method = "GET", path = "/"] = request.split(" ");
    const { url } = random.pick(mesh.of(service));
    const response = await fetch(url + path, {
      method,
      signal: AbortSignal.timeout(CALL_MS),
      headers: {
        authorization: `Bearer ${mesh.key}`,
        ...(body && { "content-type": "application/json" }),
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    await response.text();
    if (response.status >= 500) throw new Error(`${request}: ${response.status}`);
    if (response.status >= 400) throw new Refused(`${request}: ${response.status}`);
    return response.status;
  };
}

function pauseMs(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal.addEventListener("abort", finish);
  });
}
