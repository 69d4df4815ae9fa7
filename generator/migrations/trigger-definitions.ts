/** A function of schema `mesh` that belongs to one table of the service. */
export interface TriggerFunction {
  /** With its schema: `mesh.on_users`. */
  readonly name: string;
  readonly table: string;
  /** One sentence for the reader of the migration. */
  readonly comment: string;
  readonly text: string;
}

export interface Trigger {
  readonly name: string;
  readonly table: string;
  /** Columns that its definition names: their type cannot be changed under it. */
  readonly columns: readonly string[];
  /** Of a table that exists, and so has rows. */
  readonly existing: true | undefined;
  readonly text: string;
}

/** What writes to a table set off. */
export interface Triggers {
  readonly functions: readonly TriggerFunction[];
  readonly triggers: readonly Trigger[];
}
