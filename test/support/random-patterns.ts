import fc from "fast-check";
import { parsePattern } from "../../generator/rules/parse-pattern.js";

/* Random regular expressions, as sources for `new RegExp(source, "u")`. Some are invalid: see `isPattern`. */

export interface PatternParts {
  readonly character: fc.Arbitrary<string>;
  /** Classes such as `\d`. */
  readonly shorthand: fc.Arbitrary<string>;
  /** Other atoms, such as `.` and escapes. */
  readonly atoms: fc.Arbitrary<string>;
  /** Terms that take no quantifier, such as anchors and look-arounds around a pattern, with weights against 3 for atoms. */
  readonly assertions: (pattern: fc.Arbitrary<string>) => fc.WeightedArbitrary<string>[];
}

const QUANTIFIERS = ["*", "+", "?", "{2}", "{1,2}", "{2,}", "{0}", "{0,3}", "*?", "+?", "??"];
const escaped = (text: string) => text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
const inClass = (text: string) => text.replaceAll(/[\\\]^-]/g, "\\$&");

export function randomPattern({
  character,
  shorthand,
  atoms,
  assertions,
}: PatternParts): fc.Arbitrary<string> {
  const range = fc.tuple(character, character).map((pair) => {
    const [from = "", to = ""] = [...pair].sort((a, b) => (a.codePointAt(0) ?? 0) - (b.codePointAt(0) ?? 0));
    return `${inClass(from)}-${inClass(to)}`;
  });
  const items = fc.array(fc.oneof(character.map(inClass), shorthand, range), { maxLength: 4 });
  const characterClass = fc
    .tuple(fc.boolean(), items)
    .map(([negated, all]) => `[${negated ? "^" : ""}${all.join("")}]`);
  const { pattern } = fc.letrec<{ pattern: string; term: string; atom: string }>((tie) => ({
    atom: fc.oneof(
      { maxDepth: 3 },
      character.map(escaped),
      atoms,
      shorthand,
      characterClass,
      fc
        .tuple(fc.constantFrom("(?:", "(", "(?<n>"), tie("pattern"))
        .map(([open, inner]) => `${open}${inner})`),
    ),
    term: fc.oneof(
      { weight: 3, arbitrary: tie("atom") },
      {
        weight: 3,
        arbitrary: fc.tuple(tie("atom"), fc.constantFrom(...QUANTIFIERS)).map((parts) => parts.join("")),
      },
      ...assertions(tie("pattern")),
    ),
    pattern: fc
      .array(
        fc.array(tie("term"), { maxLength: 4 }).map((terms) => terms.join("")),
        { minLength: 1, maxLength: 3 },
      )
      .map((alternatives) => alternatives.join("|")),
  }));
  return pattern;
}

/** Both the compiler and JavaScript accept it. */
export function isPattern(source: string): boolean {
  try {
    parsePattern(source);
    return new RegExp(source, "u") instanceof RegExp;
  } catch {
    return false;
  }
}

const SURROGATE_PAIR = /[\ud800-\udbff][\udc00-\udfff]/;

/**
 * Whether the pattern matches the text by the ECMAScript standard: tried at each code point. A search of V8 may differ where the
 * text has a surrogate pair, and only there: it also tries the middle of one (`\B` in `a😀b`), and version 14.6 (Node 26)
 * skips some (`[^a]$` before an emoji). Throws where V8 differs elsewhere.
 */
export function matchesByStandard(source: string, text: string): boolean {
  const pattern = new RegExp(source, "uy");
  let found = false;
  for (let at = 0; at <= text.length && !found; at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1) {
    pattern.lastIndex = at;
    found = pattern.test(text);
  }
  if (found !== new RegExp(source, "u").test(text) && !SURROGATE_PAIR.test(text))
    throw new Error(`V8 matches /${source}/u in ${JSON.stringify(text)} against the standard`);
  return found;
}
