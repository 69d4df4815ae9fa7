import type { NodeOf } from "../node.js";
import { dictionary, scalar } from "../shape.js";
import { columnName } from "../words.js";

/** Values that columns of a row have to hold: `where` of a copy. */
export const conditionShape = dictionary(columnName, scalar);

export type ConditionNode = NodeOf<typeof conditionShape>;
