import { type Change, changes } from "@meshwright/runtime/vocabulary";

/** In the order in which an editor offers them. */
export const changeNames = Object.keys(changes) as readonly Change[];

/** The changes of a row that an event can follow from, in the order in which a row goes through them. */
export const operations = ["insert", "update", "delete"] as const;
export type Operation = (typeof operations)[number];

/** What a change of a row says of the entity that the row is. */
export const changeOfOperation: Readonly<Record<Operation, Change>> = {
  insert: "create",
  update: "update",
  delete: "delete",
};

/** What an action says of its entity by its name alone. */
export const changeOfAction: ReadonlyMap<string, Change> = new Map([
  ["created", "create"],
  ["updated", "update"],
  ["deleted", "delete"],
]);
