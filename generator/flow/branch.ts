import type { Part } from "./part.js";

/** How a part follows from the one above it. A closed set: `describe.ts` says each in words. */
export type How =
  /** A field shows the column, as it is, as it was before the update, or of the row that another column references. */
  | "shows"
  | "shows old"
  | "shows referenced"
  | "looks up"
  /** The column's value is the id of the entity. */
  | "names"
  /** By the field a message that is sent twice is known. */
  | "identifies"
  /** The column decides whether, or when, an event is told. */
  | "when"
  | "unless"
  | "of"
  | "at"
  | "soft delete"
  | "restored"
  | "checks"
  | "covers"
  | "references"
  /** A column of the table references it; `with` has the column, what becomes of its rows, and the events of a deletion. */
  | "refers to"
  | "serves"
  /** A resource that takes a private column, and shows it to nobody. */
  | "takes"
  /** The same seen from the service, with the table and whether it is written too. */
  | "offers"
  /** A copy, or a check of what is left, reads it where the owner lists its rows; of a copy also the list that it is filled from. */
  | "snapshot"
  | "holds id"
  | "found by"
  | "may read"
  /** A field fills a column of a copy, and may decide whether the copy has the row. */
  | "fills"
  | "fills and decides"
  | "carries"
  | "reads"
  | "reads all"
  | "may use"
  | "hears"
  /** The same seen from the service: an event that it hears. */
  | "is heard"
  /** The database that a service keeps its rows in, and what lies there. */
  | "keeps"
  | "holds"
  | "ignores"
  | "calls"
  /** The other way: what the service calls itself. */
  | "is called"
  | "publishes"
  /** A hook's own SQL writes rows of the table, or the other way round uses it; `with` has how. */
  | "writes rows"
  | "used by SQL"
  /** A hook's own SQL writes more than is known, or may. */
  | "may write"
  | "writes copy"
  | "removes copy"
  | "deletes rows"
  | "clears column"
  | "before"
  | "goes with"
  | "cleared with"
  | "refuses"
  | "emits"
  | "cancels"
  | "dead letter";

/** What follows from a part, and how. */
export interface Link {
  readonly how: How;
  readonly to: Part;
  /** Names that belong to it: the columns that are written, the fields that are read. */
  readonly with: readonly string[];
}

export interface Branch extends Link {
  readonly next: readonly Branch[];
  /** What follows stands elsewhere: further up, or it is what this follows from. */
  readonly told: "above" | "loop" | undefined;
}

/** A part with everything that follows from it. */
export interface Tree {
  readonly of: Part;
  /** Where it comes from. */
  readonly from: readonly Link[];
  readonly next: readonly Branch[];
}
