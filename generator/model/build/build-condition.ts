import { compareNames } from "../../collections/compare-names.js";
import type { ConditionNode } from "../../language/grammar/condition-grammar.js";
import type { Condition } from "../mesh.js";
import { required } from "./invariant.js";

export function buildCondition(node: ConditionNode | undefined): readonly Condition[] {
  return (node?.entries ?? [])
    .map(({ name, node: value }) => ({
      column: name.value,
      value: required(value, `the value of ${name.text}`).value,
    }))
    .sort((a, b) => compareNames(a.column, b.column));
}
