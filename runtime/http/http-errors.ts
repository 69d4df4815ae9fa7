import { DatabaseError } from "pg";
import { classify, isUnavailable, STATE } from "../database/database-errors.js";
import type { ValidationError } from "../definition/event-definition.js";
import type { ColumnDefinition, TableDefinition } from "../definition/table-definition.js";
import { InvalidRow } from "../repository/invalid-row.js";
import { codeOf } from "../text/error-message.js";
import { kindOf, unsentBy } from "../values/column-types.js";

import { shownName } from "../values/field.js";
import { objectName } from "../values/object-name.js";
import { FORMS } from "../values/validation.js";
import { UnfitValue } from "../values/values.js";
import { Problem, type ProblemPart, unavailable } from "./problem.js";

/*
 * Error mapping of HTTP: the problem document that each error of a request becomes.
 */

/** Every error that a request can end with, as a problem. An unforeseen one is a 500 whose reason only the log has. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof InvalidRow) return invalidBody(error.errors, { cause: error });
  if (error instanceof UnfitValue) return unfitValue(error, error.column);
  if (isUnavailable(error)) return unavailable("The database is out of reach; try again.", 2, error);
  const { code, statusCode, message } = describe(error);
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE")
    return new Problem("large", "The body is too large.", { cause: error });
  if (code === "FST_ERR_CTP_INVALID_MEDIA_TYPE") {
    return new Problem("media", "Send application/json.", {
      headers: { accept: "application/json" },
      cause: error,
    });
  }
  if (statusCode >= 400 && statusCode < 500) return new Problem("malformed", message, { cause: error });
  return new Problem("internal", "The reason is in the service's log, under this request's id.", {
    cause: error,
  });
}

function describe(error: unknown): {
  readonly code: string;
  readonly statusCode: number;
  readonly message: string;
} {
  if (!(error instanceof Error)) return { code: "", statusCode: 500, message: String(error) };
  const code = codeOf(error) ?? "";
  const statusCode = "statusCode" in error && typeof error.statusCode === "number" ? error.statusCode : 500;
  return { code, statusCode, message: error.message };
}

interface InvalidBody {
  readonly cause?: unknown;
  readonly more?: readonly ProblemPart[];
  /** Whose columns the values are of. */
  readonly table?: TableDefinition | undefined;
}

/** A problem that lists what is wrong with the values of a body. */
export function invalidBody(
  errors: readonly ValidationError[],
  { cause, more = [], table }: InvalidBody = {},
): Problem {
  // `if` only says that a condition holds; the error that follows from it is listed by itself.
  const told = errors.filter(({ keyword }) => keyword !== "if").map((error) => partOf(error, table));
  const parts = [...told, ...more];
  const count = parts.length === 1 ? "One value is" : `${parts.length} values are`;
  return new Problem("invalid", `${count} not as this resource takes them.`, { errors: parts, cause });
}

function partOf(
  { instancePath, keyword, params, message }: ValidationError,
  table: TableDefinition | undefined,
): ProblemPart {
  const named = (name: unknown) =>
    `${instancePath}/${String(name).replaceAll("~", "~0").replaceAll("/", "~1")}`;
  switch (keyword) {
    case "required":
      return { pointer: named(params.missingProperty), detail: "is required" };
    case "additionalProperties":
      return { pointer: named(params.additionalProperty), detail: "is not a field that can be set here" };
    case "enum":
      return { pointer: instancePath, detail: `must be one of ${JSON.stringify(params.allowedValues)}` };
    case "minProperties":
      return { pointer: instancePath, detail: "names no field to set" };
    case "pattern": {
      const column = table?.columns.find((each) => `/${shownName(each)}` === instancePath);
      const form = column && FORMS[kindOf(column.type)];
      return { pointer: instancePath, detail: form === undefined ? (message ?? "") : `must be ${form}` };
    }
    default:
      return { pointer: instancePath, detail: message ?? `breaks the rule "${keyword}"` };
  }
}

function unfitValue(error: UnfitValue, name: string): Problem {
  return new Problem("invalid", "A value is not one that its column can hold.", {
    errors: [{ pointer: `/${name}`, detail: error.reason }],
    cause: error,
  });
}

/** Where the values came from that PostgreSQL refuses: 422 for a body, 400 for a path or query. */
export type ValueSource = "body" | "target";

/** The refusal of what a request asked for, as a problem of the one who asked; undefined where we are at fault. */
export function refusalOf(error: unknown, source: ValueSource, table?: TableDefinition): Problem | undefined {
  const called = (column: string) => calledIn(table, column);
  if (error instanceof InvalidRow)
    return invalidBody(
      error.errors.map((one) => pointingAt(one, called)),
      { cause: error },
    );
  if (error instanceof UnfitValue)
    return source === "target"
      ? new Problem("malformed", `${called(error.column)} ${error.reason}.`, { cause: error })
      : unfitValue(error, called(error.column));
  if (!(error instanceof DatabaseError)) return undefined;
  switch (error.code) {
    case STATE.unique_violation:
    case STATE.exclusion_violation:
      return taken(error, called, table);
    // Also raised for a reference to an entity whose deletion was applied.
    case STATE.foreign_key_violation:
      return brokenReference(error, called);
    case STATE.not_null_violation:
      return invalid(
        error,
        `${error.column === undefined ? "a column" : called(error.column)} must have a value`,
        error.column && called(error.column),
      );
    case STATE.check_violation:
      return brokenCheck(error, checkedColumn(error, table));
    // JSON nested deeper than the server's stack.
    case STATE.statement_too_complex:
    // An identity that is generated always: the message names the column.
    case STATE.generated_always:
    // The key of a row that has events cannot change.
    case STATE.feature_not_supported:
      return invalid(error, error.message);
    // An event that the broker would not take, an id too long for a subject.
    case STATE.program_limit_exceeded:
      return new Problem("large", sentence(error), { cause: error });
    case STATE.undefined_table:
    case STATE.invalid_schema_name:
      return unavailable("The database is not migrated yet.", 5, error);
  }
  if (classify(error) !== "unstorable") return undefined;
  if (source === "target") return new Problem("malformed", `${error.message}.`, { cause: error });
  return invalid(error, error.message);
}

