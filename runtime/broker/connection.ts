import { type ConnectionOptions, Events, type NatsConnection } from "nats";
import { backOff } from "../back-off.js";
import type { Logger } from "../definition/hook-definition.js";
import { pause } from "../pause.js";
import type { BrokerStatus } from "./broker.js";
import { dial } from "./dial.js";
import { type BrokerLogin, explainTls, loginOptions } from "./login.js";

/** Where the broker is, and who connects. */
export interface ConnectOptions extends BrokerLogin {
  /** The service: names the connection at the broker, and its private inbox `_INBOX_<name>`. */
  readonly name: string;
  /** The login as it is now, asked for at each connection: secrets are replaced while a service runs. Default: always the same. */
  readonly renew?: (warn: (problem: string) => void) => BrokerLogin;
  /** How long the broker has to let somebody in, and for each answer, in ms. Default 5000: a service is patient, a person is not. */
  readonly answerMs?: number;
  readonly logger: Logger;
}

/** A connection that reconnects for ever: after restarts of the broker, refused logins, and a client that gave up. */
export interface Connection {
  /** The client, while it is connected. A reconnection may bring another one. */
  client(): NatsConnection | undefined;
  /** Waits for a connection; rejects with `BrokerAway` after the time. */
  connected(withinMs: number): Promise<NatsConnection>;
  onStatus(listener: (status: BrokerStatus) => void): () => void;
  /** Calls `listener` when the broker denies a publish, with the subject as the broker quotes it. */
  onDenied(listener: (subject: string) => void): () => void;
  /** Why there is no connection, as far as is known. */
  lastError(): string | undefined;
  close(): Promise<void>;
}

/** There was no connection to the broker within the time that a call waits for one. */
export class BrokerAway extends Error {
  override readonly name = "BrokerAway";
}

/** A request waits this long for a connection, and as long again for its answer; a dial as long for its greeting. */
export const BROKER_ANSWER_MS = 5_000;
/** A frozen broker is noticed after three unanswered pings, a closed socket at once. */
const PING_INTERVAL_MS = 5_000;
const CLOSE_TIMEOUT_MS = 2_000;
const reconnectAfter = backOff({ from: 250, to: 4_000 });

/** Starts to connect and returns at once; the first connection may take any time. */
export function openConnection(options: ConnectOptions): Connection {
  const { logger, answerMs = BROKER_ANSWER_MS } = options;
  const closeMs = (CLOSE_TIMEOUT_MS * answerMs) / BROKER_ANSWER_MS;
  const statusListeners = new Set<(status: BrokerStatus) => void>();
  const deniedListeners = new Set<(subject: string) => void>();
  const closing = new AbortController();
  let client: NatsConnection | undefined;
  let up = false;
  let lastError: string | undefined;

  const report = (status: BrokerStatus) => {
    switch (status.kind) {
      case "connected":
        logger.info({ server: status.server }, "broker connected");
        break;
      case "disconnected":
        logger.warn({}, "broker disconnected");
        break;
      case "error":
        if (status.message !== lastError) logger.warn({ error: status.message }, "broker error");
        lastError = status.message;
        break;
      default:
        status satisfies never;
    }
    for (const listener of statusListeners) listener(status);
  };
  const onUp = (server: string) => {
    up = true;
    lastError = undefined;
    report({ kind: "connected", server });
  };
  const onDown = () => {
    if (!up) return;
    up = false;
    report({ kind: "disconnected" });
  };

  const follow = async (live: NatsConnection) => {
    onUp(live.getServer());
    for await (const status of live.status()) {
      if (status.type === Events.Disconnect) onDown();
      if (status.type === Events.Reconnect) onUp(live.getServer());
      if (status.type !== Events.Error) continue;
      const denied = status.permissionContext;
      if (denied?.operation === "publish") {
        for (const listener of deniedListeners) listener(denied.subject);
      }
      report({ kind: "error", message: denied ? describeDenial(denied) : String(status.data) });
    }
    const reason = await live.closed();
    onDown();
    if (reason instanceof Error) report({ kind: "error", message: reason.message });
  };

  const keep = async () => {
    for (let failures = 0; !closing.signal.aborted; failures += 1) {
      try {
        client = await dial(clientOptions(options), closing.signal);
        if (closing.signal.aborted) return await client.close();
        failures = 0;
        await follow(client);
      } catch (error) {
        report({
          kind: "error",
          message: explainTls(error instanceof Error ? error.message : String(error)),
        });
      }
      await pause(reconnectAfter(failures), closing.signal);
    }
  };
  void keep();

  return {
    client: () => (up ? client : undefined),
    lastError: () => lastError,
    onStatus: (listener) => subscribe(statusListeners, listener),
    onDenied: (listener) => subscribe(deniedListeners, listener),
    connected: (withinMs) =>
      new Promise((resolve, reject) => {
        if (up && client) return resolve(client);
        const settle = () => {
          clearTimeout(timer);
          stop();
        };
        const timer = setTimeout(() => {
          settle();
          reject(new BrokerAway(`the broker is not connected${lastError ? `: ${lastError}` : ""}`));
        }, withinMs);
        const stop = subscribe(statusListeners, (status) => {
          if (status.kind !== "connected" || !client) return;
          settle();
          resolve(client);
        });
      }),
    async close() {
      closing.abort();
      if (!client || client.isClosed()) return;
      // Without a connection `drain` would wait for one.
      if (up) await Promise.race([client.drain(), pause(closeMs, undefined)]);
      await client.close();
    },
  };
}

function subscribe<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function clientOptions(options: ConnectOptions): ConnectionOptions {
  const { name, renew, logger, answerMs = BROKER_ANSWER_MS } = options;
  const warned = new Set<string>();
  const warn = (problem: string) => {
    if (!warned.has(problem)) logger.warn({ problem }, "a secret is used as it was before");
    warned.add(problem);
  };
  const current = () => renew?.(warn) ?? options;
  return {
    ...loginOptions(current(), current),
    name,
    inboxPrefix: `_INBOX_${name}`,
    timeout: answerMs,
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: 2,
    maxReconnectAttempts: -1,
    reconnectDelayHandler: () => reconnectAfter(0),
    // By default the client gives up after two refused logins, but passwords get rotated.
    ignoreAuthErrorAbort: true,
    // Otherwise each request captures a stack: a tenth of the publishing rate.
    noAsyncTraces: true,
  };
}

function describeDenial({ operation, subject }: { operation: string; subject: string }): string {
  return `the broker's permissions do not allow ${operation} on "${subject}"`;
}
