import { factsOf, kindOf } from "@meshwright/runtime/column-types";
import type { ColumnSymbol, TableSymbol } from "../../language/symbols.js";
import type { Rule } from "../rule.js";
import { allTables, idType } from "../table-lookup.js";

/** What stands in a unique text column while another row has its value: these letters and the row's id, or a hash of it. */
const PLACEHOLDER = "superseded:".length;
const WITH_HASH = 32;
const LONGEST_ID = { uuid: 36, "whole number": 20 } as const;

/**
 * Warns of what is unique in a copy and cannot make way. Events of two entities may come in another order than their
 * owner wrote them, and claim one value for a while: the runtime then gives one of the rows a placeholder value, or NULL.
 */
export const adviseCopyUniques: Rule = (program, report) => {
  for (const { table } of allTables(program)) {
    if (table.cacheOf === undefined) continue;
    for (const set of table.node?.get.unique?.items ?? []) {
      const columns = set.items.map(({ value }) => value);
      const isLocal = columns.every((name) => table.columns.get(name)?.local === true);
      if (!isLocal) report("unsettled-unique", set.span, { columns, type: undefined });
    }
    for (const column of table.columns.values()) {
      const { name, type = "text", node, local, key } = column;
      const unique = node?.get.unique;
      if (unique?.value === true && !local && !key && !makesWay(column, table))
        report("unsettled-unique", node?.keySpans.unique ?? unique.span, { columns: [name], type });
    }
  }
};

function makesWay({ type, nullable }: ColumnSymbol, table: TableSymbol): boolean {
  if (type === undefined || nullable) return true;
  const { kind, length = Number.POSITIVE_INFINITY } = factsOf(type);
  if (kind !== "text") return false;
  const id = kindOf(idType(table.key) ?? "text");
  const needed = id === "uuid" || id === "whole number" ? PLACEHOLDER + LONGEST_ID[id] : WITH_HASH;
  return length >= Math.min(needed, WITH_HASH);
}
