import { groupBy } from "../../collections/group-by.js";
import type { Report } from "../../diagnostics/report.js";
import type { TextNode } from "../../language/node.js";
import type { PatternName } from "../../language/words.js";
import type { Rule } from "../rule.js";

/**
 * No pattern of a list covers another: JetStream refuses a stream with overlapping subjects. One consumer hears one action of an
 * entity or all of it: two consumers of one entity would share its guard, by which the later event makes the earlier one stale,
 * unless they have names.
 */
export const checkOverlappingPatterns: Rule = (program, report) => {
  for (const service of program.services.values()) {
    checkPatterns(service.publishes, { heard: false }, report);
    for (const subscriptions of groupBy(service.subscriptions, ({ name }) => name?.value).values())
      checkPatterns(
        subscriptions.map(({ pattern }) => pattern),
        { heard: true },
        report,
      );
  }
};

type Patterns = readonly TextNode<PatternName>[];

function checkPatterns(patterns: Patterns, { heard }: { readonly heard: boolean }, report: Report): void {
  patterns.forEach((pattern, index) => {
    const other = patterns.find((candidate, at) => at !== index && isCovered(pattern, candidate, index < at));
    if (other === undefined) {
      reportSecondAction(pattern, patterns.slice(0, index), report);
      return;
    }
    report(
      "overlapping-patterns",
      pattern.span,
      { pattern: pattern.text, other: other.text },
      {
        first: other.span,
        advice: heard
          ? `remove one of them, or write "{ to: ${pattern.text}, name: … }" for a consumer of its own`
          : undefined,
      },
    );
  });
}

function reportSecondAction(
  { value, text, span }: Patterns[number],
  earlier: Patterns,
  report: Report,
): void {
  if (value.entity === undefined || value.action === undefined) return;
  const entity = `${value.service}.${value.entity}`;
  const first = earlier.find((one) => `${one.value.service}.${one.value.entity}` === entity);
  if (first !== undefined) report("several-actions", span, { pattern: text, other: first.text, entity });
}

/** Of two equal patterns the later one is the superfluous one. */
function isCovered(inner: Patterns[number], outer: Patterns[number], isEarlier: boolean): boolean {
  if (inner.value.service !== outer.value.service) return false;
  if (inner.text === outer.text) return !isEarlier;
  if (outer.value.entity === undefined) return inner.value.entity !== undefined;
  return outer.value.action === undefined && outer.value.entity === inner.value.entity;
}
