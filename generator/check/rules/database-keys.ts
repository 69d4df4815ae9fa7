import { kindOf } from "@meshwright/runtime/column-types";
import type { ColumnSymbol, TableSymbol } from "../../language/symbols.js";
import { drawnBy } from "../../vocabulary/made-keys.js";
import type { Rule } from "../rule.js";
import { allTables } from "../table-lookup.js";

/** The database makes keys alone, and of tables that are the service's own. */
export const checkMadeKeys: Rule = (program, report) => {
  for (const { table } of allTables(program)) {
    for (const column of table.columns.values()) {
      const { node, type, name } = column;
      if (node === undefined || type === undefined) continue;
      const { identity, default: fallback } = node.get;
      if (identity?.value === true) {
        const reason = kindOf(type) === "whole number" ? unfitColumn(column, table) : `it is ${type}`;
        if (reason !== undefined) report("made-key", identity.span, { column: name, reason });
        else if (fallback !== undefined)
          report("made-key", fallback.span, { column: name, reason: "it has a default besides" });
      }
      if (fallback === undefined || drawnBy(type, fallback.value) === undefined) continue;
      const reason = unfitColumn(column, table);
      if (reason !== undefined) report("made-key", fallback.span, { column: name, reason });
    }
  }
};

function unfitColumn({ key }: ColumnSymbol, { cacheOf, name }: TableSymbol): string | undefined {
  if (!key) return "it is no key";
  return cacheOf === undefined ? undefined : `"${name}" is a copy, and its owner makes the keys`;
}
