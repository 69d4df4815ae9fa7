import type { PrintedTransition, Statement } from "../emit/sql/emit-transitions.js";
import type { TableSchema } from "../migrations/database-schema.js";
import type { Step } from "../migrations/steps.js";
import type { Change, ChangeKind } from "./change.js";

/*
 * Which of the statements that run belong to which change. The rest follows from several, or from none in particular.
 */

interface Given {
  readonly changes: readonly Change[];
  readonly rest: readonly { readonly database: string; readonly statements: readonly Statement[] }[];
}

export function giveStatements(changes: readonly Change[], transitions: readonly PrintedTransition[]): Given {
  const given = new Map<Change, Statement[]>(changes.map((change) => [change, []]));
  const rest = transitions.map((transition) => ({
    database: transition.database,
    statements: transition.statements.filter((statement) => {
      const owner = changes.find((change) => isOf(statement, change, transition));
      if (owner !== undefined) given.get(owner)?.push(statement);
      return owner === undefined;
    }),
  }));
  return {
    changes: changes.map((change) => ({ ...change, statements: given.get(change) ?? [] })),
    rest: rest.filter(({ statements }) => statements.length > 0),
  };
}

const RETYPING: readonly Step["kind"][] = ["change_type", "drop_default", "set_default"];
const CHECKING: readonly Step["kind"][] = ["drop_constraint", "add_check", "validate_check"];
const STEPS: Partial<Record<ChangeKind, readonly Step["kind"][]>> = {
  "table-added": ["create_table", "note_place", "create_schema", "adopt_rows", "add_foreign_key"],
  "copy-added": ["create_table", "note_place", "create_schema"],
  "table-dropped": ["drop_table", "drop_foreign_key", "forget_place", "forget_moments"],
  "table-renamed": ["rename_table"],
  "column-added": ["add_column"],
  "column-required": ["add_column", "fill_nulls", "set_not_null", "drop_default", "drop_identity"],
  "column-dropped": ["drop_column"],
  "column-renamed": ["rename_column"],
  "column-lengthened": RETYPING,
  "column-widened": RETYPING,
  "column-narrowed": RETYPING,
  "column-nullable": ["drop_not_null"],
  "column-nullable-shown": ["drop_not_null"],
  "default-changed": ["drop_default", "set_default", "add_identity", "drop_identity"],
  "key-changed": ["drop_constraint", "add_key", "await_cascades"],
  "unique-added": ["add_unique"],
  "unique-removed": ["drop_constraint"],
  "index-added": ["create_index"],
  "index-removed": ["drop_index"],
  "reference-added": ["add_foreign_key", "drop_foreign_key", "create_index"],
  "reference-removed": ["drop_foreign_key", "add_foreign_key", "drop_index"],
  "reference-deletes": ["drop_foreign_key", "add_foreign_key"],
  "reference-restricts": ["drop_foreign_key", "add_foreign_key"],
  "values-narrowed": CHECKING,
  "values-widened": CHECKING,
  "check-added": CHECKING,
  "field-required": CHECKING,
  "field-demanded": CHECKING,
  "field-narrowed": CHECKING,
  "field-retyped": CHECKING,
  "check-removed": ["drop_constraint"],
  "cascade-added": ["create_index"],
  "cascade-removed": ["drop_index"],
  "soft-deletion-removed": ["revive_rows"],
};

function isOf({ step }: Statement, { kind, rows }: Change, transition: PrintedTransition): boolean {
  if (rows?.database !== transition.database || STEPS[kind]?.includes(step.kind) !== true) return false;
  const subject = subjectOf(step, transition);
  if (subject.table === undefined) return kind === "table-added";
  if (step.kind === "drop_constraint" && (subject.isKey === true) !== (kind === "key-changed")) return false;
  if (!rows.tables.includes(subject.table)) return false;
  if (rows.columns === undefined || subject.columns === undefined) return true;
  // A rename is found by either name, a set of columns as a whole.
  return subject.columns.every((column) => rows.columns?.includes(column));
}

interface Subject {
  readonly table: string | undefined;
  readonly columns?: readonly string[];
  /** It is the table's key. */
  readonly isKey?: boolean;
}

function subjectOf(step: Step, { before, next }: PrintedTransition): Subject {
  switch (step.kind) {
    case "create_schema":
    case "create_function":
    case "drop_function":
    case "forget_moments":
    case "reroute_moments":
      return { table: undefined };
    case "create_trigger":
      return { table: step.trigger.table };
    case "rename_table":
      return { table: step.to };
    case "create_table":
    case "note_place":
    case "forget_place":
    case "adopt_rows":
      return { table: step.table.name };
    case "add_column":
      return { table: step.table, columns: [step.column.name] };
    case "rename_column":
      return { table: step.table, columns: [step.from, step.to] };
    case "add_key":
    case "add_unique":
    case "add_check":
    case "validate_check":
    case "add_foreign_key":
      return { table: step.table, columns: step.constraint.columns };
    case "create_index":
      return { table: step.table, columns: step.index.columns };
    case "drop_constraint":
    case "drop_foreign_key":
    case "drop_index": {
      const table = before.find(({ name }) => name === step.table);
      const columns = columnsOf(step.name, table);
      const isKey = table?.key.name === step.name;
      return { table: step.table, isKey, ...(columns !== undefined && { columns }) };
    }
    case "rename_constraint":
    case "rename_index": {
      const columns = columnsOf(
        step.to,
        next.find(({ name }) => name === step.table),
      );
      return { table: step.table, ...(columns !== undefined && { columns }) };
    }
    case "drop_column":
    case "drop_default":
    case "change_type":
    case "drop_not_null":
    case "drop_identity":
    case "add_identity":
    case "set_default":
    case "fill_nulls":
    case "set_not_null":
      return { table: step.table, columns: [step.column] };
    case "await_cascades":
    case "drop_trigger":
    case "drop_table":
    case "set_moments_aside":
    case "restore_moments":
    case "schedule_rows":
    case "revive_rows":
      return { table: step.table };
    default:
      return step satisfies never;
  }
}

/** Of the constraint or index of that name. */
function columnsOf(name: string, table: TableSchema | undefined): readonly string[] | undefined {
  if (table === undefined) return undefined;
  const { key, uniques, checks, foreignKeys, indexes } = table;
  return [key, ...uniques, ...checks, ...foreignKeys, ...indexes].find((item) => item.name === name)?.columns;
}
