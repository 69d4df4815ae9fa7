import type { ColumnType, Emit, Event, FieldType } from "../model/mesh.js";

/** The closed sets of words, as the model has them. */
export type Change = Event["change"];
export type Operation = Emit["on"][number];
export type { ColumnType, FieldType };

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
