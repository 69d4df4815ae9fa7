import { RE2JS } from "re2js";

/*
 * Patterns of mesh.yaml that would make JavaScript's own engine backtrack: automata read a text once, whatever it is.
 */

export interface LinearPattern {
  test(text: string): boolean;
}

/**
 * Of RE2's syntax, as generated code says it: every one of `all` is found in a text, none of `none` is. \p{…} within
 * brackets means what this JavaScript means by it, which may know another Unicode than the library.
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

/** As ranges of a class. A few tens of milliseconds for each, once. */
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
