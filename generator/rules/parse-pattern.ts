import { type AST, RegExpParser } from "@eslint-community/regexpp";

/**
 * Throws `SyntaxError` for what is no pattern with the flag u, as JSON Schema has it. The grammar is that of ECMAScript
 * 2024, the newest that every supported Node knows: the Node that compiles would accept what the service's Node may not.
 */
export function parsePattern(pattern: string): AST.Pattern {
  return new RegExpParser({ ecmaVersion: 2024 }).parsePattern(pattern, 0, pattern.length, { unicode: true });
}
