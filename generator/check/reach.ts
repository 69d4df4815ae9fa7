import { onceFor } from "../collections/once.js";
import type { Report } from "../diagnostics/report.js";
import type { TextNode } from "../language/node.js";
import { covers, type Program, touches } from "../language/program.js";
import type { EntitySymbol, ServiceSymbol } from "../language/symbols.js";
import type { PatternName } from "../language/words.js";
import type { Span } from "../source/text.js";

/** Patterns under `publishes` that begin with another name than the service's own. */
export function foreignPatterns(service: ServiceSymbol): readonly TextNode<PatternName>[] {
  return service.publishes.filter((pattern) => pattern.value.service !== service.name);
}

/** Patterns under `subscribes` that no subject matches. */
export function unmatchedPatterns(
  service: ServiceSymbol,
  program: Program,
): readonly TextNode<PatternName>[] {
  return allUnmatchedPatterns(program).get(service) ?? [];
}

const allUnmatchedPatterns = onceFor(
  (program: Program) =>
    new Map(
      [...program.services.values()].map((service) => [
        service,
        service.subscribes.filter(({ value, text }) =>
          value.action === undefined
            ? !program.entitiesOf(value.service).some((entity) => covers(value, entity))
            : !program.subjects.has(text),
        ),
      ]),
    ),
);

/** Whether it is certain that the service does not hear all of the entity: no misspelt subscription may have been meant for it. */
export function isUnsubscribedFrom(service: ServiceSymbol, entity: EntitySymbol, program: Program): boolean {
  if (service.poisoned.subscribes || unmatchedPatterns(service, program).length > 0) return false;
  return !keepers(service).some((pattern) => covers(pattern.value, entity));
}

/** The subscription to one action of the entity, where there is one. */
export function partOf(service: ServiceSymbol, entity: EntitySymbol): string | undefined {
  return keepers(service).find(({ value }) => touches(value, entity) && !covers(value, entity))?.text;
}

/** The subscriptions that keep copies and apply cascades: a named consumer calls hooks alone. */
function keepers({ subscriptions }: ServiceSymbol): readonly TextNode<PatternName>[] {
  return subscriptions.flatMap(({ name, pattern }) => (name === undefined ? [pattern] : []));
}

export function reportUnknownService(name: string, span: Span, program: Program, report: Report): void {
  if (program.poisoned.services) return;
  // A service that publishes under this name is the one that was meant; its patterns are reported.
  if (foreignOwners(program).has(name)) return;
  const clue = report.nearest(name, program.services, (service) => service.span);
  report("unknown-service", span, { name, known: program.services }, clue);
}

const foreignOwners = onceFor(
  (program: Program) =>
    new Set([...program.services.values()].flatMap(foreignPatterns).map(({ value }) => value.service)),
);
