/*
 * A row: what was measured, one value per round, beside the yardstick that took turns with it. A ratio is of the same round, so that
 * a busy moment of the machine slows both sides of it.
 */

export type Unit = "/s" | "ms" | "s" | "MB" | "bytes" | "rows" | "files" | "lines";

export interface Measured {
  /** Unique within its section: explanations refer to it. */
  readonly what: string;
  readonly unit: Unit;
  /** One for each round. */
  readonly samples: readonly number[];
  /** The same work with the same durability, done otherwise: one sample for each round as well. */
  readonly yardstick?: { readonly what: string; readonly samples: readonly number[] };
  readonly goal?: Goal;
  readonly plot?: Place;
}

/** Of the value, or of value / yardstick. */
export interface Goal {
  readonly of: "value" | "ratio";
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** Where the row stands in a plot of its section. */
export interface Place {
  readonly plot: string;
  readonly line: string;
  readonly x: number;
}

export interface Figure {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

export interface Row {
  readonly what: string;
  readonly unit: Unit;
  readonly value: Figure;
  readonly yardstick?: { readonly what: string; readonly value: Figure };
  readonly ratio?: Figure;
  readonly goal?: Goal;
  /** Without a goal there is nothing to meet. */
  readonly met?: boolean;
  readonly plot?: Place;
}

export function row({ what, unit, samples, yardstick, goal, plot }: Measured): Row {
  const ratios = yardstick && samples.map((sample, round) => sample / at(yardstick.samples, round, what));
  const value = figure(samples, what);
  const ratio = ratios && figure(ratios, what);
  const judged = goal?.of === "ratio" ? ratio : value;
  if (judged === undefined) throw new Error(`"${what}" has a goal of a ratio, and no yardstick`);
  return {
    what,
    unit,
    value,
    ...(yardstick && { yardstick: { what: yardstick.what, value: figure(yardstick.samples, what) } }),
    ...(ratio && { ratio }),
    ...(goal && { goal, met: isMet(goal, judged.median) }),
    ...(plot && { plot }),
  };
}

function isMet({ atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY }: Goal, of: number) {
  return of >= atLeast && of <= atMost;
}

function at(samples: readonly number[], round: number, what: string): number {
  const sample = samples[round];
  if (sample === undefined) throw new Error(`the yardstick of "${what}" has fewer rounds than its value`);
  return sample;
}

function figure(samples: readonly number[], what: string): Figure {
  if (samples.some((sample) => !Number.isFinite(sample))) throw new Error(`"${what}" has no figure`);
  return { median: median(samples), low: Math.min(...samples), high: Math.max(...samples) };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  if (upper === undefined) throw new RangeError("the median of nothing");
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/** The medians of as many groups of neighbours as there are rounds: of thousands of short turns. */
export function medians(values: readonly number[], rounds: number): readonly number[] {
  const size = Math.ceil(values.length / rounds);
  return Array.from({ length: rounds }, (_, round) => values.slice(round * size, (round + 1) * size))
    .filter((group) => group.length > 0)
    .map(median);
}
