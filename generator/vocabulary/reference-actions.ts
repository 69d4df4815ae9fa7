/** What happens to a row when the row that it refers to goes, and the words of SQL for it. */
export const referenceActions = {
  cascade: "CASCADE",
  set_null: "SET NULL",
  restrict: "RESTRICT",
} as const;
export type ReferenceAction = keyof typeof referenceActions;
export const referenceActionNames = Object.keys(referenceActions) as readonly ReferenceAction[];
