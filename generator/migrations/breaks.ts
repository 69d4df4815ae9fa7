import { keepsForm } from "./casts.js";
import type { DatabaseSchema } from "./database-schema.js";
import type { PlaceInDatabase } from "./refusal.js";
import type { Step } from "./steps.js";

interface Change {
  readonly steps: readonly Step[];
  readonly next: DatabaseSchema;
  /** Where rows that were fine before would no longer be. */
  readonly restricted: readonly PlaceInDatabase[];
}

/**
 * Why releases that were made before these steps cannot run on the database after them. Empty: they can, beside
 * newer replicas and after a roll back, since all that they read and write is as they know it.
 */
export function findBreaks({ steps, next, restricted }: Change): readonly string[] {
  const reasons = steps.flatMap((step) => reasonOf(step, next) ?? []);
  const columns = restricted.map(({ table, column }) =>
    column === undefined ? `${table} takes fewer rows` : `${table}.${column} takes fewer values`,
  );
  return [...new Set([...reasons, ...columns])];
}

function reasonOf(step: Step, next: DatabaseSchema): string | undefined {
  switch (step.kind) {
    case "drop_table":
      return `${step.table} is dropped`;
    case "drop_column":
      return `${step.table}.${step.column} is dropped`;
    case "rename_table":
      return `${step.from} is called ${step.to}`;
    case "rename_column":
      return `${step.table}.${step.from} is called ${step.to}`;
    case "change_type":
      if (keepsForm(step)) return undefined;
      return `${step.table}.${step.column} is ${step.to}, no longer ${step.from}`;
    case "set_not_null":
      return `${step.table}.${step.column} takes no NULL`;
    case "add_key":
      return `${step.table} has the key ${step.constraint.columns.join(", ")}`;
    case "add_column":
      return step.column.nullable || step.column.default !== undefined
        ? undefined
        : `${step.table}.${step.column.name} must be given`;
    case "drop_default":
    case "drop_identity": {
      const column = next.tables
        .find(({ name }) => name === step.table)
        ?.columns.find(({ name }) => name === step.column);
      return column === undefined || column.nullable || column.default !== undefined
        ? undefined
        : `${step.table}.${step.column} must be given`;
    }
    case "drop_trigger":
    case "drop_foreign_key":
    case "drop_constraint":
    case "drop_index":
    case "drop_function":
    case "rename_constraint":
    case "rename_index":
    case "create_schema":
    case "note_place":
    case "forget_place":
    case "await_cascades":
    case "revive_rows":
    case "adopt_rows":
    case "schedule_rows":
    case "set_moments_aside":
    case "restore_moments":
    case "forget_moments":
    case "reroute_moments":
    case "drop_not_null":
    case "create_table":
    case "set_default":
    case "add_identity":
    case "create_function":
    case "create_trigger":
    case "fill_nulls":
    case "add_unique":
    case "add_check":
    case "validate_check":
    case "create_index":
    case "add_foreign_key":
      return undefined;
    default:
      return step satisfies never;
  }
}
