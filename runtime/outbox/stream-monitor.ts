import type { Broker } from "../broker/broker.js";
import type { Logger } from "../definition/hook-definition.js";
import type { StreamDefinition } from "../definition/stream-definition.js";
import { pause } from "../pause.js";

/*
 * Polls for a service's own stream. The relay would notice that the stream is gone only with its next event, which on a
 * quiet mesh may be days later.
 */

export interface StreamMonitorOptions {
  readonly broker: Broker;
  readonly stream: StreamDefinition;
  readonly logger: Logger;
  /** Poll interval in ms. Default 3000. */
  readonly pollMs?: number;
}

export interface StreamMonitor {
  /** Name of the stream while it is gone. Undefined where it was never seen: this user may not be allowed to ask. */
  missing(): string | undefined;
  /** Ends the polling. A request in flight ends with the broker's connection. */
  stop(): void;
}

const POLL_MS = 3_000;

/** Creates a stream that is gone again, where this user may; where not, `missing` names it until a provisioner has done so. */
export function startStreamMonitor(options: StreamMonitorOptions): StreamMonitor {
  const { pollMs = POLL_MS, broker, stream, logger } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  let created: string | undefined;
  let gone = false;

  const poll = async () => {
    const found = await broker.streamState(stream.name);
    if (found === undefined && created === undefined) return;
    if (found === undefined) reportGone();
    const state = found ?? (await broker.ensureStream(stream));
    gone = state === undefined;
    if (created !== undefined && state !== undefined && created !== state.created) {
      const fields = { stream: stream.name, created: state.created, formerly: created };
      logger.warn(fields, "the stream was made anew");
    }
    created = state?.created ?? created;
  };
  const reportGone = () => {
    if (gone) return;
    const hint = "where this user may not make it anew, a provisioner has to: mesh provision";
    logger.error({ stream: stream.name, hint }, "the stream has vanished, and its messages with it");
  };
  const keepPolling = async () => {
    while (!signal.aborted) {
      if (broker.connected()) {
        await poll().catch((error: unknown) => logger.debug({ error }, "the stream could not be polled"));
      }
      await pause(pollMs, signal);
    }
  };
  void keepPolling();
  return {
    missing: () => (gone ? stream.name : undefined),
    stop: () => stopping.abort(),
  };
}
