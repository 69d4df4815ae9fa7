import { rowLives } from "../../../migrations/row-sql.js";
import type { Event, Operation, Table } from "../../../model/mesh.js";

/**
 * A statement that writes rows, and what it means to the mesh for some of them. The two differ where a table deletes softly:
 * there an update may end a row, or bring it back.
 */
export interface Occasion {
  readonly statement: Operation;
  readonly means: Operation;
}

/** In the order in which their events are written. */
const MEANINGS_OF_UPDATE: readonly Operation[] = ["update", "delete", "insert"];

export function occasionsOf(table: Table, statement: Operation): readonly Occasion[] {
  const means = statement === "update" && table.softDelete !== undefined ? MEANINGS_OF_UPDATE : [statement];
  return means.map((meaning) => ({ statement, means: meaning }));
}

/** The events that rows of such a statement may mean. */
export function eventsOf(events: readonly Event[], { means }: Occasion): readonly Event[] {
  return events.filter((event) => event.emit?.on.includes(means));
}

/** SQL: which rows of the statement have this meaning; empty: all. */
export function occasionTerms(table: Table, { statement, means }: Occasion): readonly string[] {
  const lives = (row: string) => rowLives(table, row);
  switch (statement) {
    case "insert":
      return lives("added");
    case "delete":
      return lives("removed");
    case "update": {
      const [before, after] = [lives("before"), lives("after")];
      const not = (terms: readonly string[]) => terms.map((term) => `NOT (${term})`);
      if (means === "insert") return [...not(before), ...after];
      return means === "delete" ? [...before, ...not(after)] : [...before, ...after];
    }
    default:
      return statement satisfies never;
  }
}
