/** Each with its twin; what has none stands alone. */
export function pairUp<T>(
  before: readonly T[],
  next: readonly T[],
  keyOf: (item: T) => string,
): readonly (readonly [T | undefined, T | undefined])[] {
  const old = new Map(before.map((item) => [keyOf(item), item]));
  const keys = new Set(next.map(keyOf));
  return [
    ...before.filter((item) => !keys.has(keyOf(item))).map((item) => [item, undefined] as const),
    ...next.map((item) => [old.get(keyOf(item)), item] as const),
  ];
}
