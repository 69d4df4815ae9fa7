import type { PulledMessage } from "./delivery.js";

/** What was delivered and is not taken yet, and who waits for it. */
export interface Arrivals {
  readonly count: number;
  readonly all: readonly PulledMessage[];
  add(message: PulledMessage): void;
  /** Resolves when something is added, when `wake` is called, or after the time. */
  wait(ms: number): Promise<void>;
  wake(): void;
  /** Up to `max`, those first that came first. */
  take(max: number): readonly PulledMessage[];
  /** Tells the broker of each that it has not heard of for this long that it is being worked on. */
  extend(now: number, afterMs: number): void;
  handBack(): void;
}

export function collectArrivals(): Arrivals {
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
      for (const held of buffer) if (now - held.touchedAt > afterMs) held.working();
    },
    handBack() {
      for (const held of buffer) held.handBack();
      buffer = [];
    },
  };
}
