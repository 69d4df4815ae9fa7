import { DEFAULT } from "../database/columns.js";
import type { ColumnDefinition, ConditionDefinition } from "../definition.js";
import { kindOf, withoutTrailingZeros } from "../values/column-types.js";

/*
 * Which entities have a row in a partial copy (`where` in mesh.yaml). The guard keeps the state of all entities, so that an entity
 * that left is not brought back by an older event. A row that leaves is removed from the copy alone: its entity lives on, and nothing
 * that names it changes.
 */

/** `unknown`: the condition holds as far as the event tells, and it does not tell all of it. */
export type Membership = "inside" | "outside" | "unknown";

/** One column's part of the condition. */
export interface Condition {
  /** Of the column, among the cells. */
  readonly index: number;
  readonly holds: (cell: unknown) => boolean;
  /** Whether a field that is left out meets it, by the column's default or null. */
  readonly absent: boolean;
}

export function buildConditions(
  columns: readonly ColumnDefinition[],
  where: readonly ConditionDefinition[],
): readonly Condition[] {
  return where.map(({ column: name, values = [], isNull, absent }) => {
    const index = columns.findIndex((column) => column.name === name);
    const column = columns[index];
    if (column === undefined) throw new Error(`a copy cannot be partial by ${name}, which it lacks`);
    const comparable = (cell: unknown) => comparableText(column, cell);
    const expected = new Set(values.map((value) => comparable(value)));
    return {
      index,
      holds: (cell) => (isNull === undefined ? expected.has(comparable(cell)) : (cell === null) === isNull),
      absent: absent === true,
    };
  });
}

/** One text for each value, whatever its spelling: wide numbers are texts, 1.50 is 1.5, and a uuid may be written in capitals. */
function comparableText({ type }: ColumnDefinition, cell: unknown): string | null {
  if (cell === null) return null;
  const kind = kindOf(type);
  switch (kind) {
    case "uuid":
      return String(cell).toLowerCase();
    case "number":
      // Negative zero is a text here, and equals zero.
      return String(Number(cell) + 0);
    case "decimal":
      return comparableDecimal(String(cell));
    case "text":
    case "whole number":
    case "boolean":
    case "moment":
    case "day":
    case "bytes":
    case "document":
    case "list":
      return String(cell);
    default:
      return kind satisfies never;
  }
}

/** 1.50 is 1.5, and -0.0 is 0. */
function comparableDecimal(text: string): string {
  const short = text.includes(".") ? withoutTrailingZeros(text).replace(/\.$/, "") : text;
  return short === "-0" ? "0" : short;
}

/** A cache; of one that is not partial, without conditions. */
interface Conditional {
  readonly conditions: readonly Condition[];
}

export function membershipOf({ conditions }: Conditional, cells: readonly unknown[]): Membership {
  let membership: Membership = "inside";
  for (const { index, holds, absent } of conditions) {
    const cell = cells[index];
    if (cell === undefined) membership = "unknown";
    else if (cell === DEFAULT ? !absent : !holds(cell)) return "outside";
  }
  return membership;
}
