import type { CascadeAction } from "@meshwright/runtime/vocabulary";
import { type Key, key, mapping, requiredKey, type TextShape } from "../shape.js";
import { type ColumnName, columnReference, eventReference, hookName, serviceName } from "../words.js";

const actions = {
  set_null: key("`table.column` that is set to null where it holds the entity's id.", columnReference),
  delete: key("`table.column`: rows that hold the entity's id there are deleted.", columnReference),
} satisfies Readonly<Record<CascadeAction, Key<TextShape<ColumnName>>>>;

export const cascadeShape = mapping("a cascade rule", {
  on: requiredKey("The deletion that sets it off: a subject without its id.", eventReference),
  service: requiredKey("The service whose rows are concerned; it subscribes to the entity.", serviceName),
  ...actions,
  before: key("Hook that is called for each row before it is deleted; its failure keeps the row.", hookName),
});
