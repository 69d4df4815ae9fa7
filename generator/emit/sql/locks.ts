import { keepsForm } from "../../migrations/casts.js";
import type { ForeignKeySchema, TableSchema } from "../../migrations/database-schema.js";
import { IDENTITY } from "../../migrations/sql-types.js";
import type { Step } from "../../migrations/steps.js";
import type { StageName } from "./print-stages.js";

/*
 * What PostgreSQL locks for a statement of a migration, and what it does to rows meanwhile. On a table with rows that is
 * whether traffic waits: for the blink of an entry in the catalogue, or for as long as rows are read or written.
 */

export type LockMode =
  | "ACCESS EXCLUSIVE"
  | "SHARE ROW EXCLUSIVE"
  | "SHARE UPDATE EXCLUSIVE"
  | "ROW EXCLUSIVE"
  /** Nothing that anybody waits for: a table of its own, or a function. */
  | "none";

export interface Lock {
  readonly mode: LockMode;
  readonly tables: readonly string[];
  /** `batches`: a thousand or so at a time, each committed. */
  readonly rows: "untouched" | "read" | "rewritten" | "batches";
}

/** Who waits for it on a table with rows. */
export function waitsFor({ mode, rows }: Lock): "nobody" | "a moment" | "writers" | "everybody" {
  if (mode === "none" || mode === "SHARE UPDATE EXCLUSIVE" || mode === "ROW EXCLUSIVE") return "nobody";
  if (rows === "untouched") return "a moment";
  return mode === "ACCESS EXCLUSIVE" ? "everybody" : "writers";
}

/** `before`: the tables as they are, whose references go with what is dropped. */
export function lockOf(step: Step, stage: StageName, before: readonly TableSchema[]): Lock {
  const brief = (...tables: readonly string[]): Lock => ({
    mode: "ACCESS EXCLUSIVE",
    tables,
    rows: "untouched",
  });
  const reading = (table: string): Lock => ({
    mode: "SHARE UPDATE EXCLUSIVE",
    tables: [table],
    rows: "read",
  });
  const writers = (rows: Lock["rows"], ...tables: readonly string[]): Lock => ({
    mode: "SHARE ROW EXCLUSIVE",
    tables,
    rows,
  });
  switch (step.kind) {
    case "create_function":
    case "drop_function":
    case "create_schema":
    case "note_place":
    case "forget_place":
    case "forget_moments":
    case "reroute_moments":
    case "restore_moments":
      return NOTHING;
    case "create_table": {
      const parents = step.inline.flatMap(({ table }) => (table === step.table.name ? [] : [table]));
      return parents.length === 0 ? NOTHING : writers("untouched", ...new Set(parents));
    }
    case "create_trigger":
      return writers("untouched", step.trigger.table);
    case "rename_table":
      return brief(step.from);
    case "rename_index":
      return { mode: "SHARE UPDATE EXCLUSIVE", tables: [step.table], rows: "untouched" };
    case "add_column":
      return { ...brief(step.table), rows: isComputed(step.column.default) ? "rewritten" : "untouched" };
    case "change_type":
      return { ...brief(step.table), rows: keepsForm(step) ? "untouched" : "rewritten" };
    case "add_key":
      return { ...brief(step.table), rows: "read" };
    case "set_not_null":
    case "add_unique":
      return stage === "build" ? reading(step.table) : brief(step.table);
    case "add_foreign_key":
      return stage === "prove"
        ? reading(step.table)
        : writers("untouched", step.table, step.constraint.table);
    case "validate_check":
    case "create_index":
      return reading(step.table);
    case "fill_nulls":
      return { mode: "ROW EXCLUSIVE", tables: [step.table], rows: "batches" };
    case "adopt_rows":
      return { mode: "ROW EXCLUSIVE", tables: [step.table.name], rows: "batches" };
    case "schedule_rows":
      return { mode: "ROW EXCLUSIVE", tables: [step.table], rows: "batches" };
    case "set_moments_aside":
    case "revive_rows":
      return writers("read", step.table);
    case "await_cascades":
    case "drop_trigger":
    case "drop_constraint":
    case "drop_index":
    case "rename_column":
    case "rename_constraint":
    case "drop_default":
    case "drop_not_null":
    case "drop_identity":
    case "set_default":
    case "add_check":
      return brief(step.table);
    case "drop_foreign_key":
      return brief(step.table, ...parentsOf(step.table, before, ({ name }) => name === step.name));
    case "drop_column":
      return brief(
        step.table,
        ...parentsOf(step.table, before, ({ columns }) => columns.includes(step.column)),
      );
    case "drop_table":
      return brief(step.table, ...parentsOf(step.table, before, () => true));
    case "add_identity":
      return { ...brief(step.table), rows: "read" };
    default:
      return step satisfies never;
  }
}

/** The tables whose triggers keep a reference: they are locked where it goes. */
function parentsOf(
  table: string,
  before: readonly TableSchema[],
  isMeant: (key: ForeignKeySchema) => boolean,
): readonly string[] {
  const keys = before.find(({ name }) => name === table)?.foreignKeys ?? [];
  const parents = keys.filter(isMeant).map((key) => key.table);
  return [...new Set(parents)].filter((name) => name !== table);
}

const NOTHING: Lock = { mode: "none", tables: [], rows: "untouched" };

/** A default that differs from row to row is written into each; any other is noted once. */
function isComputed(value: string | undefined): boolean {
  return (
    value === IDENTITY || value?.startsWith("gen_random_uuid") === true || value?.startsWith("mesh.") === true
  );
}
