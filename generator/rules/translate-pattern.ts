import type { AST } from "@eslint-community/regexpp";
import { type CodePoints, printSet } from "./code-points.js";
import { parsePattern } from "./parse-pattern.js";
import { setOf } from "./pattern-sets.js";

/*
 * A JavaScript pattern (with the flag u, as JSON Schema has it) as a regular expression of PostgreSQL that matches
 * exactly the same texts. The two differ in what \d, \w, \s and . mean, and in much of what is rarer, so every
 * character class is spelt out by its code points, and what is not certain to mean the same is not translated.
 */

/** PostgreSQL takes no higher count in braces. */
const MOST_REPEATS = 255;
/** Counts multiply, and PostgreSQL refuses an expression whose automaton grows too large. */
const LARGEST = 1_000;

/** undefined: it says something that PostgreSQL does not, or not certainly in the same way. */
export function translatePattern(pattern: string): string | undefined {
  const { alternatives } = parsePattern(pattern);
  const translated = translateAlternatives(alternatives);
  return translated === undefined || translated.size > LARGEST ? undefined : translated.text;
}

interface Translated {
  readonly text: string;
  /** About as many states as its automaton needs. */
  readonly size: number;
  /** Holds ^ or $: repeated, such a group is where implementations part. */
  readonly anchored?: boolean;
}

function translateAlternatives(alternatives: readonly AST.Alternative[]): Translated | undefined {
  return join(
    alternatives.map(({ elements }) => join(elements.map(translateElement), "")),
    "|",
  );
}

function join(parts: readonly (Translated | undefined)[], between: string): Translated | undefined {
  const known = parts.filter((part) => part !== undefined);
  if (known.length < parts.length) return undefined;
  return {
    text: known.map(({ text }) => text).join(between),
    size: known.reduce((sum, { size }) => sum + size, 0),
    anchored: known.some(({ anchored }) => anchored),
  };
}

function translateElement(element: AST.Element): Translated | undefined {
  switch (element.type) {
    case "Character":
    case "CharacterSet":
    case "CharacterClass":
      return matching(setOf(element));
    case "Assertion":
      if (element.kind !== "start" && element.kind !== "end") return undefined;
      return { text: element.kind === "start" ? "^" : "$", size: 1, anchored: true };
    case "Group":
      return element.modifiers ? undefined : grouped(element.alternatives);
    case "CapturingGroup":
      return grouped(element.alternatives);
    case "Quantifier":
      return repeated(element);
    default:
      return undefined;
  }
}

function grouped(alternatives: readonly AST.Alternative[]): Translated | undefined {
  const inner = translateAlternatives(alternatives);
  return inner && { ...inner, text: `(?:${inner.text})` };
}

/** Lazy or greedy: it is the same set of texts. */
function repeated({ element, min, max }: AST.Quantifier): Translated | undefined {
  const inner = translateElement(element);
  const highest = max === Number.POSITIVE_INFINITY ? min : max;
  if (inner === undefined || inner.anchored || highest > MOST_REPEATS) return undefined;
  const bounds =
    max === Number.POSITIVE_INFINITY ? `{${min},}` : min === max ? `{${min}}` : `{${min},${max}}`;
  return { text: inner.text + (SHORT[bounds] ?? bounds), size: inner.size * Math.max(highest, 1) };
}

const SHORT: Readonly<Record<string, string>> = { "{0,}": "*", "{1,}": "+", "{0,1}": "?" };

function matching(set: CodePoints | undefined): Translated | undefined {
  const text = set && printSet(set);
  return text === undefined ? undefined : { text, size: 1 };
}