/** The service was asked before its migrations: whoever starts both at once does so. */
export function isBeforeMigrations({ cause }: Problem): boolean {
  return (
    cause instanceof DatabaseError &&
    (cause.code === STATE.undefined_table || cause.code === STATE.invalid_schema_name)
  );
}

/** What REST calls a column. */
type Called = (column: string) => string;

function calledIn(table: TableDefinition | undefined, name: string): string {
  const column = table?.columns.find((each) => each.name === name);
  return column === undefined ? name : shownName(column);
}

/** An error of column values, as one of the body. */
function pointingAt(error: ValidationError, called: Called): ValidationError {
  const [, column = "", rest = ""] = /^\/([^/]*)(.*)$/.exec(error.instancePath) ?? [];
  return column === "" ? error : { ...error, instancePath: `/${called(unescaped(column))}${rest}` };
}

/** Of a JSON pointer. */
function unescaped(segment: string): string {
  return segment.replaceAll("~1", "/").replaceAll("~0", "~");
}

/** The columns in `Key (namespace_id, path)=(n1, /a) already exists.` A quoted name may contain anything but `)=(`. */
function keyColumns(error: DatabaseError): readonly string[] {
  const list = /^Key \((.+?)\)=\(/.exec(error.detail ?? "")?.[1];
  return list?.split(", ").map((name) => name.replace(/^"(.*)"$/, "$1")) ?? [];
}

function taken(error: DatabaseError, called: Called, table: TableDefinition | undefined): Problem {
  const columns = keyColumns(error).map(called);
  const names = columns.length === 0 ? (error.constraint ?? "a unique value") : columns.join(", ");
  // Whoever looks for the row does not find it.
  const other = table?.softDelete === undefined ? "Another row" : "Another row, perhaps a deleted one,";
  const detail =
    columns.length > 1
      ? `${other} of ${error.table} has these values of ${names} together.`
      : `${other} of ${error.table} has this value of ${names}.`;
  return new Problem("taken", detail, { errors: partsAt(columns, "is already taken"), cause: error });
}

function brokenReference(error: DatabaseError, called: Called): Problem {
  const stillReferred = /is still referenced from table "(.+?)"/.exec(error.detail ?? "")?.[1];
  if (stillReferred !== undefined) {
    return new Problem("reference", `Rows of ${stillReferred} still refer to this one.`, { cause: error });
  }
  const target = /is not present in table "(.+?)"/.exec(error.detail ?? "")?.[1];
  const columns = (error.column === undefined ? keyColumns(error) : [error.column]).map(called);
  const reason =
    target === undefined ? "refers to something that is deleted" : `refers to no row of ${target}`;
  const detail = target === undefined ? sentence(error) : `${columns.join(", ")} ${reason}.`;
  return new Problem("reference", detail, { errors: partsAt(columns, reason), cause: error });
}

/** PostgreSQL names the constraint only, which is named after its table and column. Of two columns that fit, the longer one is meant. */
function checkedColumn({ constraint = "" }: DatabaseError, table: TableDefinition | undefined) {
  const relation = table?.at?.table ?? table?.name ?? "";
  // What a table that existed has of its own is mostly named as PostgreSQL does it.
  const prefixes = table?.existing === undefined ? [relation] : [`mesh_${relation}`, relation];
  const names = ({ name }: { readonly name: string }) =>
    prefixes.some(
      (prefix) =>
        constraint.startsWith(`${prefix}_${name}_`) ||
        CHECK_KINDS.some((kind) => constraint === objectName(prefix, name, kind)),
    );
  const fitting = table?.columns.filter(names) ?? [];
  return fitting.sort((a, b) => b.name.length - a.name.length)[0];
}

/** What the names of our own checks end with, unless they are too long for one. */
const CHECK_KINDS = ["check", "payload", "rule", "travels"];

function brokenCheck(error: DatabaseError, column: ColumnDefinition | undefined): Problem {
  const { constraint = "", table = "its table" } = error;
  const relation = error.table ?? "";
  const travels = [relation, `mesh_${relation}`].some(
    (prefix) => column && constraint === objectName(prefix, column.name, "travels"),
  );
  const unsent = column && travels && unsentBy(column);
  const why = unsent ? `: no message can carry ${unsent}` : "";
  return invalid(
    error,
    `the row breaks the rule ${constraint} of ${table}${why}`,
    column && shownName(column),
  );
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

/** PostgreSQL's message with a capital letter, unless it begins with a qualified name, and a full stop. */
function sentence({ message }: DatabaseError): string {
  const named = /^\S+\.\S+ /.test(message);
  return `${named ? message : message.charAt(0).toUpperCase() + message.slice(1)}.`;
}
