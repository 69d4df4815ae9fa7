import type { BrokerStatus, Logger } from "@meshwright/runtime";
import { BrokerAway } from "@meshwright/runtime/simulation";
import type { Wire } from "./adversary.js";
import type { ServerPort } from "./port.js";

/** The connection was lost, before or after the server performed the request. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
}

const FLUSH_TIMEOUT_MS = 2_000;
const REQUEST_TIMEOUT_MS = 5_000;

export interface SimulatedConnection {
  connected(): boolean;
  /** Aborts when the client is closed or its process is gone. */
  readonly ended: AbortSignal;
  /** Sends a request over the present connection. Rejects with `ConnectionLost` as soon as that is lost, also after the request arrived. */
  cross<T>(what: string, work: (port: ServerPort) => T): Promise<T>;
  /** Sends a request without waiting for it. Lost with the connection. */
  send(what: string, work: (port: ServerPort) => void): void;
  /** Resolves when connected. Rejects with `BrokerAway` after 5 s. */
  attached(): Promise<void>;
  /** Waits for a connection and for the answer. Rejects with `BrokerAway` when either takes 5 s. */
  ask<T>(what: string, work: (port: ServerPort) => T): Promise<T>;
  /** Never resolves: rejects when the connection is lost. */
  lost(): Promise<never>;
  onStatus(listener: (status: BrokerStatus) => void): () => void;
  /** Waits until the requests in flight have ended; at most twice 2 s, and not while disconnected. */
  flush(): Promise<void>;
  cut(): void;
  /** Sends nothing any more, and reports no status. */
  die(): void;
  close(): Promise<void>;
}

export interface ConnectionOptions {
  readonly port: ServerPort;
  readonly name: string;
  readonly wire: Wire;
  readonly logger: Logger;
}

/** One connection, until it is lost. */
interface Session {
  readonly losses: Set<(loss: ConnectionLost) => void>;
}

export function openSimulatedConnection(options: ConnectionOptions): SimulatedConnection {
  const { port, name, wire, logger } = options;
  const listeners = new Set<(status: BrokerStatus) => void>();
  const inFlight = new Set<Promise<unknown>>();
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
          if (there && port.up() && !ended.signal.aborted) onConnected();
          else connect();
        },
        // The wire carries nothing for a dead process.
        () => undefined,
      );
  };
  const onConnected = () => {
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
  const disconnect = (reason: string) => {
    if (!lose(reason)) return;
    logger.warn({}, "broker disconnected");
    report({ kind: "disconnected" });
  };
  const stopUp = port.onUp((up) => {
    if (up) connect();
    else disconnect("the connection to the broker was lost before the answer");
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
    inFlight.add(settled);
    void settled.then(() => inFlight.delete(settled));
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
      }, REQUEST_TIMEOUT_MS);
      const listener = (status: BrokerStatus) => {
        if (status.kind !== "connected") return;
        done();
        resolve();
      };
      listeners.add(listener);
    });
  const flush = async () => {
    // Twice: messages that a pull in flight brings are handed back by another request.
    for (let round = 0; round < 2 && session; round += 1) {
      await within(FLUSH_TIMEOUT_MS, Promise.all([...inFlight]));
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
      const answered = await within(REQUEST_TIMEOUT_MS, asked);
      if (!answered) throw new BrokerAway(`no answer within ${REQUEST_TIMEOUT_MS} ms: ${what}`);
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
      disconnect("the connection to the broker was lost before the answer");
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
      disconnect("the connection to the broker was closed before the answer");
    },
  };
}

/** Resolves with undefined after the time, by the installed clock, which may be virtual. */
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
