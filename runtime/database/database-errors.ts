import { DatabaseError } from "pg";
import { causesOf, codeOf, messageOf } from "../text/error-message.js";
import { ConnectionLost } from "./transaction.js";

/*
 * Error mapping of the database: what an error means for whoever meets it. Each SQLSTATE that the runtime knows stands in
 * one table; all other code asks by class, or by `STATE.name`.
 */

/** What kind of trouble an error is. */
export type ErrorClass =
  /** The database does not serve at the moment: the same statement may succeed later. */
  | "unavailable"
  /** A race for rows or locks was lost: the same transaction may succeed at once. */
  | "contended"
  /** The statement was cancelled: it took too long, or somebody cancelled it. */
  | "cancelled"
  /** A network error. Of our own connection it means `unavailable`; in a hook it may be any other server's. */
  | "unreachable"
  /** A table, column or right is missing, or the database is closed for maintenance: a deployment is not finished. */
  | "deployment"
  /** The value itself cannot be stored; no other attempt can change that. */
  | "unstorable"
  /** A constraint or a trigger refuses the row, in the state that the database has now. */
  | "refused"
  | "unknown";

/** SQLSTATEs that the runtime tells apart from others of their class, by PostgreSQL's names for them. */
export const STATE = {
  read_only_sql_transaction: "25006",
  in_failed_sql_transaction: "25P02",
  not_null_violation: "23502",
  foreign_key_violation: "23503",
  unique_violation: "23505",
  check_violation: "23514",
  exclusion_violation: "23P01",
  dependent_objects_still_exist: "2BP01",
  feature_not_supported: "0A000",
  invalid_schema_name: "3F000",
  serialization_failure: "40001",
  deadlock_detected: "40P01",
  insufficient_privilege: "42501",
  duplicate_table: "42P07",
  undefined_column: "42703",
  generated_always: "428C9",
  undefined_table: "42P01",
  program_limit_exceeded: "54000",
  statement_too_complex: "54001",
  object_not_in_prerequisite_state: "55000",
  lock_not_available: "55P03",
  query_canceled: "57014",
} as const;

/** By SQLSTATE, or by its class: the first two characters. */
const CLASS_OF: Readonly<Record<string, ErrorClass>> = {
  "08": "unavailable", // connection_exception
  "21": "refused", // cardinality_violation: two rows of one statement have the same key
  "22": "unstorable", // data_exception: a NUL in a text, a number out of range, an impossible date
  "23": "refused", // integrity_constraint_violation
  "28": "unavailable", // invalid_authorization_specification: not let in (yet); passwords get rotated
  "3D": "unavailable", // invalid_catalog_name: the database is not there (yet)
  "3F": "deployment", // invalid_schema_name
  "42": "deployment", // syntax_error_or_access_rule_violation: a table, column or right is missing
  "44": "refused", // with_check_option_violation: a view's check
  "53": "unavailable", // insufficient_resources: disk full, out of memory, too many connections
  "54": "unstorable", // program_limit_exceeded: too large for an index, nested deeper than the server's stack
  "57": "unavailable", // operator_intervention: shutdown, crash, start-up
  "58": "unavailable", // system_error: I/O
  P0: "refused", // plpgsql_error: a trigger's own word
  // A failover left us with the old primary.
  [STATE.read_only_sql_transaction]: "unavailable",
  // A hook went on after a statement of its own had failed.
  [STATE.in_failed_sql_transaction]: "refused",
  // A value for a column whose values PostgreSQL makes alone.
  [STATE.generated_always]: "refused",
  [STATE.serialization_failure]: "contended",
  [STATE.deadlock_detected]: "contended",
  [STATE.lock_not_available]: "contended",
  // "database is not currently accepting connections"
  [STATE.object_not_in_prerequisite_state]: "deployment",
  [STATE.query_canceled]: "cancelled",
};

/** Codes of the operating system's network errors. */
export const NETWORK_CODES: readonly string[] = [
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  // The socket of a server on this machine.
  "ENOENT",
];

