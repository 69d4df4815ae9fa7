import type { PulledMessage } from "./delivery.js";

/** Messages that were delivered and not taken yet, and the takers that wait for one. */
export interface PrefetchBuffer {
  readonly count: number;
  readonly all: readonly PulledMessage[];
  add(message: PulledMessage): void;
  /** Resolves when a message is added, when `wake` is called, or after the time. */
  wait(ms: number): Promise<void>;
  wake(): void;
  /** Up to `max` messages, the oldest first. */
  take(max: number): readonly PulledMessage[];
  /** Sends `working` for each message of which the broker has heard nothing for `afterMs`. */
  extend(now: number, afterMs: number): void;
  /** Hands all of them back, for other replicas. */
  handBack(): void;
}

export function createPrefetchBuffer(): PrefetchBuffer {
  let buffer: PulledMessage[] = [];
  const takers = new Set<() => void>();
  const wake = () => {
    for (const taker of takers) taker();
    takers.clear();
  };
  return {
    get count() {
      return buffer.length;
    },
    get all() {
      return buffer;
    },
    add(message) {
      buffer.push(message);
      wake();
    },
    wait: (ms) =>
      new Promise((resolve) => {
        const timer = setTimeout(wake, ms);
        takers.add(() => {
          clearTimeout(timer);
          resolve();
        });
      }),
    wake,
    take(max) {
      const taken = buffer.length <= max ? buffer : buffer.slice(0, max);
      buffer = buffer.length <= max ? [] : buffer.slice(max);
      return taken;
    },
    extend(now, afterMs) {
      for (const message of buffer) if (now - message.touchedAt > afterMs) message.working();
    },
    handBack() {
      for (const message of buffer) message.handBack();
      buffer = [];
    },
  };
}
