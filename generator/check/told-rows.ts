import { kindOf } from "@meshwright/runtime/column-types";
import { groupBy } from "../collections/group-by.js";
import type { ColumnConditionNode, ConditionNode } from "../language/grammar.js";
import type { ScalarNode } from "../language/node.js";
import type { ColumnSymbol, EventSymbol, TableSymbol } from "../language/symbols.js";

/*
 * Of which rows the events of an entity tell, where they ask for a condition (`when`).
 */

interface Condition {
  readonly column: string;
  readonly asked: ColumnConditionNode;
}

/** What the rows hold that somebody is interested in, by column; empty: any row. */
export type Kept = ReadonlyMap<string, ColumnConditionNode>;

/** Whether some event tells of each such row: one whose condition it always meets, or one for each value that a column can take. */
export function tellAll(
  events: readonly EventSymbol[],
  { source, kept }: { readonly source: TableSymbol | undefined; readonly kept: Kept },
): boolean {
  const open = events.map((event) => conditionsOf(event).filter((condition) => !isMet(condition, kept)));
  if (open.some((conditions) => conditions.length === 0)) return true;
  const alone = open.flatMap(([only, ...others]) => (only === undefined || others.length > 0 ? [] : [only]));
  return [...groupBy(alone, ({ column }) => column)].some(([name, conditions]) => {
    const column = source?.columns.get(name);
    const [asked, isNull] = [conditions.map((each) => each.asked), conditions.map(nullOf)];
    if (isNull.includes(false) && (column?.nullable === false || isNull.includes(true))) return true;
    return column !== undefined && takeAll(column, asked, isNull.includes(true));
  });
}

/** Whether each new value of the column is told by one of the updates. Without `of` an event is told on becoming so: of one of a list as another nothing is. */
export function tellEachValue(
  updates: readonly EventSymbol[],
  name: string,
  tells: Parameters<typeof tellAll>[1],
) {
  const column = tells.source?.columns.get(name);
  const open = updates.flatMap((event) => {
    const of = event.node?.get.emit?.get.of?.items.map(({ value }) => value) ?? [];
    if (of.length > 0 && !of.includes(name)) return [];
    const conditions = conditionsOf(event);
    return [
      {
        isOnBecoming: of.length === 0,
        conditions: of.length === 0 ? conditions : conditions.filter((each) => !isMet(each, tells.kept)),
      },
    ];
  });
  if (open.some(({ conditions }) => conditions.length === 0)) return true;
  const alone = open.flatMap(({ isOnBecoming, conditions: [only, ...others] }) => {
    if (only?.column !== name || others.length > 0) return [];
    return isOnBecoming && valuesOf(only.asked).length > 1 ? [] : [only];
  });
  return (
    column !== undefined &&
    takeAll(
      column,
      alone.map(({ asked }) => asked),
      alone.map(nullOf).includes(true),
    )
  );
}

export function conditionEntries(node: ConditionNode | undefined): readonly Condition[] {
  return (node?.entries ?? []).flatMap(({ name, node: asked }) =>
    asked === undefined ? [] : [{ column: name.value, asked }],
  );
}

function conditionsOf({ node }: EventSymbol): readonly Condition[] {
  return conditionEntries(node?.get.emit?.get.when);
}

/** Whether every row that is kept meets it. */
function isMet(condition: Condition, kept: Kept): boolean {
  const held = kept.get(condition.column);
  if (held === undefined) return false;
  const isNull = nullOf(condition);
  if (held.kind === "mapping") return isNull !== undefined && held.get.null?.value === isNull;
  if (isNull !== undefined) return !isNull;
  const values = new Set(valuesOf(condition.asked).map(({ text }) => text));
  return valuesOf(held).every(({ text }) => values.has(text));
}

function takeAll(column: ColumnSymbol, asked: readonly ColumnConditionNode[], isNullTold: boolean): boolean {
  if (column.nullable && !isNullTold) return false;
  const taken = new Set(asked.flatMap(valuesOf).map(({ text }) => text));
  const isBoolean = column.type !== undefined && kindOf(column.type) === "boolean";
  const values = isBoolean
    ? ["true", "false"]
    : (column.node?.get.one_of?.items ?? []).map(({ text }) => text);
  return values.length > 0 && values.every((value) => taken.has(value));
}

function nullOf({ asked }: Condition): boolean | undefined {
  return asked.kind === "mapping" ? asked.get.null?.value : undefined;
}

function valuesOf(condition: ColumnConditionNode): readonly ScalarNode[] {
  if (condition.kind === "mapping") return [];
  return condition.kind === "list" ? condition.items : [condition];
}
