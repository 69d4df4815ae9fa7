/**
 * Compares texts as PostgreSQL does under COLLATE "C", by the bytes of UTF-8, which is the order of code points. `<` of
 * JavaScript compares UTF-16 code units: to it U+10000 is less than U+E000. Who takes locks in another order than SQL deadlocks.
 */
export function compareBytes(one: string, other: string): number {
  const length = Math.min(one.length, other.length);
  for (let at = 0; at < length; at += 1) {
    const [a, b] = [one.charCodeAt(at), other.charCodeAt(at)];
    if (a !== b) return rank(a) - rank(b);
  }
  return one.length - other.length;
}

/** Surrogates are halves of code points above all that one unit can hold. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
