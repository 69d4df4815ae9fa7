export interface BackOffRange {
  /** Delay in ms after the first failure. */
  readonly from: number;
  /** Longest delay in ms. The same as `from`: a fixed interval. */
  readonly to: number;
}

/**
 * The delay in ms before the next attempt, by how many attempts in a row had failed before the last one: doubles from
 * `from` up to `to`. Jitter spreads each delay over 0.5 to 1.5 of its length, so that clients that failed together do
 * not come back together. `random` gives a number from 0 to 1, 1 excluded; default `Math.random`.
 */
export function backOff(
  { from, to }: BackOffRange,
  // Looked up with each call: the simulator puts its seeded one in place of the global one.
  random: () => number = () => Math.random(),
): (failures: number) => number {
  return (failures) => Math.min(from * 2 ** failures, to) * (0.5 + random());
}
