/** By durable: who waits for its messages, and one timer for the next redelivery that comes due. */
export interface WakeUps {
  listen(key: string, wake: () => void): () => void;
  /** Calls everyone who waits for this durable. */
  wake(key: string): void;
  /** Sets the timer to what comes due first. To be called when what is in flight has changed. */
  reset(key: string): void;
}

/** Timers run only while somebody listens: without listeners virtual time has nothing to jump to. */
export function createWakeUps(dueTimes: (key: string) => Iterable<number>): WakeUps {
  const listeners = new Map<string, Set<() => void>>();
  const timers = new Map<string, { readonly at: number; readonly timer: ReturnType<typeof setTimeout> }>();

  const wake = (key: string) => {
    for (const listener of [...(listeners.get(key) ?? [])]) listener();
  };
  const disarm = (key: string) => {
    const armed = timers.get(key);
    if (armed) clearTimeout(armed.timer);
    timers.delete(key);
  };
  const fire = (key: string) => {
    timers.delete(key);
    const now = Date.now();
    if ([...dueTimes(key)].some((at) => at <= now)) wake(key);
    reset(key);
  };
  const reset = (key: string) => {
    if (!listeners.get(key)?.size) return;
    const now = Date.now();
    let first: number | undefined;
    // For what is due already, listeners were woken.
    for (const at of dueTimes(key)) if (at > now && (first === undefined || at < first)) first = at;
    const armed = timers.get(key);
    if (first === undefined || (armed && armed.at <= first)) return;
    disarm(key);
    timers.set(key, { at: first, timer: setTimeout(fire, first - now, key) });
  };

  return {
    wake,
    reset,
    listen(key, listener) {
      const all = listeners.get(key) ?? new Set();
      listeners.set(key, all.add(listener));
      reset(key);
      return () => {
        all.delete(listener);
        if (all.size === 0) disarm(key);
      };
    },
  };
}
