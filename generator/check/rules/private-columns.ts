import type { Rule } from "../rule.js";
import { allTables } from "../table-lookup.js";

/** What a private column holds is in no message: neither as a field nor as the id of an entity. */
export const checkPrivateColumns: Rule = (program, report) => {
  for (const { table } of allTables(program)) {
    for (const { key, name, node } of table.columns.values()) {
      if (key && node?.get.private?.value === true)
        report("private-key", node.get.private.span, { column: name });
    }
  }
  for (const { table, fields, id } of program.events) {
    const isPrivate = (name: string) => {
      const column = table?.columns.get(name);
      return column?.key === false && column.node?.get.private?.value === true;
    };
    for (const { source } of fields.values()) {
      if (source !== undefined && isPrivate(source.column))
        report("private-in-event", source.span, { column: source.column });
    }
    if (id !== undefined && isPrivate(id.value)) report("private-in-event", id.span, { column: id.value });
  }
};
