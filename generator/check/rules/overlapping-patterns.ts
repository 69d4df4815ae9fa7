import type { TextNode } from "../../language/node.js";
import type { PatternName } from "../../language/words.js";
import type { Rule } from "../rule.js";

/** No pattern of a list covers another: JetStream refuses a stream with overlapping subjects. */
export const checkOverlappingPatterns: Rule = (program, report) => {
  for (const service of program.services.values()) {
    for (const patterns of [service.publishes, service.subscribes]) {
      patterns.forEach((pattern, index) => {
        const other = patterns.find(
          (candidate, at) => at !== index && isCovered(pattern, candidate, index < at),
        );
        if (other === undefined) return;
        report(
          "overlapping-patterns",
          pattern.span,
          { pattern: pattern.text, other: other.text },
          { first: other.span },
        );
      });
    }
  }
};

/** Of two equal patterns the later one is the superfluous one. */
function isCovered(inner: TextNode<PatternName>, outer: TextNode<PatternName>, isEarlier: boolean): boolean {
  if (inner.value.service !== outer.value.service) return false;
  if (inner.text === outer.text) return !isEarlier;
  return outer.value.entity === undefined;
}
