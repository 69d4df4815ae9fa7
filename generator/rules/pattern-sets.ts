import type { AST } from "@eslint-community/regexpp";
import { ANYTHING, type CodePoints, complement, DIGIT, DOT, SPACE, union, WORD } from "./code-points.js";

/** What matches one character. */
type SingleSet =
  | AST.Character
  | AST.CharacterSet
  | AST.CharacterClass
  | AST.CharacterClass["elements"][number];

function classOf({ elements, negate, unicodeSets }: AST.CharacterClass): CodePoints | undefined {
  if (unicodeSets) return undefined;
  const sets = elements.map(setOf);
  const known = sets.filter((set) => set !== undefined);
  if (known.length < sets.length) return undefined;
  return negate ? complement(union(known)) : union(known);
}

/** The characters that an element matches; undefined where that depends on more than the pattern. */
export function setOf(element: SingleSet): CodePoints | undefined {
  switch (element.type) {
    case "CharacterClass":
      return classOf(element);
    case "Character":
      return [[element.value, element.value]];
    case "CharacterClassRange":
      return [[element.min.value, element.max.value]];
    case "CharacterSet":
      return knownSet(element);
    default:
      return undefined;
  }
}

/** \p{…} is as large as the version of Unicode that each side knows. */
function knownSet(set: AST.CharacterSet): CodePoints | undefined {
  switch (set.kind) {
    case "any":
      return DOT;
    case "digit":
      return set.negate ? complement(DIGIT) : DIGIT;
    case "word":
      return set.negate ? complement(WORD) : WORD;
    case "space":
      return set.negate ? complement(SPACE) : SPACE;
    case "property":
      return set.key === "Any" && !set.strings ? (set.negate ? [] : ANYTHING) : undefined;
    default:
      return undefined;
  }
}
