import { findMisplacedEvents } from "../misplaced.js";
import { firstOfEach } from "../repeats.js";
import type { Rule } from "../rule.js";

/** A table is one entity: the version of a row counts the events of that entity. */
export const checkTableEntities: Rule = (program, report) => {
  const misplaced = [...findMisplacedEvents(program)].filter(([event]) => event.table?.cacheOf === undefined);
  for (const [event, other] of firstOfEach(misplaced, ([{ entityName }]) => entityName)) {
    const parameters = { table: event.table?.name ?? "", entity: event.entityName, other: other.entityName };
    report("table-of-two-entities", event.subject.span, parameters, {
      meant: other.entityName,
      at: other.subject.span,
    });
  }
};
