import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** The source of every choice in a schedule, so that the same seed gives the same schedule. */
export interface Random {
  /** At least 0, less than `below`. */
  int(below: number): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
  /** At least 0, less than 1. Replaces `Math.random` while a schedule runs. */
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
