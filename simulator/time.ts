import { install } from "@sinonjs/fake-timers";
import type { Random } from "./random.js";

/*
 * The virtual time of a world. It stands still while a step can be performed, and jumps to the next timer when none
 * can, so that hours of back-off take no real time.
 */

export interface VirtualTime {
  /** Milliseconds since the world began. */
  elapsed(): number;
  /** Jumps to the next timer and fires it. False when there is none. */
  next(): boolean;
  /** Restores the real clock, timers and `Math.random`. */
  end(): void;
}

/** The real timers and clock, also while virtual time is installed: for work outside of the world. */
export const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  now: performance.now.bind(performance),
};

/**
 * Replaces timers, clocks and `Math.random` of this Node process until `end`. Only one virtual time at once. It starts at
 * the real time, because column defaults use the server's clock and must not differ much.
 */
export function beginTime(random: Random): VirtualTime {
  const beginning = Date.now();
  const clock = install({
    now: beginning,
    toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance"],
  });
  // Node's shortest delay is 1 ms. Fake timers would take 0.5 ms for none, and a loop of them would never end.
  const { setTimeout: start } = globalThis;
  globalThis.setTimeout = ((work: () => void, ms = 1, ...rest: []) =>
    start(work, Math.max(1, Math.ceil(ms)), ...rest)) as typeof setTimeout;
  const dice = Math.random;
  Math.random = random.fraction;
  return {
    elapsed: () => clock.now - beginning,
    next() {
      if (clock.countTimers() === 0) return false;
      clock.next();
      return true;
    },
    end() {
      Math.random = dice;
      clock.uninstall();
    },
  };
}

/** Waits in real time. */
export function realPause(ms: number): Promise<void> {
  return new Promise((resolve) => real.setTimeout(resolve, ms));
}
