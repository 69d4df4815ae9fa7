import type { Program } from "../../language/program.js";
import type { Span } from "../../source/text.js";
import { unmatchedPatterns } from "../reach.js";
import type { Rule } from "../rule.js";

/** A subscription matches some subject. A service may subscribe to itself: its handlers then run after the commit. */
export const checkSubscriptions: Rule = (program, report) => {
  if (program.poisoned.subjects) return;
  const published = publishedPatterns(program);
  for (const service of program.services.values()) {
    for (const { text, span } of unmatchedPatterns(service, program)) {
      report(
        "unknown-subject",
        span,
        { service: service.name, pattern: text },
        report.nearest(text, published, (at) => at),
      );
    }
  }
};

/** What could be subscribed to, and where it comes from. */
function publishedPatterns(program: Program): ReadonlyMap<string, Span> {
  const patterns = new Map<string, Span>();
  for (const { entityName, events } of program.entities.values()) {
    const first = events[0];
    if (first !== undefined) patterns.set(`${entityName}.*`, first.subject.span);
  }
  for (const [text, event] of program.subjects) patterns.set(text, event.subject.span);
  for (const service of program.services.values()) {
    for (const pattern of service.publishes) patterns.set(pattern.text, pattern.span);
  }
  return patterns;
}
