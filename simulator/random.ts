import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** Every choice of a schedule comes from one of these, so that its seed is the schedule. */
export interface Random {
  /** From 0 up to, and without, `below`. */
  int(below: number): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
  /** From 0 up to, and without, 1: what `Math.random` is while a schedule runs. */
  fraction(): number;
}

export function createRandom(seed: number): Random {
  const generator = xoroshiro128plus(seed);
  const fraction = () => uniformInt(generator, 0, 0x3fff_ffff) / 0x4000_0000;
  const int = (below: number) => uniformInt(generator, 0, below - 1);
  return {
    int,
    fraction,
    chance: (probability) => fraction() < probability,
    pick<T>(items: readonly T[]): T {
      if (items.length === 0) throw new RangeError("nothing to pick from");
      return items[int(items.length)] as T;
    },
  };
}
