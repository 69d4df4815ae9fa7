import type { Report } from "../../diagnostics/report.js";
import type { Span } from "../../source/text.js";
import { repeats } from "../repeats.js";
import type { Rule } from "../rule.js";
import { allTables } from "../table-lookup.js";

/** PostgreSQL's, as it is built: an index has 32 columns, a table 1,600, and a SELECT 1,664. */
const INDEX_COLUMNS = 32;
const TABLE_COLUMNS = 1_600;
/** A trigger selects the fields of the message as the columns of one row. */
const EMITTED_FIELDS = 1_664;

/** What is declared fits into what PostgreSQL can hold, and is declared once. */
export const checkLimits: Rule = (program, report) => {
  for (const { table } of allTables(program)) {
    const count = table.columns.size;
    if (count > TABLE_COLUMNS)
      report("too-many", table.span, { what: `"${table.name}" has ${count} columns`, limit: TABLE_COLUMNS });
    const own = [...table.columns.values()].flatMap(({ name, node }) =>
      node?.get.unique?.value === true ? [{ columns: [name], span: node.keySpans.unique ?? node.span }] : [],
    );
    checkSets([...own, ...setsOf(table.node?.get.unique?.items)], report);
    checkSets(setsOf(table.node?.get.indexes?.items), report);
    const key = table.node?.get.key;
    if (key !== undefined) checkSets(setsOf([key]), report);
  }
  for (const { name, node, table, fields } of program.events) {
    if (table !== undefined && fields.size > EMITTED_FIELDS)
      report("too-many", name?.span ?? node?.span ?? table.span, {
        what: `a table cannot emit the ${fields.size} fields of this payload`,
        limit: EMITTED_FIELDS,
      });
  }
};

interface ColumnSet {
  readonly columns: readonly string[];
  readonly span: Span;
}

function setsOf(
  sets: readonly { readonly span: Span; readonly items: readonly { readonly value: string }[] }[] = [],
): readonly ColumnSet[] {
  return sets.map(({ span, items }) => ({ columns: items.map(({ value }) => value), span }));
}

/** Each becomes an object of the database that is named after its columns. */
function checkSets(sets: readonly ColumnSet[], report: Report): void {
  for (const { columns, span } of sets)
    if (columns.length > INDEX_COLUMNS)
      report("too-many", span, { what: `this set has ${columns.length} columns`, limit: INDEX_COLUMNS });
  for (const { value, first } of repeats(sets, ({ columns }) => columns.join()))
    report("repeated-set", value.span, { columns: value.columns }, { first: first.span });
}
