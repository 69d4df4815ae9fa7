import type { Program } from "../../language/program.js";
import { touches } from "../../language/program.js";
import type { ServiceSymbol } from "../../language/symbols.js";
import type { Rule } from "../rule.js";

/**
 * Warns of what is written down and has no part in the mesh. Events of the mesh's own services are no such thing: who
 * publishes need not know who listens. Nor are tables: a service uses its own by code.
 */
export const adviseUnusedParts: Rule = (program, report) => {
  for (const { entityName, service, events } of program.entities.values()) {
    const [first] = events;
    if (first === undefined || program.services.get(service)?.external !== true) continue;
    const isHeard = [...program.services.values()].some(({ subscribes }) =>
      subscribes.some(({ value }) => events.some((event) => hears(value, event.subject.value))),
    );
    if (!isHeard) report("unheard-entity", first.subject.span, { entity: entityName, service });
  }
  for (const service of program.services.values())
    if (!hasPart(service, program)) report("unused-service", service.span, { service: service.name });
};

type Pattern = ServiceSymbol["subscribes"][number]["value"];

function hears(pattern: Pattern, subject: { service: string; entity: string; action: string }): boolean {
  return touches(pattern, subject) && (pattern.action === undefined || pattern.action === subject.action);
}

/** It says, hears, keeps or serves something, or it calls or is called. */
function hasPart({ name, node, database, publishes, subscribes }: ServiceSymbol, program: Program): boolean {
  const { http, calls } = node?.get ?? {};
  if (database !== undefined && database.tables.size + database.views.size > 0) return true;
  if (publishes.length + subscribes.length > 0 || http !== undefined || calls !== undefined) return true;
  return [...program.services.values()].some((other) =>
    other.node?.get.calls?.entries.some((call) => call.name.value === name),
  );
}
