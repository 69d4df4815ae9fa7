import { compareNames } from "../../collections/compare-names.js";
import type { TextNode } from "../../language/node.js";
import type { PatternName } from "../../language/words.js";
import type { SubjectPattern } from "../mesh.js";

export function buildPatterns(patterns: readonly TextNode<PatternName>[]): readonly SubjectPattern[] {
  return patterns
    .map(({ text, value }) => ({
      text,
      filter: filterOf(value),
      service: value.service,
      entity: value.entity,
    }))
    .sort((a, b) => compareNames(a.text, b.text));
}

/** The id that the file leaves out is a token on the wire: the text itself as a filter would match nothing. */
export function filterOf({ service, entity, action }: PatternName): string {
  return `${service}.${entity ?? "*"}.*.${action ?? "*"}`;
}
