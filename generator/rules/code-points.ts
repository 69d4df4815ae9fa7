/*
 * Sets of code points, as a character of a pattern means them, and as a bracket expression of PostgreSQL.
 */

/** Ranges, both ends included. */
export type CodePoints = readonly (readonly [from: number, to: number])[];

const LAST = 0x10ffff;

export const ANYTHING: CodePoints = [[0, LAST]];

const code = (character: string): number => character.codePointAt(0) ?? 0;
const only = (...characters: string[]): CodePoints => characters.map((each) => [code(each), code(each)]);

/** What JavaScript means by \d, \w, \s and . whatever the language of the text. */
export const DIGIT: CodePoints = [[code("0"), code("9")]];
export const WORD: CodePoints = [...DIGIT, [code("A"), code("Z")], [code("a"), code("z")], ...only("_")];
export const SPACE: CodePoints = [
  [0x09, 0x0d],
  ...only(" ", "\u00a0", "\u1680"),
  [0x2000, 0x200a],
  ...only("\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\ufeff"),
];
export const DOT: CodePoints = complement(only("\n", "\r", "\u2028", "\u2029"));

export function union(sets: readonly CodePoints[]): CodePoints {
  return merge(sets.flat());
}

export function complement(set: CodePoints): CodePoints {
  const gaps: [number, number][] = [];
  let next = 0;
  for (const [from, to] of merge(set)) {
    if (from > next) gaps.push([next, from - 1]);
    next = to + 1;
  }
  if (next <= LAST) gaps.push([next, LAST]);
  return gaps;
}

/** Whether some character is in both. */
export function overlap(set: CodePoints, other: CodePoints): boolean {
  return set.some(([from, to]) => other.some(([first, last]) => from <= last && first <= to));
}

function merge(set: CodePoints): CodePoints {
  const merged: [number, number][] = [];
  for (const [from, to] of [...set].sort(([a], [b]) => a - b)) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

/**
 * As a regular expression that matches one character of the set; undefined where there is none that a text of
 * PostgreSQL could hold: neither NUL nor half of a surrogate pair.
 */
export function printSet(set: CodePoints): string | undefined {
  const ranges = storable(merge(set));
  const [first] = ranges;
  if (first === undefined) return undefined;
  if (ranges.length === 1 && first[0] === first[1]) return printCharacter(first[0]);
  // Short the other way round where the set is all but a few.
  return ranges.at(-1)?.[1] === LAST
    ? printNegated(storable(complement(union([ranges, UNSTORABLE]))))
    : `[${ranges.map(printRange).join("")}]`;
}

/** All that a text can hold, line breaks included, is what a dot means to PostgreSQL. */
function printNegated(missing: CodePoints): string {
  return missing.length === 0 ? "." : `[^${missing.map(printRange).join("")}]`;
}

const UNSTORABLE: CodePoints = [
  [0, 0],
  [0xd800, 0xdfff],
];

function storable(set: CodePoints): CodePoints {
  return complement(union([complement(set), UNSTORABLE]));
}

function printRange([from, to]: readonly [number, number]): string {
  const [first, last] = [printCharacter(from), printCharacter(to)];
  if (from === to) return first;
  return to === from + 1 ? first + last : `${first}-${last}`;
}

/** ASCII letters, digits and spaces as they are; all else by its number, which has no second meaning anywhere. */
function printCharacter(value: number): string {
  const character = String.fromCodePoint(value);
  if (/^[A-Za-z0-9 _]$/.test(character)) return character;
  if (/^[!-~]$/.test(character)) return `\\${character}`;
  const hex = value.toString(16);
  return value <= 0xffff ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}
