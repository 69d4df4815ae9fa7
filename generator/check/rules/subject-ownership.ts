import type { Report } from "../../diagnostics/report.js";
import type { Program } from "../../language/program.js";
import type { EventSymbol, ServiceSymbol } from "../../language/symbols.js";
import { isUnpublished } from "../misplaced.js";
import { foreignPatterns, reportUnknownService } from "../reach.js";
import { firstOfEach } from "../repeats.js";
import type { Rule } from "../rule.js";

/** A subject belongs to the service it begins with, and that service says that it publishes it. */
export const checkSubjectOwnership: Rule = (program, report) => {
  for (const service of program.services.values()) {
    for (const { text, span, value } of foreignPatterns(service)) {
      const prefix = value.service;
      const isService = program.services.has(prefix);
      report("foreign-prefix", span, { service: service.name, pattern: text, prefix, isService });
    }
  }
  for (const event of firstOfEach(program.events, ({ entityName }) => entityName)) {
    checkEntity(event, program, report);
  }
};

function checkEntity(event: EventSymbol, program: Program, report: Report): void {
  const { subject, service } = event;
  if (service !== undefined) {
    checkPublished(event, service, report);
    return;
  }
  reportUnknownService(subject.value.service, subject.span, program, report);
}

function checkPublished(event: EventSymbol, service: ServiceSymbol, report: Report): void {
  if (!isUnpublished(event)) return;
  const patterns = new Map(service.publishes.map((pattern) => [pattern.text, pattern]));
  const clue = report.nearest(`${event.entityName}.*`, patterns, (pattern) => pattern.span);
  report(
    "unpublished-subject",
    event.subject.span,
    { service: service.name, subject: event.subject.text },
    clue,
  );
}
