import type { AST } from "@eslint-community/regexpp";
import { NotRegular, toRe2 } from "./automaton.js";
import { isQuick } from "./backtracking.js";
import { parsePattern } from "./parse-pattern.js";

/*
 * What runs a pattern of the user's over texts of strangers. JavaScript's own engine backtracks, for minutes over a
 * text of thirty characters where a pattern lets it: it runs only what takes it no longer than the text is long. The
 * rest runs on automata, and what those cannot do is refused.
 */

export type Engine =
  | { readonly kind: "javascript" }
  /** Patterns of RE2: all of `all` are found in a text, and none of `none`. */
  | { readonly kind: "automata"; readonly all: readonly string[]; readonly none: readonly string[] }
  /** `reason` follows "it". */
  | { readonly kind: "none"; readonly reason: string };

/** Beyond these it is no pattern that somebody wrote. */
const MOST_CHARACTERS = 10_000;
const DEEPEST = 200;

/** Throws `SyntaxError` for what is no pattern (with the flag u, as JSON Schema has it). */
export function engineFor(pattern: string): Engine {
  if (pattern.length > MOST_CHARACTERS)
    return { kind: "none", reason: `has ${pattern.length} characters, and ${MOST_CHARACTERS} are the most` };
  if (depthOf(pattern) > DEEPEST)
    return { kind: "none", reason: `has groups within groups, more than ${DEEPEST} deep` };
  try {
    return chooseEngine(parsePattern(pattern));
  } catch (cause) {
    if (cause instanceof NotRegular) return { kind: "none", reason: cause.message };
    throw cause;
  }
}

/** At most: a parenthesis of a class counts, too. */
function depthOf(pattern: string): number {
  let depth = 0;
  let deepest = 0;
  for (const character of pattern) {
    if (character === "(") depth += 1;
    else if (character === ")") depth -= 1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

function chooseEngine(pattern: AST.Pattern): Engine {
  if (isQuick(pattern)) return { kind: "javascript" };
  const { conditions, alternatives } = partConditions(pattern);
  const sides = (negate: boolean) =>
    conditions.filter((one) => one.negate === negate).map((one) => `\\A(?:${toRe2(one.alternatives)})`);
  const rest = conditions.length === 0 ? toRe2(alternatives) : `\\A${toRe2(alternatives)}`;
  return { kind: "automata", all: [...sides(false), rest], none: sides(true) };
}

interface Parted {
  /** What the whole text is asked for first: `^(?=.*\d)(?!admin$)`. */
  readonly conditions: readonly AST.LookaheadAssertion[];
  readonly alternatives: readonly AST.Alternative[];
}

/** Look-aheads right behind the start ask something of the text as a whole: a pattern for each is the same. */
function partConditions({ alternatives }: AST.Pattern): Parted {
  const [only, ...more] = alternatives;
  const [start, ...rest] = only?.elements ?? [];
  if (only === undefined || more.length > 0 || start?.type !== "Assertion" || start.kind !== "start")
    return { conditions: [], alternatives };
  const isCondition = (one: AST.Element) => one.type === "Assertion" && one.kind === "lookahead";
  const end = rest.findIndex((one) => !isCondition(one));
  const elements = end === -1 ? [] : rest.slice(end);
  const conditions = rest.slice(0, rest.length - elements.length) as AST.LookaheadAssertion[];
  return conditions.length === 0
    ? { conditions, alternatives }
    : { conditions, alternatives: [{ ...only, elements }] };
}
