import type { AST } from "@eslint-community/regexpp";
import { type CodePoints, complement } from "./code-points.js";
import { setOf } from "./pattern-sets.js";

/*
 * A JavaScript pattern (with the flag u) in the syntax of RE2, whose automata read a text once. Characters and classes
 * are spelt out by their code points, as the two differ in what \d, \w, \s and . mean. \p{…} stays as it is, always
 * within brackets: the runtime spells it out by what its own JavaScript means by it.
 */

/** What an automaton cannot do, in words that follow "it". */
export class NotRegular extends Error {
  override readonly name = "NotRegular";
}

/** RE2 takes no higher count in braces. */
const MOST_REPEATS = 1_000;
/** About as many states are the work for each character, at worst. */
const MOST_STATES = 1_000;

/** Throws `NotRegular`. */
export function toRe2(alternatives: readonly AST.Alternative[]): string {
  const { text, states } = choice(alternatives);
  if (states > MOST_STATES) throw new NotRegular(`needs ${states} states, and ${MOST_STATES} are the most`);
  return text;
}

interface Part {
  readonly text: string;
  readonly states: number;
}

function choice(alternatives: readonly AST.Alternative[]): Part {
  const parts = alternatives.map(({ elements }) => sequence(elements));
  return { text: parts.map(({ text }) => text).join("|"), states: sum(parts) };
}

function sequence(elements: readonly AST.Element[]): Part {
  const parts = elements.map(element);
  return { text: parts.map(({ text }) => text).join(""), states: sum(parts) };
}

function sum(parts: readonly Part[]): number {
  return parts.reduce((total, { states }) => total + states, 0);
}

function element(one: AST.Element): Part {
  switch (one.type) {
    case "Character":
    case "CharacterSet":
    case "CharacterClass":
      return { text: characterOf(one), states: 1 };
    case "Assertion":
      return { text: assertion(one), states: 1 };
    case "Group":
      if (one.modifiers) throw new NotRegular("changes its flags within");
      return grouped(one.alternatives);
    case "CapturingGroup":
      return grouped(one.alternatives);
    case "Quantifier":
      return repeated(one);
    case "Backreference":
      throw new NotRegular("refers back to what a group has matched");
    case "ExpressionCharacterClass":
      throw new NotRegular("has a set operation within a class");
    default:
      return one satisfies never;
  }
}

function grouped(alternatives: readonly AST.Alternative[]): Part {
  const { text, states } = choice(alternatives);
  return { text: `(?:${text})`, states };
}

function assertion(one: AST.Assertion): string {
  switch (one.kind) {
    case "start":
      return "\\A";
    case "end":
      return "\\z";
    case "word":
      return one.negate ? "\\B" : "\\b";
    default:
      throw new NotRegular("looks ahead or behind");
  }
}

/** Lazy or greedy: it is the same set of texts. */
function repeated({ element: inner, min, max }: AST.Quantifier): Part {
  const { text, states } = element(inner);
  const highest = max === Number.POSITIVE_INFINITY ? min : max;
  if (highest > MOST_REPEATS) throw new NotRegular(`counts to ${highest}, and ${MOST_REPEATS} is the most`);
  const bounds =
    max === Number.POSITIVE_INFINITY ? `{${min},}` : min === max ? `{${min}}` : `{${min},${max}}`;
  return { text: `(?:${text})${bounds}`, states: Math.max(states, 1) * Math.max(highest, 1) };
}

type Single = AST.Character | AST.CharacterSet | AST.CharacterClass;

function characterOf(one: Single): string {
  const set = setOf(one);
  if (set !== undefined) return bracket(set);
  if (one.type !== "CharacterClass") return `[${member(one)}]`;
  if (one.unicodeSets) throw new NotRegular("has a set operation within a class");
  return `[${one.negate ? "^" : ""}${one.elements.map(member).join("")}]`;
}

function member(one: Parameters<typeof setOf>[0]): string {
  const set = setOf(one);
  if (set !== undefined) return ranges(set);
  if (one.type !== "CharacterSet" || one.kind !== "property")
    throw new NotRegular("has a set operation within a class");
  return one.raw;
}

function bracket(set: CodePoints): string {
  // RE2 has no empty class, but one that leaves nothing out.
  return set.length === 0 ? `[^${ranges(complement([]))}]` : `[${ranges(set)}]`;
}

function ranges(set: CodePoints): string {
  return set.map(([from, to]) => (from === to ? hex(from) : `${hex(from)}-${hex(to)}`)).join("");
}

/** Letters and digits of ASCII as they are; all else by its number, which has no second meaning anywhere. */
function hex(value: number): string {
  const character = String.fromCodePoint(value);
  return /^[A-Za-z0-9]$/.test(character) ? character : `\\x{${value.toString(16)}}`;
}
