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
