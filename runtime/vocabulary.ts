/*
 * Closed sets of words that mesh.yaml, the compiler and the runtime share, with the facts about each. It imports nothing, so that
 * a compiler may read it. After a new word TypeScript names each place that must know it.
 */

/** What a cascade rule may do to the rows that hold a deleted entity's id: its key in mesh.yaml, and what follows from it. */
export const cascadeActions = {
  set_null: { removesRows: false, needsNullable: true },
  delete: { removesRows: true, needsNullable: false },
} as const satisfies Readonly<
  Record<string, { readonly removesRows: boolean; readonly needsNullable: boolean }>
>;

/** A key of `cascadeActions`. */
export type CascadeAction = keyof typeof cascadeActions;

interface ChangeFacts {
  /** The payload carries values of the entity's row. */
  readonly showsRow: boolean;
  /** Where such events stand among those of their entity, in documents and generated code. */
  readonly order: number;
}

/** What an event says of its entity; `none` for a mere occurrence. */
export const changes = {
  create: { showsRow: true, order: 0 },
  update: { showsRow: true, order: 1 },
  delete: { showsRow: false, order: 3 },
  none: { showsRow: false, order: 2 },
} as const satisfies Readonly<Record<string, ChangeFacts>>;

/** A key of `changes`. */
export type Change = keyof typeof changes;

/** What happens to a row when the row that it references goes, and the words of SQL for it. */
export const referenceActions = {
  cascade: "CASCADE",
  set_null: "SET NULL",
  restrict: "RESTRICT",
} as const;

/** A key of `referenceActions`. */
export type ReferenceAction = keyof typeof referenceActions;

/** In the order in which an editor offers them. */
export const referenceActionNames = Object.keys(referenceActions) as readonly ReferenceAction[];