/** What TLS says of a server's certificate, or a server of ours: either may be replaced. */
const TLS_CODE =
  /^(ERR_TLS_|ERR_SSL_|ERR_OSSL_|CERT_|UNABLE_TO_(GET|VERIFY|DECRYPT)|SELF_SIGNED_CERT|DEPTH_ZERO_SELF_SIGNED)/;

/** What the driver says, without a code, when a connection is lost or cannot be had. */
const CONNECTION_LOST =
  /Connection terminated|timeout exceeded when trying to connect|not queryable|server does not support SSL|Client was closed|Connection ended|Query read timeout/i;
/** The same in words that a hook may hear from something else. */
const CONNECTION_REFUSED = /^(timeout expired|Cannot use a pool after calling end on the pool)$/;

/** A hook threw. Tells the event's own trouble from the statements of the runtime. */
export class HandlerFailed extends Error {
  override readonly name = "HandlerFailed";
  constructor(
    /** Effective sequence of the event that it was called for. */
    readonly seq: number,
    cause: unknown,
  ) {
    super(messageOf(cause), { cause });
  }
}

export function classify(error: unknown): ErrorClass {
  if (error instanceof ConnectionLost) return "unavailable";
  if (!(error instanceof Error)) return "unknown";
  const state = stateOf(error);
  if (state !== undefined) return CLASS_OF[state] ?? CLASS_OF[state.slice(0, 2)] ?? "unknown";
  if (CONNECTION_LOST.test(error.message)) return "unavailable";
  const causes = error instanceof AggregateError ? error.errors : [error.cause];
  if (CONNECTION_REFUSED.test(error.message) || [error, ...causes].some(isNetworkError)) return "unreachable";
  return "unknown";
}

/**
 * Whether a consumer waits the error out instead of counting an attempt: infrastructure is at fault, never the event.
 * Of what a hook threw only the database's own trouble is waited out, also where a library of the hook's has wrapped it.
 */
export function isInfrastructureFailure(error: unknown): boolean {
  if (error instanceof HandlerFailed) return [...causesOf(error.cause)].some((one) => isWaitedOut(one, true));
  return isWaitedOut(error, false);
}

function isWaitedOut(error: unknown, inHook: boolean): boolean {
  const kind = classify(error);
  switch (kind) {
    case "unavailable":
    case "contended":
      return true;
    case "unreachable":
    case "deployment":
      return !inHook;
    case "cancelled":
    case "unstorable":
    case "refused":
    case "unknown":
      return false;
    default:
      return kind satisfies never;
  }
}

/** Whether a request may succeed later, unchanged: the database is out of reach or overloaded. */
export function isUnavailable(error: unknown): boolean {
  const kind = classify(error);
  switch (kind) {
    case "unavailable":
    case "contended":
    case "cancelled":
    case "unreachable":
      return true;
    case "deployment":
    case "unstorable":
    case "refused":
    case "unknown":
      return false;
    default:
      return kind satisfies never;
  }
}

/** No attempt can succeed: the event becomes a dead letter at once. */
export function isUnstorable(error: unknown): boolean {
  return classify(error) === "unstorable";
}

/** One row of several may be to blame: the others can be written without it. */
export function isRowRefused(error: unknown): boolean {
  const kind = classify(error);
  return kind === "unstorable" || kind === "refused";
}

export function hasState<S extends keyof typeof STATE>(
  error: unknown,
  state: S,
): error is DatabaseError & { readonly code: (typeof STATE)[S] } {
  return error instanceof DatabaseError && error.code === STATE[state];
}

/** SQLSTATE of what a database said, through whichever driver, or copy of it, a hook asked. */
function stateOf(error: Error): string | undefined {
  if (!(error instanceof DatabaseError) && !("severity" in error)) return undefined;
  const code = codeOf(error);
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

function isNetworkError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = codeOf(error) ?? "";
  return NETWORK_CODES.includes(code) || TLS_CODE.test(code);
}
