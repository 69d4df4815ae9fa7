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
 * row's. `causes` are those of the tasks, one for each id; by default all have the transaction's. Another action begins in `runtime/vocabulary.ts`; CONTRIBUTING.md lists what it touches.
 */
export function cascade(
  rule: CascadeDefinition,
  entity: string,
  ids: readonly string[],
  { causes }: { readonly causes?: readonly string[] | undefined } = {},
): Statement {
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
        : taskStatement(rule, before.name, { entity, ids, causes });
    default:
      return action satisfies never;
  }
}

interface Tasks {
  readonly entity: string;
  readonly ids: readonly string[];
  readonly causes: readonly string[] | undefined;
}

/** Emits nothing, so that one statement can tell each task's own cause. Two ids may be one value of the column: `A0` and `a0` of a uuid. */
function taskStatement({ table, column }: CascadeDefinition, hook: string, tasks: Tasks): Statement {
  const { entity, ids, causes } = tasks;
  const name = escapeIdentifier(column);
  const living = livingRows(table, '"$t"').map((condition) => ` AND ${condition}`);
  return {
    text: `INSERT INTO mesh.cascade_task AS task (entity, entity_id, hook, table_name, row_key, cause)
SELECT $2, ${name}::text, $3, $4, ${idSql(keyColumns(table))}, coalesce("$ids"."$cause"::jsonb, mesh.cause())
FROM (SELECT DISTINCT ON ("$value") * FROM unnest($1::${arrayType(columnOf(table, column))}, $5::text[]) AS "$of" ("$value", "$cause")) AS "$ids"
JOIN ${relationOf(table)} AS "$t" ON "$t".${name} = "$ids"."$value"${living.join("")}
ON CONFLICT (hook, table_name, row_key) DO UPDATE SET entity = excluded.entity, entity_id = excluded.entity_id,
  cause = excluded.cause, attempts = 0, last_error = NULL, next_at = excluded.next_at
WHERE (task.entity, task.entity_id) <> (excluded.entity, excluded.entity_id)`,
    values: [
      arrayLiteral(ids),
      entity,
      hook,
      table.name,
      arrayLiteral(ids.map((_, index) => causes?.[index] || null)),
    ],
  };
}
