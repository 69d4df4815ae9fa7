import { kindOf } from "@meshwright/runtime/column-types";
import type { Event, Table } from "../../../model/mesh.js";
import { identifier, literal } from "../sql-names.js";
import type { BodyView } from "./body.js";

/*
 * Parts that the statements of an emitting function have in common.
 */

/** `auth.user` */
export function entityOf(event: Event): string {
  return `${event.service}.${event.entity}`;
}

/** Of a message whose entity id is `version.entity_id`. */
export function subjectExpression(event: Event, table: Table): string {
  const key = table.columns.find(({ name }) => name === (event.emit?.id ?? table.key))?.type;
  const safe = key !== undefined && kindOf(key) !== "text";
  const token = safe ? "version.entity_id" : "mesh.token(version.entity_id)";
  return `${literal(`${entityOf(event)}.`)} || ${token} || ${literal(`.${event.action}`)}`;
}

/** A column of a row as text. */
export function columnText(table: Table, column: string, row: string): string {
  const type = table.columns.find(({ name }) => name === column)?.type;
  const text = type !== undefined && kindOf(type) === "text";
  return `${row}.${identifier(column)}${text ? "" : "::text"}`;
}

export function separated(body: BodyView): BodyView {
  return { template: body.template, values: fillLines(commaSeparated(body.values)) };
}

const LINE_WIDTH = 92;

/** As many on a line as fit it. */
function fillLines(items: readonly string[]): readonly string[] {
  const lines: string[] = [];
  for (const item of items) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + item.length < LINE_WIDTH)
      lines[lines.length - 1] = `${last} ${item}`;
    else lines.push(item);
  }
  return lines;
}

export function commaSeparated(items: readonly string[]): readonly string[] {
  return items.map((item, index) => (index < items.length - 1 ? `${item},` : item));
}
