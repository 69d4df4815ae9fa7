import type { NodeOf } from "../node.js";
import { dictionary, either, flag, list, mapping, requiredKey, scalar } from "../shape.js";
import { columnName } from "../words.js";

/** What a column holds: one value, one of several, or whether it holds any. */
const columnConditionShape = either(
  scalar,
  either(
    list(scalar, 1),
    mapping("a condition", {
      null: requiredKey(
        "Whether the column is null, which the null of JSON is too: `{ null: false }` is any value.",
        flag,
      ),
    }),
  ),
);

/** What columns of a row have to hold: `when` of an event, `where` of a copy. */
export const conditionShape = dictionary(columnName, columnConditionShape, 1);

export type ColumnConditionNode = NodeOf<typeof columnConditionShape>;
export type ConditionNode = NodeOf<typeof conditionShape>;
