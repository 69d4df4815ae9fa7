import type { BrokerStatus } from "../../runtime/broker/broker.js";
import { BrokerAway } from "../../runtime/broker/connection.js";
import type { Logger } from "../../runtime/definition.js";
import type { Wire } from "./adversary.js";
import type { ServerPort } from "./port.js";

/** The connection went, before or after the server did what it was asked. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
}

const FLUSH_TIMEOUT_MS = 2_000;
const QUESTION_TIMEOUT_MS = 5_000;

export interface SimulatedConnection {
  connected(): boolean;
  /** Aborts when there will be no connection any more. */
  readonly ended: AbortSignal;
  /** One crossing over the present connection. Rejects with `ConnectionLost` as soon as that is lost, also when it has arrived. */
  cross<T>(what: string, work: (port: ServerPort) => T): Promise<T>;
  /** A crossing that nobody waits for. Lost with the connection. */
  send(what: string, work: (port: ServerPort) => void): void;
  /** Resolves when there is a connection; rejects with `BrokerAway` when that takes too long. */
  attached(): Promise<void>;
  /** Waits for a connection, and for the answer. Rejects with `BrokerAway` when either takes too long. */
  ask<T>(what: string, work: (port: ServerPort) => T): Promise<T>;
  /** Never resolves: rejects when the connection is lost. */
  lost(): Promise<never>;
  onStatus(listener: (status: BrokerStatus) => void): () => void;
  /** Waits until what is under way has crossed: not for ever, and not without a connection. */
  flush(): Promise<void>;
  cut(): void;
  /** Nothing crosses any more. Silent: a process that is gone sees no status. */
  die(): void;
  close(): Promise<void>;
}

export interface ConnectionOptions {
  readonly port: ServerPort;
  readonly name: string;
  readonly wire: Wire;
  readonly logger: Logger;
}

/** One connection from its beginning to its loss. */
interface Session {
  readonly losses: Set<(loss: ConnectionLost) => void>;
}

export function openSimulatedConnection(options: ConnectionOptions): SimulatedConnection {
  const { port, name, wire, logger } = options;
  const listeners = new Set<(status: BrokerStatus) => void>();
  const underWay = new Set<Promise<unknown>>();
  let session: Session | undefined;
  let connecting = false;
  const ended = new AbortController();

  const report = (status: BrokerStatus) => {
    for (const listener of [...listeners]) listener(status);
  };
  const connect = () => {
    if (connecting || session || ended.signal.aborted || !port.up()) return;
    connecting = true;
    void wire
      .cross(`connect ${name}`, () => port.up())
      .then(
        (there) => {
          connecting = false;
          if (there && port.up() && !ended.signal.aborted) rise();
          else connect();
        },
        // The network takes nothing from us any more.
        () => undefined,
      );
  };
  const rise = () => {
    session = { losses: new Set() };
    logger.info({ server: "simulated" }, "broker connected");
    report({ kind: "connected", server: "simulated" });
  };
  const lose = (reason: string) => {
    const was = session;
    session = undefined;
    if (!was) return false;
    const loss = new ConnectionLost(reason);
    for (const fail of [...was.losses]) fail(loss);
    return true;
  };
  const fall = (reason: string) => {
    if (!lose(reason)) return;
    logger.warn({}, "broker disconnected");
    report({ kind: "disconnected" });
  };
  const stopUp = port.onUp((up) => {
    if (up) connect();
    else fall("the connection to the broker was lost before the answer");
  });

  const cross = <T>(what: string, work: (port: ServerPort) => T): Promise<T> => {
    const over = session;
    if (!over) return Promise.reject(new ConnectionLost("the broker is not connected"));
    const crossing = new Promise<T>((resolve, reject) => {
      over.losses.add(reject);
      const arrive = () => {
        if (session !== over) throw new ConnectionLost("the connection was lost on the way");
        return work(port);
      };
      wire
        .cross(what, arrive)
        .then(resolve, reject)
        .finally(() => over.losses.delete(reject));
    });
    const settled = crossing.then(
      () => undefined,
      () => undefined,
    );
    underWay.add(settled);
    void settled.then(() => underWay.delete(settled));
    return crossing;
  };
  const attached = () =>
    new Promise<void>((resolve, reject) => {
      if (session) return resolve();
      const done = () => {
        clearTimeout(timer);
        listeners.delete(listener);
      };
      const timer = setTimeout(() => {
        done();
        reject(new BrokerAway("the broker is not connected"));
      }, QUESTION_TIMEOUT_MS);
      const listener = (status: BrokerStatus) => {
        if (status.kind !== "connected") return;
        done();
        resolve();
      };
      listeners.add(listener);
    });
  const flush = async () => {
    // Twice: what a pull still brings in is handed back by another crossing.
    for (let round = 0; round < 2 && session; round += 1) {
      await within(FLUSH_TIMEOUT_MS, Promise.all([...underWay]));
    }
  };

  connect();
  return {
    connected: () => session !== undefined,
    ended: ended.signal,
    cross,
    attached,
    flush,
    send: (what, work) => void cross(what, work).catch(() => undefined),
    async ask(what, work) {
      await attached();
      const asked = cross(what, work).then((answer) => ({ answer }));
      const answered = await within(QUESTION_TIMEOUT_MS, asked);
      if (!answered) throw new BrokerAway(`no answer within ${QUESTION_TIMEOUT_MS} ms: ${what}`);
      return answered.answer;
    },
    lost: () =>
      new Promise((_, reject) => {
        if (session) session.losses.add(reject);
        else reject(new ConnectionLost("the broker is not connected"));
      }),
    onStatus(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    cut() {
      fall("the connection to the broker was lost before the answer");
      connect();
    },
    die() {
      ended.abort();
      stopUp();
      lose("the process is gone");
    },
    async close() {
      await flush();
      if (ended.signal.aborted) return;
      ended.abort();
      stopUp();
      fall("the connection to the broker was closed before the answer");
    },
  };
}

/** Undefined after the time. By the clock of this moment, which may be the simulator's. */
export async function within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
