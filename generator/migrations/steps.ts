import type {
  Adoption,
  CheckSchema,
  ColumnSchema,
  ConstraintSchema,
  ForeignKeySchema,
  IndexSchema,
  SoftDeletionSchema,
  TableSchema,
  TimedSchema,
} from "./database-schema.js";
import type { Trigger, TriggerFunction } from "./trigger-definitions.js";

/** `existing`: of a table that exists, whose application may have dropped a column, and with it what stands on it. */
interface Drop<Kind extends string> {
  readonly kind: Kind;
  readonly table: string;
  readonly name: string;
  readonly existing?: true | undefined;
}

/** One statement of a migration. Up to `rename_*` tables and columns have their old names, from there on their new ones. */
export type Step =
  /**
   * Fails while rows of the table are pending deletion, which are noted by its name and key. It looks under the lock of what follows: the note
   * of a row is written in a transaction that has read the table.
   */
  | { readonly kind: "await_cascades"; readonly table: string; readonly reason: "key" | "end" }
  | Drop<"drop_trigger">
  | { readonly kind: "drop_foreign_key"; readonly table: string; readonly name: string }
  | Drop<"drop_constraint">
  | Drop<"drop_index">
  | { readonly kind: "drop_column"; readonly table: string; readonly column: string }
  | { readonly kind: "drop_table"; readonly table: string }
  | { readonly kind: "drop_function"; readonly name: string }
  | { readonly kind: "rename_table"; readonly from: string; readonly to: string }
  | { readonly kind: "rename_column"; readonly table: string; readonly from: string; readonly to: string }
  | { readonly kind: "rename_constraint"; readonly table: string; readonly from: string; readonly to: string }
  | { readonly kind: "rename_index"; readonly table: string; readonly from: string; readonly to: string }
  | { readonly kind: "drop_default"; readonly table: string; readonly column: string }
  | {
      readonly kind: "change_type";
      readonly table: string;
      readonly column: string;
      readonly from: string;
      readonly to: string;
    }
  | { readonly kind: "drop_not_null"; readonly table: string; readonly column: string }
  | { readonly kind: "create_schema"; readonly schema: string }
  /** Tells `mesh` of a table that is not where it makes tables, or was not made by it. */
  | { readonly kind: "note_place"; readonly table: TableSchema }
  | { readonly kind: "forget_place"; readonly table: TableSchema }
  /** Gives the rows that were there before their first version, without an event. */
  | { readonly kind: "adopt_rows"; readonly table: TableSchema; readonly adoption: Adoption }
  /** Moments that wait, under the keys that their rows will have: `from` and `to` are SQL over a row called `kept`. */
  | {
      readonly kind: "set_moments_aside";
      readonly table: string;
      readonly event: string;
      readonly from: string;
      readonly to: string;
    }
  /** Of rows whose moments were set aside, whether they have come or not. */
  | { readonly kind: "restore_moments"; readonly table: string; readonly timed: TimedSchema }
  /** Moments of rows that were there before, as far as they are to come. */
  | { readonly kind: "schedule_rows"; readonly table: string; readonly timed: TimedSchema }
  | { readonly kind: "forget_moments"; readonly event: string }
  | { readonly kind: "reroute_moments"; readonly event: string; readonly routine: string }
  /** Rows that were softly deleted by a column that means it no longer are new incarnations, without an event. */
  | {
      readonly kind: "revive_rows";
      readonly table: string;
      readonly deletion: SoftDeletionSchema & { readonly entity: string };
    }
  /** With its indexes; its foreign keys as far as what they reference exists by then. */
  | {
      readonly kind: "create_table";
      readonly table: TableSchema;
      readonly inline: readonly ForeignKeySchema[];
    }
  | { readonly kind: "add_column"; readonly table: string; readonly column: ColumnSchema }
  | { readonly kind: "drop_identity"; readonly table: string; readonly column: string }
  /** Counts on from the rows that are there. */
  | { readonly kind: "add_identity"; readonly table: string; readonly column: string }
  | { readonly kind: "set_default"; readonly table: string; readonly column: string; readonly value: string }
  | { readonly kind: "create_function"; readonly definition: TriggerFunction }
  | { readonly kind: "create_trigger"; readonly trigger: Trigger }
  | { readonly kind: "fill_nulls"; readonly table: string; readonly column: string; readonly value: string }
  | { readonly kind: "set_not_null"; readonly table: string; readonly column: string }
  | { readonly kind: "add_key"; readonly table: string; readonly constraint: ConstraintSchema }
  | { readonly kind: "add_unique"; readonly table: string; readonly constraint: ConstraintSchema }
  /** From now on; the rows that are there already are for `validate_check`, which writers need not wait for. */
  | { readonly kind: "add_check"; readonly table: string; readonly constraint: CheckSchema }
  | { readonly kind: "validate_check"; readonly table: string; readonly constraint: CheckSchema }
  | { readonly kind: "create_index"; readonly table: string; readonly index: IndexSchema }
  | { readonly kind: "add_foreign_key"; readonly table: string; readonly constraint: ForeignKeySchema };

/**
 * The order of a migration. What goes leaves first, so that its name is free; then what stays gets
 * its new name and shape; then what comes is made. Functions and triggers are in place before
 * rows are filled, so that the filling emits its events; foreign keys come last, when every key exists.
 */
const ORDER: readonly (readonly Step["kind"][])[] = [
  ["await_cascades"],
  ["drop_trigger"],
  ["set_moments_aside"],
  ["revive_rows"],
  ["drop_foreign_key"],
  ["drop_constraint", "drop_index"],
  ["drop_column"],
  ["drop_table"],
  ["drop_function"],
  ["rename_table"],
  ["rename_column"],
  ["rename_constraint", "rename_index"],
  ["drop_default", "drop_identity", "drop_not_null"],
  ["change_type"],
  ["set_default", "add_identity"],
  ["forget_place", "create_schema"],
  ["create_table", "note_place"],
  ["add_column"],
  ["forget_moments"],
  ["create_function", "create_trigger"],
  ["reroute_moments", "restore_moments"],
  ["fill_nulls"],
  ["set_not_null"],
  ["add_key", "add_unique", "add_check", "create_index"],
  ["add_foreign_key"],
  ["validate_check"],
  ["adopt_rows", "schedule_rows"],
];

/** Steps of one phase keep their order. */
export function orderSteps(steps: readonly Step[]): readonly Step[] {
  return ORDER.flatMap((kinds) => steps.filter((step) => kinds.includes(step.kind)));
}
