import { type CascadeAction, cascadeActions } from "@meshwright/runtime/vocabulary";
import type { CascadeNode } from "./grammar.js";
import type { TextNode } from "./node.js";
import type { ColumnName } from "./words.js";

export interface CascadeTarget {
  readonly action: CascadeAction;
  /** The column that holds the entity's id. */
  readonly column: TextNode<ColumnName>;
}

const actions = Object.keys(cascadeActions) as readonly CascadeAction[];

/** The actions that a rule names, misread ones included: exactly one, in a valid mesh. */
export function actionsOf({ keySpans }: CascadeNode): readonly CascadeAction[] {
  return actions.filter((action) => keySpans[action] !== undefined);
}

/** What a rule does, and to which column; undefined where it says nothing of either. Of several actions the first counts. */
export function targetOf({ get }: CascadeNode): CascadeTarget | undefined {
  for (const action of actions) {
    const column = get[action];
    if (column !== undefined) return { action, column };
  }
  return undefined;
}
