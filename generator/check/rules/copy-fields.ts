import type { Report } from "../../diagnostics/report.js";
import { carriersOf, fillingOf } from "../../language/carriers.js";
import type { Program } from "../../language/program.js";
import type { ColumnSymbol, EventSymbol, FieldSource, TableSymbol } from "../../language/symbols.js";
import type { Rule } from "../rule.js";
import { allTables } from "../table-lookup.js";

/** A column of a copy is filled by one field, which shows the same column of the owner in each event: so a snapshot can fill it too. */
export const checkCopyFields: Rule = (program, report) => {
  for (const { table } of allTables(program))
    for (const column of table.columns.values()) {
      if (table.cacheOf === undefined) refuseFrom(column, table, report);
      else if (!program.entities.has(table.cacheOf.text)) continue;
      else if (!column.local) checkColumn(column, table, program, report);
      else if (column.from !== undefined)
        report("setting-without-effect", column.from.span, {
          key: "from",
          reason: `only hooks fill "${column.name}", which is "local"`,
        });
    }
};

function refuseFrom({ name, from }: ColumnSymbol, table: TableSymbol, report: Report): void {
  if (from !== undefined) report("from-outside-copy", from.span, { column: name, table: table.name });
}

function checkColumn(column: ColumnSymbol, table: TableSymbol, program: Program, report: Report): void {
  const events = carriersOf(table, program);
  const { field } = fillingOf(column, events);
  if (column.from !== undefined && !events.some((event) => event.fields.has(field))) {
    const fields = new Map(events.flatMap((event) => [...event.fields]));
    const known = { entity: table.cacheOf?.text ?? "", field, known: fields };
    report(
      "unknown-field",
      column.from.span,
      known,
      report.nearest(field, fields, ({ span }) => span),
    );
  }
  checkSources(column, events, report);
}

/** What no row of the owner has. */
const SHOWS: Readonly<Record<Exclude<FieldSource["kind"], "column">, string>> = {
  old: "what a column held before",
  referenced: "a column of another row",
  constant: "a constant",
  object: "an object of several columns",
};

function checkSources(column: ColumnSymbol, events: readonly EventSymbol[], report: Report): void {
  const { field, column: owned } = fillingOf(column, events);
  const sources = events.map(({ fields }) => fields.get(field)?.source);
  // A column that does not exist is perhaps the same one.
  if (sources.some((source) => source?.kind === "column" && source.target === undefined)) return;
  for (const { fields, id, change, name } of events) {
    const source = id === undefined && change !== "delete" ? fields.get(field)?.source : undefined;
    const event = name?.value ?? "";
    if (source === undefined) continue;
    if (source.kind !== "column") {
      report("field-not-in-snapshot", column.from?.span ?? column.span, {
        column: column.name,
        field,
        event,
        shows: SHOWS[source.kind],
      });
      return;
    }
    if (source.column === owned) continue;
    report("field-of-two-columns", source.span, {
      field,
      column: source.column,
      event,
      other: owned ?? "",
      copy: column.name,
    });
  }
}
