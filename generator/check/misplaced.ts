import { groupBy } from "../collections/group-by.js";
import { onceFor } from "../collections/once.js";
import { toldByRows } from "../language/carriers.js";
import { covers, type Program } from "../language/program.js";
import type { EventSymbol, TableSymbol } from "../language/symbols.js";
import { foreignPatterns } from "./reach.js";

/** Whether it is certain that the service of the event does not publish its subject: nothing that could say so was misread. */
export function isUnpublished({ service, subject }: EventSymbol): boolean {
  if (service === undefined || service.poisoned.publishes || foreignPatterns(service).length > 0)
    return false;
  return !service.publishes.some((pattern) => covers(pattern.value, subject.value));
}

/**
 * Events of a table that speak of another entity than most of its events do, each with one of the
 * majority (of equals, the entity that stands first). A misspelt entity shows itself this way.
 */
export const findMisplacedEvents = onceFor((program: Program): ReadonlyMap<EventSymbol, EventSymbol> => {
  const misplaced = new Map<EventSymbol, EventSymbol>();
  const emitted = toldByRows(program.events).filter((event) => !isUnpublished(event));
  for (const events of groupBy<TableSymbol | undefined, EventSymbol>(
    emitted,
    (event) => event.table,
  ).values()) {
    const entities = [...groupBy(events, (event) => event.entityName).values()];
    const majority = entities.reduce((most, entity) => (entity.length > most.length ? entity : most));
    for (const event of events) {
      if (majority[0] !== undefined && event.entityName !== majority[0].entityName)
        misplaced.set(event, majority[0]);
    }
  }
  return misplaced;
});
