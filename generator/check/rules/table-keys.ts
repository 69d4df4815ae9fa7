import { factsOf } from "@meshwright/runtime/column-types";
import type { Report } from "../../diagnostics/report.js";
import type { TableSymbol, ViewSymbol } from "../../language/symbols.js";
import type { Rule } from "../rule.js";
import { allTables, allViews, namesOf, reportColumns } from "../table-lookup.js";

/** What is read by key. */
type Keyed = TableSymbol | ViewSymbol;

/** A table or view has one key, of one column or of several: of a table it makes the entity id on the wire. */
export const checkTableKeys: Rule = (program, report) => {
  for (const table of [...[...allTables(program)].map((placed) => placed.table), ...allViews(program)]) {
    const columns = [...table.columns.values()];
    const marked = columns.filter(isMarked);
    if (table.node?.get.key === undefined) checkMarked(table, marked, report);
    else checkListed(table, marked, report);
    for (const column of table.key) checkColumn(column, report);
  }
};

function isMarked({ node }: Keyed["key"][number]): boolean {
  return node?.get.key?.value === true;
}

/** `key: true` at a column. */
function checkMarked(table: Keyed, [key, ...others]: Keyed["key"], report: Report): void {
  if (key === undefined) {
    report("missing-table-key", table.node?.keySpans.columns ?? table.span, {});
    return;
  }
  for (const other of others) {
    const clue = {
      first: key.span,
      advice: `where both identify a row together, say "key: [${key.name}, ${other.name}]" at the table`,
    };
    report("second-table-key", other.span, { table: table.name, column: key.name }, clue);
  }
}

/** `key: [a, b]` at the table. */
function checkListed(table: Keyed, marked: Keyed["key"], report: Report): void {
  const items = table.node?.get.key?.items ?? [];
  reportColumns(items, table, report);
  const [only, ...others] = items;
  if (only !== undefined && others.length === 0)
    report("key-of-one-column", only.span, { column: only.value });
  for (const { node, span } of marked)
    report(
      "second-table-key",
      node?.keySpans.key ?? span,
      { table: table.name, column: namesOf(table.key) },
      { advice: 'remove "key: true" here' },
    );
  for (const { name, node } of "existing" in table ? table.key : []) {
    const unique = node?.get.unique;
    if (unique?.value === true && others.length > 0)
      report("unique-part-of-key", unique.span, { column: name });
  }
}

function checkColumn({ name, nullable, type, span }: Keyed["key"][number], report: Report): void {
  if (nullable) report("invalid-key", span, { column: name, reason: "it may be null" });
  if (type !== undefined && !factsOf(type).key)
    report("invalid-key", span, { column: name, reason: `it is ${type}` });
}
