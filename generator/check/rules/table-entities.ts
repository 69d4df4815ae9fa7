import { findStrays } from "../misplaced.js";
import { firstOfEach } from "../reach.js";
import type { Rule } from "../rule.js";

/** A table is one entity: the version of a row counts the events of that entity. */
export const checkTableEntities: Rule = (program, report) => {
  const strays = [...findStrays(program)].filter(([event]) => event.table?.cacheOf === undefined);
  for (const [event, other] of firstOfEach(strays, ([{ origin }]) => origin)) {
    const parameters = { table: event.table?.name ?? "", entity: event.origin, other: other.origin };
    report("table-of-two-entities", event.subject.span, parameters, {
      meant: other.origin,
      at: other.subject.span,
    });
  }
};
