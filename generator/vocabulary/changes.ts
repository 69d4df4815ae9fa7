/** What an event says of its entity; `none` for a mere occurrence. */
export const changes = {
  create: { showsRow: true, order: 0 },
  update: { showsRow: true, order: 1 },
  delete: { showsRow: false, order: 3 },
  none: { showsRow: false, order: 2 },
} as const satisfies Readonly<Record<string, ChangeFacts>>;

interface ChangeFacts {
  /** The payload carries values of the entity's row. */
  readonly showsRow: boolean;
  /** Where such events stand among those of their entity. */
  readonly order: number;
}

export type Change = keyof typeof changes;
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
