import { factsOf, kindOf } from "@meshwright/runtime/column-types";
import type { Report } from "../../diagnostics/report.js";
import type { EventSymbol } from "../../language/symbols.js";
import { firstOfEach } from "../reach.js";
import type { Rule } from "../rule.js";
import { entityColumn, reportMissingColumn } from "../table-lookup.js";

/**
 * All events of an entity carry the same kind of id. Tables that emit for one entity and are keyed by different
 * columns hold different things: the id of one would be published as the other's.
 */
export const checkEntityIds: Rule = (program, report) => {
  for (const event of program.events) checkNamedColumn(event, report);
  for (const { events } of program.entities.values()) {
    const emitted = events.filter(({ table }) => table !== undefined && table.cacheOf === undefined);
    const places = firstOfEach(emitted, ({ table, id }) => `${table?.name} ${id?.value}`);
    // The table of its own rows, where there is one.
    const first = places.find(({ id }) => id === undefined) ?? places[0];
    for (const other of places) {
      if (first !== undefined && other !== first) checkPair(first, other, report);
    }
  }
};

function checkNamedColumn({ table, id }: EventSymbol, report: Report): void {
  if (table === undefined || id === undefined) return;
  reportMissingColumn(id, table, report);
  const type = table.columns.get(id.value)?.type;
  if (type !== undefined && !factsOf(type).key) {
    report("invalid-entity-id", id.span, { column: id.value, reason: `it is ${type}` });
  }
}

function checkPair(first: EventSymbol, other: EventSymbol, report: Report): void {
  const [one, two] = [entityColumn(first), entityColumn(other)];
  if (one?.type === undefined || two?.type === undefined) return;
  const at = other.node?.get.emit?.get.table?.span ?? other.subject.span;
  if (other.id === undefined && first.id === undefined && one.name !== two.name) {
    const columns = [...(other.table?.columns.keys() ?? [])];
    report("entity-of-two-keys", at, {
      entity: other.entityName,
      table: other.table?.name ?? "",
      key: two.name,
      other: first.table?.name ?? "",
      otherKey: one.name,
      column: columns.includes(one.name) ? one.name : undefined,
    });
  } else if (factsOf(two.type).key && kindOf(one.type) !== kindOf(two.type)) {
    report("invalid-entity-id", other.id?.span ?? at, {
      column: two.name,
      reason: `it is ${two.type}, and "${first.table?.name}" emits "${other.entityName}" by "${one.name}", which is ${one.type}`,
    });
  }
}
