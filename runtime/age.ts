/** Seconds since a moment, never negative: another machine's clock may be ahead. */
export function ageInSeconds(since: Date): number {
  return Math.max(0, (Date.now() - since.getTime()) / 1_000);
}
