import { DatabaseError } from "pg";
import type { TableDefinition } from "../definition.js";
import { isUnavailable } from "../repository/failure.js";
import { InvalidRow } from "../repository/invalid-row.js";
import { UnfitValue } from "../values/values.js";
import { invalidBody } from "./body.js";
import { Problem, type ProblemPart, unavailable } from "./problem.js";

/** Where the values came from that PostgreSQL did not like: 422 for a body, 400 for a path or query. */
export type ValueSource = "body" | "target";

/** What PostgreSQL's refusal means to the one who asked; undefined when it is nobody's fault but ours. */
export function refusalOf(error: unknown, source: ValueSource, table?: TableDefinition): Problem | undefined {
  if (isUnavailable(error)) return unavailable("The database is out of reach; try again.", 2, error);
  if (error instanceof InvalidRow) return invalidBody(error.errors, error);
  if (error instanceof UnfitValue) return unfit(error);
  if (!(error instanceof DatabaseError)) return undefined;
  const code = error.code ?? "";
  switch (code) {
    case "23505": // unique_violation
    case "23P01": // exclusion_violation
      return clash(error);
    case "23503": // foreign_key_violation, also raised for a reference to an entity whose deletion was applied
      return brokenReference(error);
    case "23502": // not_null_violation
      return invalid(error, `${error.column ?? "a column"} must have a value`);
    case "23514": // check_violation
      return invalid(
        error,
        `the row breaks the rule ${error.constraint ?? ""} of ${error.table ?? "its table"}`,
        checkedColumn(error, table),
      );
    case "54001": // statement_too_complex: JSON nested deeper than the server's stack
      return invalid(error, error.message);
    case "54000": // program_limit_exceeded: an event that the broker would not take, an id too long for a subject
      return new Problem("large", sentence(error), { cause: error });
    case "0A000": // feature_not_supported: the key of a row that has events cannot change
      return invalid(error, error.message);
    case "42P01": // undefined_table
    case "3F000": // invalid_schema_name
      return unavailable("The database is not migrated yet.", 5, error);
  }
  // 22: data exceptions: no number, out of range, a NUL in a text, an impossible date.
  if (!code.startsWith("22")) return undefined;
  if (source === "target") return new Problem("malformed", `${error.message}.`, { cause: error });
  return invalid(error, error.message);
}

/** `Key (namespace_id, path)=(n1, /a) already exists.` A quoted name may hold anything but the end of the list. */
function keyColumns(error: DatabaseError): readonly string[] {
  const list = /^Key \((.+?)\)=\(/.exec(error.detail ?? "")?.[1];
  return list?.split(", ").map((name) => name.replace(/^"(.*)"$/, "$1")) ?? [];
}

function clash(error: DatabaseError): Problem {
  const columns = keyColumns(error);
  const names = columns.length === 0 ? (error.constraint ?? "a unique value") : columns.join(", ");
  const detail =
    columns.length > 1
      ? `Another row of ${error.table} has these values of ${names} together.`
      : `Another row of ${error.table} has this value of ${names}.`;
  return new Problem("taken", detail, { errors: partsAt(columns, "is already taken"), cause: error });
}

function brokenReference(error: DatabaseError): Problem {
  const stillReferred = /is still referenced from table "(.+?)"/.exec(error.detail ?? "")?.[1];
  if (stillReferred !== undefined) {
    return new Problem("reference", `Rows of ${stillReferred} still refer to this one.`, { cause: error });
  }
  const target = /is not present in table "(.+?)"/.exec(error.detail ?? "")?.[1];
  const columns = error.column === undefined ? keyColumns(error) : [error.column];
  const reason =
    target === undefined ? "refers to something that is deleted" : `refers to no row of ${target}`;
  const detail = target === undefined ? sentence(error) : `${columns.join(", ")} ${reason}.`;
  return new Problem("reference", detail, { errors: partsAt(columns, reason), cause: error });
}

export function unfit(error: UnfitValue): Problem {
  return new Problem("invalid", "A value is not one that its column can hold.", {
    errors: [{ pointer: `/${error.column}`, detail: error.reason }],
    cause: error,
  });
}

/** PostgreSQL names the constraint alone, and that is named after table and column; of two that fit the longer is meant. */
function checkedColumn({ constraint = "" }: DatabaseError, table: TableDefinition | undefined) {
  const fitting = table?.columns.filter(({ name }) => constraint.startsWith(`${table.name}_${name}_`)) ?? [];
  return fitting.sort((a, b) => b.name.length - a.name.length)[0]?.name;
}

function invalid(error: DatabaseError, reason: string, column = error.column): Problem {
  const pointer = column === undefined ? "" : `/${column}`;
  return new Problem("invalid", "PostgreSQL refused a value.", {
    errors: [{ pointer, detail: reason }],
    cause: error,
  });
}

function partsAt(columns: readonly string[], detail: string): readonly ProblemPart[] {
  return columns.map((column) => ({ pointer: `/${column}`, detail }));
}

/** PostgreSQL starts in lower case; a qualified name stays as it is. */
function sentence({ message }: DatabaseError): string {
  const named = /^\S+\.\S+ /.test(message);
  return `${named ? message : message.charAt(0).toUpperCase() + message.slice(1)}.`;
}
