import type { AST } from "@eslint-community/regexpp";
import { ANYTHING, type CodePoints, overlap, union } from "./code-points.js";
import { setOf } from "./pattern-sets.js";

/*
 * Whether JavaScript's own engine, which backtracks, matches a pattern in time that grows no faster than the text. It
 * does where it never has to choose, or has few ways to choose whatever the text; no more is asked here, so other
 * patterns may be as quick.
 */

/** More ways to match than this are too many to try at every place of a text. */
const MOST_WAYS = 1_000;

export function isQuick(pattern: AST.Pattern): boolean {
  return waysOfAll(pattern.alternatives) <= MOST_WAYS || neverChooses(pattern);
}

/** In how many ways a text can be matched at most, from one place on. */
function waysOfAll(alternatives: readonly AST.Alternative[]): number {
  return alternatives.reduce((sum, alternative) => sum + waysOfSequence(alternative.elements), 0);
}

function waysOfSequence(elements: readonly AST.Element[]): number {
  return elements.reduce((product, element) => product * waysOf(element), 1);
}

function waysOf(element: AST.Element): number {
  switch (element.type) {
    case "Group":
    case "CapturingGroup":
      return waysOfAll(element.alternatives);
    case "Assertion":
      return "alternatives" in element ? waysOfAll(element.alternatives) : 1;
    case "Quantifier": {
      const { min, max } = element;
      if (max > MOST_WAYS) return Number.POSITIVE_INFINITY;
      const each = waysOf(element.element);
      let total = 0;
      for (let times = min; times <= max; times += 1) total += each ** times;
      return total;
    }
    default:
      return 1;
  }
}

/** What a text may go on with: characters, or its end. */
interface First {
  readonly set: CodePoints;
  readonly end: boolean;
}

const NOTHING: First = { set: [], end: false };

/**
 * Whether the pattern is anchored at the start and has one way on at each character: a mismatch then ends the match at once.
 * A function below returns undefined where that is not certain.
 */
function neverChooses({ alternatives }: AST.Pattern): boolean {
  const [only, ...more] = alternatives;
  const [start, ...rest] = only?.elements ?? [];
  if (more.length > 0 || start?.type !== "Assertion" || start.kind !== "start") return false;
  // Where the pattern ends, the text may go on as it likes: it has matched.
  return firstOfSequence(rest, NOTHING) !== undefined;
}

function firstOfSequence(elements: readonly AST.Element[], after: First): First | undefined {
  return elements.reduceRight<First | undefined>((next, element) => next && firstOf(element, next), after);
}

function firstOf(element: AST.Element, after: First): First | undefined {
  switch (element.type) {
    case "Character":
    case "CharacterSet":
    case "CharacterClass": {
      return { set: setOf(element) ?? ANYTHING, end: false };
    }
    case "Assertion":
      return element.kind === "end" ? { set: [], end: true } : undefined;
    case "Group":
      return element.modifiers ? undefined : firstOfChoice(element.alternatives, after);
    case "CapturingGroup":
      return firstOfChoice(element.alternatives, after);
    case "Quantifier":
      return firstOfRepeated(element, after);
    default:
      return undefined;
  }
}

function firstOfChoice(alternatives: readonly AST.Alternative[], after: First): First | undefined {
  return alternatives
    .map(({ elements }) => firstOfSequence(elements, after))
    .reduce((all, one) => all && one && apart(all, one), NOTHING);
}

function firstOfRepeated({ element, min, max }: AST.Quantifier, after: First): First | undefined {
  const empty = firstOf(element, NOTHING);
  // What may match nothing could do so again and again.
  if (empty === undefined || isNullable(element)) return undefined;
  if (max === 0) return after;
  // One more, or what comes after it: the first character must tell, wherever there is that choice.
  const loops = max > 1 || min !== max;
  const next = min === max ? empty : apart(empty, after);
  if (next === undefined) return undefined;
  const around = loops ? (min === max ? joined(empty, after) : next) : after;
  const first = firstOf(element, around);
  if (first === undefined) return undefined;
  return min === 0 ? next : first;
}

function isNullable(element: AST.QuantifiableElement): boolean {
  if (!("alternatives" in element)) return false;
  return element.alternatives.some(({ elements }) =>
    elements.every(
      (one) =>
        one.type === "Assertion" ||
        (one.type === "Quantifier" && (one.min === 0 || isNullable(one.element))) ||
        (one.type !== "Quantifier" && "alternatives" in one && isNullable(one as AST.QuantifiableElement)),
    ),
  );
}

function joined(one: First, other: First): First {
  return { set: union([one.set, other.set]), end: one.end || other.end };
}

/** Both, where they have nothing in common. */
function apart(one: First, other: First): First | undefined {
  if ((one.end && other.end) || overlap(one.set, other.set)) return undefined;
  return joined(one, other);
}
