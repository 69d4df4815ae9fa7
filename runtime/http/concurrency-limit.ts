/** Admits a bounded number at once. Others wait in the order in which they came, for a bounded time. */
export interface ConcurrencyLimit {
  /** Resolves to the function that frees the slot, to be called exactly once; to undefined where the wait took too long. */
  acquire(): Promise<(() => void) | undefined>;
}

function createConcurrencyLimit(slots: number, waitMs: number): ConcurrencyLimit {
  let free = slots;
  const queue: ((admitted: boolean) => void)[] = [];

  const release = () => {
    const next = queue.shift();
    if (next === undefined) free += 1;
    else next(true);
  };

  const wait = () =>
    new Promise<boolean>((resolve) => {
      const settle = (admitted: boolean) => {
        clearTimeout(timeout);
        resolve(admitted);
      };
      const timeout = setTimeout(() => {
        queue.splice(queue.indexOf(settle), 1);
        settle(false);
      }, waitMs);
      queue.push(settle);
    });

  return {
    acquire: async () => {
      if (free > 0) free -= 1;
      else if (!(await wait())) return undefined;
      return release;
    },
  };
}

/** A concurrency limit for several callers, of whom none can take all slots. */
export interface SharedConcurrencyLimit {
  /** A caller gets no more than its share of the slots; undefined, as many as there are. */
  acquire(caller: string | undefined): Promise<(() => void) | undefined>;
}

export interface SharedSlots {
  readonly slots: number;
  /** Slots that one caller can have at once. */
  readonly each: number;
  readonly waitMs: number;
}

export function createSharedLimit({ slots, each, waitMs }: SharedSlots): SharedConcurrencyLimit {
  const all = createConcurrencyLimit(slots, waitMs);
  const shares = new Map<string, ConcurrencyLimit>();
  const shareOf = (caller: string) => {
    const share = shares.get(caller) ?? createConcurrencyLimit(each, waitMs);
    shares.set(caller, share);
    return share;
  };
  return {
    acquire: async (caller) => {
      if (caller === undefined) return await all.acquire();
      const releaseShare = await shareOf(caller).acquire();
      if (releaseShare === undefined) return undefined;
      const releaseAll = await all.acquire();
      if (releaseAll === undefined) {
        releaseShare();
        return undefined;
      }
      return () => {
        releaseAll();
        releaseShare();
      };
    },
  };
}
