/** What an event says of its entity; `none` for a mere occurrence. */
export const changes = ["create", "update", "delete", "none"] as const;
export type Change = (typeof changes)[number];

/** The changes of a row that an event can follow from, in the order of a row's life. */
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
