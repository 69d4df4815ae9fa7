/** For what the rules of `check/` have ruled out: reaching it is a bug of the compiler, never of the user. */
export function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`compiler bug: ${what} passed the checks without being there`);
  return value;
}
