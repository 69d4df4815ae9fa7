import { factsOf } from "@meshwright/runtime/column-types";
import type { Rule } from "../rule.js";
import { allTables } from "../table-lookup.js";

/** A table has one key column: its value is the entity id on the wire. */
export const checkTableKeys: Rule = (program, report) => {
  for (const { table } of allTables(program)) {
    const columns = [...table.columns.values()];
    if (table.poisoned || columns.some((column) => column.poisoned && !column.key)) continue;
    const [key, ...others] = columns.filter((column) => column.key);
    if (key === undefined) {
      report("missing-table-key", table.node?.keySpans.columns ?? table.span, {});
      continue;
    }
    for (const other of others) {
      report("second-table-key", other.span, { table: table.name, column: key.name }, { first: key.span });
    }
    if (key.nullable) report("invalid-key", key.span, { column: key.name, reason: "it may be null" });
    if (key.type !== undefined && !factsOf(key.type).key) {
      report("invalid-key", key.span, { column: key.name, reason: `it is ${key.type}` });
    }
  }
};
