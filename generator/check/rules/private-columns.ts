import { leavesOf } from "../../language/payload-leaves.js";
import type { ColumnSymbol } from "../../language/symbols.js";
import type { Rule } from "../rule.js";
import { allTables, allViews } from "../table-lookup.js";

/** What a private column holds is in no message: neither as a field nor as the id of an entity. */
export const checkPrivateColumns: Rule = (program, report) => {
  for (const { key } of allViews(program)) {
    for (const { name, node } of key)
      if (node?.get.private?.value === true) report("private-key", node.get.private.span, { column: name });
  }
  for (const { table } of allTables(program)) {
    for (const { key, name, node } of table.columns.values()) {
      if (key && node?.get.private?.value === true)
        report("private-key", node.get.private.span, { column: name });
    }
  }
  for (const { table, fields, id } of program.events) {
    const isPrivate = (column: ColumnSymbol | undefined) =>
      column?.key === false && column.node?.get.private?.value === true;
    for (const { source } of leavesOf(fields.values())) {
      if (source !== undefined && "target" in source && isPrivate(source.target))
        report("private-in-event", source.span, { column: source.column });
    }
    if (id !== undefined && isPrivate(table?.columns.get(id.value)))
      report("private-in-event", id.span, { column: id.value });
  }
};
