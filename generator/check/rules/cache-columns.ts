import { kindOf } from "@meshwright/runtime/column-types";
import type { Report } from "../../diagnostics/report.js";
import { carriersOf, fieldsFor, fillingOf } from "../../language/carriers.js";
import { leavesOf } from "../../language/payload-leaves.js";
import type { Program } from "../../language/program.js";
import type { ColumnSymbol, EventSymbol, TableSymbol } from "../../language/symbols.js";
import { describeField, fieldFits, isOptional } from "../fields.js";
import type { Rule } from "../rule.js";
import { allTables } from "../table-lookup.js";
import { isPartial, mayEnterBy } from "./cache-conditions.js";

/** Events carry each column that a new row of a cache needs, in a type that the column takes. */
export const checkCacheColumns: Rule = (program, report) => {
  for (const { table } of allTables(program)) {
    const events = eventsThatFill(table, program);
    if (events.length === 0) continue;
    for (const column of table.columns.values())
      if (!column.local) checkColumn(column, { table, events, program }, report);
  }
};

/** The events that create and update the rows; without any creation, every update may have to. */
function eventsThatFill(table: TableSymbol, program: Program): readonly EventSymbol[] {
  const events = table.cacheOf === undefined ? [] : carriersOf(table, program);
  return events.filter((event) => event.change === "create" || event.change === "update");
}

interface Filled {
  readonly table: TableSymbol;
  /** Those that fill it. */
  readonly events: readonly EventSymbol[];
  readonly program: Program;
}

function checkColumn(column: ColumnSymbol, { table, events, program }: Filled, report: Report): void {
  const fieldsOf = fieldsFor(column, table, program);
  const hasCreation = events.some((event) => event.change === "create");
  const { column: owned = column.name } = fillingOf(column, carriersOf(table, program));
  const ownedColumn = (event: EventSymbol) => event.table?.columns.get(owned);
  const mustBeCarried =
    !column.nullable && column.node?.get.default === undefined && column.node?.get.defaulted?.value !== true;
  for (const event of events) {
    const name = event.name?.value;
    if (name === undefined || hasUnknownField(event)) continue;
    const [field] = fieldsOf(event);
    if (field === undefined) {
      if (column.key && table.key.length === 1 && isNamedByEnvelope(column, event)) continue;
      const mayCreate = event.change === "create" || !hasCreation;
      const makesRows = isPartial(table) ? mayEnterBy(table, event, program) : mayCreate;
      if (mustBeCarried && makesRows)
        report("cache-column-not-carried", column.span, {
          column: column.name,
          event: name,
          isPrivate: ownedColumn(event)?.node?.get.private?.value === true,
        });
      continue;
    }
    if (field.node === undefined || column.type === undefined) continue;
    const mayLackValue = isOptional(field.node) && !column.nullable;
    if (fieldFits(field.node, column.type) && !mayLackValue) continue;
    const type = column.nullable ? `${column.type} or null` : column.type;
    report("cache-column-type", column.span, {
      column: column.name,
      type,
      event: name,
      field: describeField(field.node),
      owned: describeOwned(ownedColumn(event)),
    });
  }
}

/** As it would stand in the copy: `text?`. */
function describeOwned(owned: ColumnSymbol | undefined): string | undefined {
  return owned?.type === undefined ? undefined : `${owned.type}${owned.nullable ? "?" : ""}`;
}

/** The envelope, or the subject, of an external service names the entity in place of a field. */
function isNamedByEnvelope({ type }: ColumnSymbol, { service }: EventSymbol): boolean {
  return (
    service !== undefined && service.envelope !== "mesh" && type !== undefined && kindOf(type) === "text"
  );
}

/** Whether one of its fields is misspelt, perhaps the one that is missing: the misspelt one is reported, and nothing else. */
function hasUnknownField({ fields }: EventSymbol): boolean {
  return leavesOf(fields.values()).some(
    ({ source }) => source !== undefined && "target" in source && source.target === undefined,
  );
}
