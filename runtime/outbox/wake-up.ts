/** Wakes one loop: rings while nobody waits are kept, however many, as one. */
export interface Alarm {
  ring(): void;
  /** Resolves at the next ring, at once if one is kept, or at the time (of `performance.now()`). */
  wait(until: number): Promise<void>;
}

const LONGEST_MS = 60_000;

export function createAlarm(): Alarm {
  let rung = false;
  let answer: (() => void) | undefined;
  return {
    ring() {
      rung = true;
      answer?.();
    },
    async wait(until) {
      if (!rung) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, Math.min(Math.max(0, until - performance.now()), LONGEST_MS));
          answer = () => {
            clearTimeout(timer);
            resolve();
          };
        });
        answer = undefined;
      }
      rung = false;
    },
  };
}
