import { escapeIdentifier } from "pg";
import { arrayType, columnOf } from "../database/columns.js";
import { idSql, keyColumns } from "../database/key.js";
import { relationOf } from "../database/relation.js";
import { deletionSql, livingRows } from "../database/soft-deletion.js";
import type { CascadeDefinition } from "../definition/consumer-definition.js";
import { arrayLiteral } from "../values/array-literal.js";
import type { Statement } from "./row-statements.js";

/**
 * What a deletion does to the rows that refer to the deleted entities; where their table deletes softly, `delete` does too, and
 * `set_null` also clears rows that are deleted already, which may be brought back. With a hook before it, a `delete` writes tasks for the
 * cascade worker instead; a task that an earlier row of the same key left, which referred to another entity, becomes this
 * row's. Another action begins in `runtime/vocabulary.ts`; CONTRIBUTING.md lists what it touches.
 */
export function cascade(rule: CascadeDefinition, entity: string, ids: readonly string[]): Statement {
  const table = relationOf(rule.table);
  const column = escapeIdentifier(rule.column);
  const matches = `"$t".${column} = ANY ($1::${arrayType(columnOf(rule.table, rule.column))})`;
  const values = [arrayLiteral(ids)];
  const { action, before } = rule;
  switch (action) {
    case "set_null":
      return { text: `UPDATE ${table} AS "$t" SET ${column} = NULL WHERE ${matches}`, values };
    case "delete":
      return before === undefined
        ? { text: deletionSql(rule.table, [matches]), values }
        : {
            text: `INSERT INTO mesh.cascade_task AS task (entity, entity_id, hook, table_name, row_key, cause)
SELECT $2, ${column}::text, $3, $4, ${idSql(keyColumns(rule.table))}, mesh.cause() FROM ${table} AS "$t" WHERE ${[matches, ...livingRows(rule.table, '"$t"')].join(" AND ")}
ON CONFLICT (hook, table_name, row_key) DO UPDATE SET entity = excluded.entity, entity_id = excluded.entity_id,
  cause = excluded.cause, attempts = 0, last_error = NULL, next_at = excluded.next_at
WHERE (task.entity, task.entity_id) <> (excluded.entity, excluded.entity_id)`,
            values: [...values, entity, before.name, rule.table.name],
          };
    default:
      return action satisfies never;
  }
}
