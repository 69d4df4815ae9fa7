import { RE2JS } from "re2js";

/*
 * Patterns of mesh.yaml for which JavaScript's engine may backtrack without bound. RE2's automata read each text once.
 */

/** A pattern that reads each text once, from left to right. */
export interface LinearPattern {
  test(text: string): boolean;
}

/**
 * A pattern that matches where each of `all` is found in the text and none of `none` is. Patterns are in RE2's syntax. \p{…} means
 * what this JavaScript engine means by it, whose Unicode version may differ from the library's.
 */
export function linearPattern(all: readonly string[], none: readonly string[] = []): LinearPattern {
  const [wanted, unwanted] = [all, none].map((patterns) => patterns.map(compile));
  return {
    test: (text) =>
      (wanted ?? []).every((one) => one.test(text)) && !(unwanted ?? []).some((one) => one.test(text)),
  };
}

function compile(pattern: string): LinearPattern {
  return RE2JS.compile(pattern.replaceAll(/\\[pP]\{[^}]*\}/g, spellOut));
}

const LAST = 0x10ffff;
const known = new Map<string, string>();

/** The property as ranges of a character class. Takes some tens of milliseconds, once per property. */
function spellOut(property: string): string {
  const spelt = known.get(property) ?? rangesOf(new RegExp(property, "u"));
  known.set(property, spelt);
  return spelt;
}

function rangesOf(character: RegExp): string {
  let ranges = "";
  for (let from = 0; from <= LAST; from += 1) {
    if (!character.test(String.fromCodePoint(from))) continue;
    let to = from;
    while (to < LAST && character.test(String.fromCodePoint(to + 1))) to += 1;
    ranges += `\\x{${from.toString(16)}}-\\x{${to.toString(16)}}`;
    from = to;
  }
  return ranges;
}
