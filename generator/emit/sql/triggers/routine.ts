import { identifier, literal } from "../sql-names.js";

/** A function of schema `mesh` that belongs to one table of the service. */
export interface Routine {
  /** With its schema: `mesh.emit_users_insert`. */
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
  readonly text: string;
}

/** What a table's rows set off. */
export interface Reactions {
  readonly routines: readonly Routine[];
  readonly triggers: readonly Trigger[];
}

/** What the text of every function says of itself. */
export interface RoutineView {
  /** With its schema, as SQL writes it. */
  readonly name: string;
  /** Quoted SQL strings: its bare name, its name and arguments, the only table that it works for. */
  readonly nameText: string;
  readonly callText: string;
  readonly tableText: string;
}

export function routineView(name: string, table: string): RoutineView {
  const qualified = `mesh.${identifier(name)}`;
  return {
    name: qualified,
    nameText: literal(name),
    callText: literal(`${qualified}()`),
    tableText: literal(table),
  };
}
