import { compareNames } from "../../collections/compare-names.js";
import type { ConditionNode } from "../../language/grammar/condition-grammar.js";
import type { ColumnConditionNode } from "../../language/grammar.js";
import type { Condition } from "../mesh.js";
import { required } from "./invariant.js";

export function buildCondition(node: ConditionNode | undefined): readonly Condition[] {
  return (node?.entries ?? [])
    .map(({ name, node: condition }) =>
      buildColumnCondition(name.value, required(condition, `the value of ${name.text}`)),
    )
    .sort((a, b) => compareNames(a.column, b.column));
}

function buildColumnCondition(column: string, node: ColumnConditionNode): Condition {
  switch (node.kind) {
    case "scalar":
      return { column, values: [node.value], isNull: undefined };
    case "list":
      return { column, values: node.items.map(({ value }) => value), isNull: undefined };
    case "mapping":
      return { column, values: [], isNull: required(node.get.null, `null of ${column}`).value };
    default:
      return node satisfies never;
  }
}
