import { createHash } from "node:crypto";
import { type Random as Choices, createRandom as createChoices } from "../../simulator/random.js";

/** A random source from a seed: the same seed plans the same rounds. */
export interface Random extends Pick<Choices, "int" | "chance" | "pick"> {
  /** At least 0, below 1. */
  next(): number;
  /** Both ends included. */
  between(from: number, to: number): number;
  /** An independent source, so that what one part draws does not change the others. */
  fork(name: string): Random;
}

export function createRandom(seed: number): Random {
  const { int, chance, pick, fraction } = createChoices(seed);
  return {
    int,
    chance,
    pick,
    next: fraction,
    between: (from, to) => from + int(to - from + 1),
    fork: (name) => createRandom(createHash("sha256").update(`${seed}/${name}`).digest().readInt32LE()),
  };
}
