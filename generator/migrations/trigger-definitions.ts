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
  /** The function of `mesh` that makes it, up to the last arguments: `mesh.attach('users', 'mesh.on_users()'`. */
  readonly call: string;
  /** The last arguments: triggers of one call are made together. */
  readonly arguments: string;
  /** What it is for, where its name does not say: its comment in the catalogue. No part of what is compared. */
  readonly reason?: string;
}

/** What tells a trigger from the one before it. */
export function triggerText({ call, arguments: last }: Trigger): string {
  return `${call}, ${last})`;
}

/** What writes to a table set off. */
export interface Triggers {
  readonly functions: readonly TriggerFunction[];
  readonly triggers: readonly Trigger[];
}
