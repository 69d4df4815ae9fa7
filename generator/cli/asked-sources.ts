import { Socket } from "node:net";
import {
  ANSWER_MS,
  answerWithin,
  type Broker,
  connectJetStream,
  createPool,
  type Logger,
  NoAnswer,
} from "@meshwright/runtime";
import type pg from "pg";
import type { Service } from "../model/mesh.js";
import { quietLogger } from "../terminal/terminal.js";
import { type LoadedService, loadForOperator } from "./loaded-service.js";
import { databaseUrl, natsLogin, type RunningMesh } from "./running-mesh.js";
import { whileAnswering } from "./while-answering.js";

/*
 * The databases of a mesh, for a command that asks many of them and shows what it is told. None of them holds up another: each
 * question has a time of its own, and who has let it pass is not asked again.
 */

export interface Databases {
  /** Of a service that was opened. */
  of(service: Pick<Service, "name">): LoadedService;
  /** Asks in one session at a time. Rejects with `NoAnswer` after the time, and at once where the database has given none before. */
  ask<T>(service: Service, question: (asked: LoadedService) => Promise<T>): Promise<T>;
  /** Work that takes as long as it likes while its database answers. Rejects with `NoAnswer` once it does not, and at once as `ask` does. Needs a session beside the work's. */
  during<T>(service: Service, work: (asked: LoadedService) => Promise<T>): Promise<T>;
  /** Ends all sessions, also those that still wait for an answer. */
  close(): Promise<void>;
}

/** Loads generated code and hooks of these services first: that takes the processor, and is nobody's silence. */
export async function openDatabases(
  running: RunningMesh,
  services: readonly Service[],
  { sessions = 1 }: { readonly sessions?: number } = {},
): Promise<Databases> {
  const loaded = new Map<string, LoadedService>();
  const sockets = new Set<Socket>();
  const silent = new Map<string, NoAnswer>();
  for (const service of services) {
    const { definition, env } = await loadForOperator(running, service);
    const pool = createPool({
      url: databaseUrl(running, service),
      service: `${service.name} (mesh)`,
      max: sessions,
      // The driver's own timers end soon after the question.
      connectTimeoutMs: ANSWER_MS + 300,
      meshSchema: definition.database?.shared?.schema,
      logger: quietLogger,
      stream: () => {
        const socket = new Socket();
        sockets.add(socket);
        return socket;
      },
    });
    loaded.set(service.name, { definition, env, pool });
  }
  const of: Databases["of"] = ({ name }) => {
    const one = loaded.get(name);
    if (one === undefined) throw new Error(`the database of "${name}" was not opened`);
    return one;
  };
  const unlessSilent = async <T>({ name }: Service, question: () => Promise<T>): Promise<T> => {
    const known = silent.get(name);
    if (known !== undefined) throw known;
    try {
      return await question();
    } catch (error) {
      if (error instanceof NoAnswer) silent.set(name, error);
      throw error;
    }
  };
  return {
    of,
    ask: (service, question) => unlessSilent(service, () => answerWithin(question(of(service)))),
    during: (service, work) =>
      unlessSilent(service, () => whileAnswering(of(service).pool, () => work(of(service)))),
    async close() {
      const ended = [...loaded.values()].map(({ pool }) => endOf(pool));
      await Promise.all(ended);
      // A server that is hung never closes its end.
      for (const socket of sockets) socket.destroy();
    },
  };
}

const END_MS = 300;

async function endOf(pool: pg.Pool): Promise<void> {
  await answerWithin(pool.end(), END_MS).catch(() => undefined);
}

/** Who connects to the broker for an operator. It gives up just before the question does, and says why. */
export function operatorLogin(running: RunningMesh) {
  return {
    ...natsLogin(running),
    name: "mesh_operator",
    logger: speechless,
    answerMs: ANSWER_MS - 500,
  };
}

/** What is wrong with the connection is said once, by the question that fails. */
const speechless: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => speechless };

export function openBroker(running: RunningMesh): Promise<Broker> {
  return connectJetStream(operatorLogin(running));
}
