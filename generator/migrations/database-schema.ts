import type { Place } from "../model/mesh.js";
import type { Triggers } from "./trigger-definitions.js";

/*
 * The model as PostgreSQL's catalogs will hold it: every object with its final name. Two of these are
 * compared to find the steps of a migration.
 */

/** A database's tables and what their rows set off. */
export interface DatabaseState {
  readonly schema: DatabaseSchema;
  readonly triggers: Triggers;
}

export interface DatabaseSchema {
  readonly tables: readonly TableSchema[];
}

export interface TableSchema {
  readonly name: string;
  readonly at: Place | undefined;
  /** Of a table that exists only what is ours of it: of its columns, keys and references migrations know nothing. */
  readonly existing: true | undefined;
  /** The entity of its rows, whose versions begin with the migration that adopts it. */
  readonly adopts: Adoption | undefined;
  readonly renamedFrom: string | undefined;
  readonly description: string | undefined;
  readonly columns: readonly ColumnSchema[];
  readonly key: ConstraintSchema;
  readonly uniques: readonly ConstraintSchema[];
  readonly checks: readonly CheckSchema[];
  readonly foreignKeys: readonly ForeignKeySchema[];
  readonly indexes: readonly IndexSchema[];
  /** Events that its rows mean at a time. */
  readonly timed: readonly TimedSchema[];
  readonly softDeletion: SoftDeletionSchema | undefined;
}

export interface SoftDeletionSchema {
  readonly column: string;
  /** Of its rows: `shop.order`; undefined where no event tells of them. */
  readonly entity: string | undefined;
  /** As SQL over a row called `kept`: the id of its entity. */
  readonly id: string;
  /** As SQL over a row called `kept`: whether it is not deleted. */
  readonly living: string;
}

/** Whose moments its triggers keep; those of rows that were there before are for the migration that brings the event. */
export interface TimedSchema {
  /** `library.reservation.expired` */
  readonly event: string;
  readonly column: string;
  /** The function of schema mesh that writes the events. */
  readonly routine: string;
  /** As SQL over a row called `kept`. */
  readonly key: string;
  readonly due: string;
  /** Which rows are no softly deleted ones; undefined: all. */
  readonly living: string | undefined;
}

export interface Adoption {
  /** `shop.order` */
  readonly entity: string;
  /** Snapshots send the first version of each row's incarnation, so that subscribers run their creation hooks. */
  readonly sendsFirstVersion: boolean;
  /** As SQL over a row called `kept`: which rows are no softly deleted ones; undefined: all. */
  readonly living: string | undefined;
}

export interface ColumnSchema {
  readonly name: string;
  readonly renamedFrom: string | undefined;
  readonly type: string;
  readonly nullable: boolean;
  /** As SQL. */
  readonly default: string | undefined;
}

export interface ConstraintSchema {
  readonly name: string;
  readonly columns: readonly string[];
}

/** What one column may hold. */
export interface CheckSchema extends ConstraintSchema {
  /** As SQL over the column, quoted. */
  readonly condition: (column: string) => string;
  /** Of a `one_of`; undefined where the condition follows from the events that carry the column. */
  readonly values: readonly string[] | undefined;
  /** What it is for, where that cannot be read in mesh.yaml: its comment in the catalogue. No part of what is compared. */
  readonly reason?: string;
}

export interface ForeignKeySchema extends ConstraintSchema {
  readonly table: string;
  readonly target: string;
  readonly onDelete: "CASCADE" | "SET NULL" | "RESTRICT";
}

export interface IndexSchema extends ConstraintSchema {
  /** Why there is an index that mesh.yaml does not ask for. */
  readonly reason: string | undefined;
}
