import type { Event, Table } from "../../../model/mesh.js";
import { identifier, literal } from "../sql-names.js";
import { bodyView, payloadColumns } from "./body.js";
import { condition, type Operation, rowSource } from "./condition.js";
import { columnText, entityOf, separated, subjectExpression } from "./parts.js";

/**
 * An event of rows that name its entity in a column of theirs (`id:`) and are something else: a like that is told of
 * its comment. It tells the entity that the row names now, and on a deletion the one that it named; a row that
 * names none tells nothing, and none of them begins a life of its entity.
 */
export interface NamedView {
  readonly entity: string;
  /** The entity's id as text, and the row's key, which orders the events of one statement. */
  readonly id: string;
  readonly key: string;
  readonly columns: readonly string[];
  readonly from: string;
  readonly where: string;
  readonly subject: string;
  readonly body: { readonly template: string; readonly values: readonly string[] };
}

export function namedView(event: Event, table: Table, operation: Operation): NamedView {
  const { row, from } = rowSource(table, operation);
  const column = event.emit?.id ?? table.key;
  const named = `${row}.${identifier(column)} IS NOT NULL`;
  const meant = condition(event, table, operation);
  const shown = new Set(payloadColumns(event, table).map(({ name }) => name));
  return {
    entity: literal(entityOf(event)),
    id: columnText(table, column, row),
    key: `${row}.${identifier(table.key)}`,
    columns: [...shown].map((name) => `${row}.${identifier(name)}`),
    from,
    where: meant === undefined ? named : `${named} AND (${meant})`,
    subject: subjectExpression(event, table),
    body: separated(
      bodyView(event, table, "told", {
        eventId: 'told."event id"',
        entityId: "version.entity_id",
        version: '(version.version + told."steps back")',
      }),
    ),
  };
}
