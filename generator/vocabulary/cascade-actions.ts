/** What a cascade rule may do to the rows that hold a deleted entity's id: its key in mesh.yaml, and what follows from it. */
export const cascadeActions = {
  set_null: { removesRows: false, needsNullable: true },
  delete: { removesRows: true, needsNullable: false },
} as const satisfies Readonly<
  Record<string, { readonly removesRows: boolean; readonly needsNullable: boolean }>
>;

export type CascadeAction = keyof typeof cascadeActions;
