/** Lets a bounded number in at once; the others wait in line, for a bounded time. */
export interface Turnstile {
  /** Resolves to the way out, to be called exactly once; undefined when the wait was too long. */
  enter(): Promise<(() => void) | undefined>;
}

export function createTurnstile(places: number, waitMs: number): Turnstile {
  let free = places;
  const line: ((entered: boolean) => void)[] = [];

  const leave = () => {
    const next = line.shift();
    if (next === undefined) free += 1;
    else next(true);
  };

  const wait = () =>
    new Promise<boolean>((resolve) => {
      const settle = (entered: boolean) => {
        clearTimeout(patience);
        resolve(entered);
      };
      const patience = setTimeout(() => {
        line.splice(line.indexOf(settle), 1);
        settle(false);
      }, waitMs);
      line.push(settle);
    });

  return {
    enter: async () => {
      if (free > 0) free -= 1;
      else if (!(await wait())) return undefined;
      return leave;
    },
  };
}

/** The same for several, of whom none can take all places. */
export interface SharedTurnstile {
  /** `who` is let in as often as is one's share; undefined, as often as there are places. */
  enter(who: string | undefined): Promise<(() => void) | undefined>;
}

export interface SharedPlaces {
  readonly places: number;
  readonly each: number;
  readonly waitMs: number;
}

export function createSharedTurnstile({ places, each, waitMs }: SharedPlaces): SharedTurnstile {
  const all = createTurnstile(places, waitMs);
  const shares = new Map<string, Turnstile>();
  const shareOf = (who: string) => {
    const share = shares.get(who) ?? createTurnstile(each, waitMs);
    shares.set(who, share);
    return share;
  };
  return {
    enter: async (who) => {
      if (who === undefined) return await all.enter();
      const leaveShare = await shareOf(who).enter();
      if (leaveShare === undefined) return undefined;
      const leaveAll = await all.enter();
      if (leaveAll === undefined) leaveShare();
      return (
        leaveAll &&
        (() => {
          leaveAll();
          leaveShare();
        })
      );
    },
  };
}
