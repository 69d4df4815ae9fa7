/** A wake-up signal for one loop. Signals while the loop is awake are kept as one. */
export interface WakeUp {
  signal(): void;
  /** Resolves at the next signal, at once where one is kept, or at `until` (by `performance.now()`). */
  wait(until: number): Promise<void>;
}

const LONGEST_MS = 60_000;

export function createWakeUp(): WakeUp {
  let kept = false;
  let resume: (() => void) | undefined;
  return {
    signal() {
      kept = true;
      resume?.();
    },
    async wait(until) {
      if (!kept) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, Math.min(Math.max(0, until - performance.now()), LONGEST_MS));
          resume = () => {
            clearTimeout(timer);
            resolve();
          };
        });
        resume = undefined;
      }
      kept = false;
    },
  };
}
