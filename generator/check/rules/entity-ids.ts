import { factsOf, kindOf } from "@meshwright/runtime/column-types";
import type { Report } from "../../diagnostics/report.js";
import type { EventSymbol } from "../../language/symbols.js";
import { firstOfEach } from "../repeats.js";
import type { Rule } from "../rule.js";
import { entityColumns, idType, namesOf, reportMissingColumn } from "../table-lookup.js";

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
  const [one, two] = [entityColumns(first), entityColumns(other)];
  const [oneType, twoType] = [idType(one), idType(two)];
  if (oneType === undefined || twoType === undefined) return;
  const at = other.node?.get.emit?.get.table?.span ?? other.subject.span;
  if (other.id === undefined && first.id === undefined && namesOf(one) !== namesOf(two)) {
    const columns = [...(other.table?.columns.keys() ?? [])];
    report("entity-of-two-keys", at, {
      entity: other.entityName,
      table: other.table?.name ?? "",
      key: namesOf(two),
      other: first.table?.name ?? "",
      otherKey: namesOf(one),
      column: columns.find((name) => name === namesOf(one)),
    });
  } else if (factsOf(twoType).key && kindOf(oneType) !== kindOf(twoType)) {
    report("invalid-entity-id", other.id?.span ?? at, {
      column: namesOf(two),
      reason: `it is ${twoType}, and "${first.table?.name}" emits "${other.entityName}" by "${namesOf(one)}", which is ${oneType}`,
    });
  }
}
