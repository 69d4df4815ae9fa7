import type { Broker } from "../broker/broker.js";
import type { Logger, StreamDefinition } from "../definition.js";
import { pause } from "../pause.js";

/*
 * Looks after a service's own stream. The relay would notice only with its next event that the stream
 * has vanished, which on a quiet mesh may be days later.
 */

export interface StreamWatchOptions {
  readonly broker: Broker;
  readonly stream: StreamDefinition;
  readonly logger: Logger;
  /** 3 000. */
  readonly watchMs?: number;
}

export interface StreamWatch {
  /** Name of the stream while it is gone. One that was never seen does not count: we may not be allowed to ask. */
  missing(): string | undefined;
  /** A question under way ends with the broker. */
  stop(): void;
}

const WATCH_MS = 3_000;

/** Makes the stream anew where the service may; where not, it alarms until whoever may has done so. */
export function startStreamWatch(options: StreamWatchOptions): StreamWatch {
  const { watchMs = WATCH_MS, broker, stream, logger } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  let created: string | undefined;
  let gone = false;

  const look = async () => {
    const found = await broker.streamState(stream.name);
    if (found === undefined && created === undefined) return;
    if (found === undefined) alarm();
    const state = found ?? (await broker.ensureStream(stream));
    gone = state === undefined;
    if (created !== undefined && state !== undefined && created !== state.created) {
      const fields = { stream: stream.name, created: state.created, formerly: created };
      logger.warn(fields, "the stream was made anew");
    }
    created = state?.created ?? created;
  };
  const alarm = () => {
    if (gone) return;
    const hint = "where this user may not make it anew, a provisioner has to: mesh provision";
    logger.error({ stream: stream.name, hint }, "the stream has vanished, and its messages with it");
  };
  const keepLooking = async () => {
    while (!signal.aborted) {
      if (broker.connected()) {
        await look().catch((error: unknown) =>
          logger.debug({ error }, "the stream could not be looked after"),
        );
      }
      await pause(watchMs, signal);
    }
  };
  void keepLooking();
  return {
    missing: () => (gone ? stream.name : undefined),
    stop: () => stopping.abort(),
  };
}
