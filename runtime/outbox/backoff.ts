/** Doubles from the first delay up to the longest, spread over half to one and a half of it, so that crowds disperse. */
export function backoff(
  failures: number,
  { first, longest }: { readonly first: number; readonly longest: number },
): number {
  return Math.min(first * 2 ** Math.min(failures, 30), longest) * (0.5 + Math.random());
}
