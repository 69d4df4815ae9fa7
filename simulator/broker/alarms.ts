/** Who waits for a durable, and the one timer that wakes them when something on loan comes due. */
export interface Alarms {
  listen(key: string, wake: () => void): () => void;
  /** Wakes everyone who waits for this durable. */
  wake(key: string): void;
  /** What is on loan has changed: the timer is set to what comes due first. */
  reset(key: string): void;
}

/** Timers run only while somebody listens, so that a world in which nobody does comes to rest. */
export function createAlarms(dueTimes: (key: string) => Iterable<number>): Alarms {
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
  const ring = (key: string) => {
    timers.delete(key);
    const now = Date.now();
    if ([...dueTimes(key)].some((at) => at <= now)) wake(key);
    reset(key);
  };
  const reset = (key: string) => {
    if (!listeners.get(key)?.size) return;
    const now = Date.now();
    let first: number | undefined;
    // What is due already was rung for.
    for (const at of dueTimes(key)) if (at > now && (first === undefined || at < first)) first = at;
    const armed = timers.get(key);
    if (first === undefined || (armed && armed.at <= first)) return;
    disarm(key);
    timers.set(key, { at: first, timer: setTimeout(ring, first - now, key) });
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
