import { DEFAULT } from "../database/columns.js";
import type { ColumnDefinition, ConditionDefinition } from "../definition/table-definition.js";
import { comparableText, isNullLike } from "../values/comparable.js";

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
    const { type } = column;
    const expected = new Set(values.map((value) => comparableText(type, value)));
    const isExpected = (cell: unknown) => cell !== null && expected.has(comparableText(type, String(cell)));
    return {
      index,
      holds: (cell) => (isNull === undefined ? isExpected(cell) : isNullLike(type, cell) === isNull),
      absent: absent === true,
    };
  });
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
