import { isReferable } from "@meshwright/runtime/column-types";
import type { Report } from "../../diagnostics/report.js";
import { nearbyDatabases } from "../../language/nearby-databases.js";
import type { Program } from "../../language/program.js";
import type { ColumnSymbol, DatabaseSymbol } from "../../language/symbols.js";
import type { Rule } from "../rule.js";
import { allTables, idType, namesOf } from "../table-lookup.js";

/** A reference leads to a table of the same database, and its column can hold that table's key. */
export const checkReferences: Rule = (program, report) => {
  for (const { table, database } of allTables(program)) {
    for (const column of table.columns.values()) checkReference(column, { database, program }, report);
  }
};

function checkReference(
  column: ColumnSymbol,
  { database, program }: { readonly database: DatabaseSymbol; readonly program: Program },
  report: Report,
): void {
  const { name, type, node, nullable } = column;
  if (node === undefined) return;
  const { references, on_delete: onDelete } = node.get;
  if (references === undefined) {
    const span = node.keySpans.on_delete;
    if (span !== undefined) report("on-delete-without-reference", span, { column: name });
    return;
  }
  if (onDelete?.value === "set_null" && !nullable) {
    report("set-null-on-not-null", onDelete.span, { column: name });
  }
  const target = database.tables.get(references.value);
  if (target === undefined) {
    if (database.views.has(references.value))
      report("not-of-view", references.span, { view: references.value });
    const elsewhere = nearbyDatabases(database, program).find(({ tables }) => tables.has(references.value));
    const owner = elsewhere?.owners[0]?.name;
    if (owner !== undefined) {
      report("reference-to-other-service", references.span, { table: references.value, owner });
      return;
    }
    if (database.views.has(references.value)) return;
    const clue = report.nearest(references.value, database.tables, (table) => table.span);
    report(
      "unknown-table",
      references.span,
      { table: references.value, database: database.name, known: database.tables },
      clue,
    );
    return;
  }
  if (target.node?.get.where !== undefined)
    report("reference-to-partial-copy", references.span, { table: target.name, column: name });
  if (target.key.length > 1) {
    report("reference-to-composite-key", references.span, {
      column: name,
      table: target.name,
      key: namesOf(target.key),
    });
    return;
  }
  const keyType = idType(target.key);
  if (type === undefined || keyType === undefined || isReferable(type, keyType)) return;
  report("reference-type", references.span, {
    column: name,
    type,
    table: target.name,
    key: namesOf(target.key),
    keyType,
  });
}
