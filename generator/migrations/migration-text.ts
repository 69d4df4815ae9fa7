import type { Mesh, Table } from "../model/mesh.js";
import type { TableSchema } from "./database-schema.js";
import type { Step } from "./steps.js";
import type { Triggers } from "./trigger-definitions.js";

/*
 * What the planner passes to the printer of SQL, and what it needs of it: the planner itself prints no SQL.
 */

/** A paragraph of a migration: what it is for, then its SQL. */
export interface Block {
  readonly comment: readonly string[];
  readonly text: string;
}

export interface MigrationText {
  readonly title: string;
  /** Lines for the runtime: what the file follows, and whether older releases run on. */
  readonly head: readonly string[];
  readonly sections: readonly Section[];
  /** Of all tables that the steps name, by name, where each is. */
  readonly places: ReadonlyMap<string, TableSchema["at"]>;
  /** The state that the file leads to, for the next run. */
  readonly model: readonly string[];
  /** For a database without rows: one stage, one transaction. */
  readonly fresh?: true;
}

/** By name, where each is. */
export function placesOf(tables: readonly TableSchema[]): MigrationText["places"] {
  return new Map(tables.map(({ name, at }) => [name, at]));
}

/** The steps of a file, or those of its databases that are on one branch. */
export interface Section {
  /** The branch's last file; undefined where there is no other. */
  readonly after: string | undefined;
  /** SQL that people wrote on other branches. */
  readonly byHand: readonly Block[];
  readonly steps: readonly Step[];
}

export interface SqlPrinter {
  /** Triggers and functions of a table, which are compared by name and text. */
  triggers(mesh: Mesh, table: Table): Triggers;
  print(migration: MigrationText): string;
}
