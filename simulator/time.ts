import { install } from "@sinonjs/fake-timers";
import type { Random } from "./random.js";

/*
 * Time of a simulated world: it stands still while anything can be done, and moves to the next timer when
 * nothing can. Hours of back-off pass in the time that their work takes.
 */

export interface VirtualTime {
  /** Milliseconds since the world began. */
  elapsed(): number;
  /** Moves to the next timer and fires it. False when there is none. */
  next(): boolean;
  /** Gives the process its own time back. */
  end(): void;
}

/** The real ones, whatever is installed meanwhile: for what happens outside of the world. */
export const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  now: performance.now.bind(performance),
};

/**
 * Timers, clocks and randomness of this process are the world's until `end`. One at a time. It begins now: column
 * defaults take the server's time, and must not look long past.
 */
export function beginTime(random: Random): VirtualTime {
  const beginning = Date.now();
  const clock = install({
    now: beginning,
    toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance"],
  });
  // Node makes at least a millisecond of any delay; here half of one would be none, and come again for ever.
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
