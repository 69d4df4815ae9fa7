/** Unwraps what the rules of `check/` guarantee. It throws only on a bug of the compiler, never on a mistake in mesh.yaml. */
export function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`compiler bug: ${what} passed the checks without being there`);
  return value;
}
