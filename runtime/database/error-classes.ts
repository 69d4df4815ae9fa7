import { DatabaseError } from "pg";
import type { Incoming } from "../inbox/parse.js";
import { causesOf, messageOf } from "../text/error-message.js";
import { plural } from "../text/plural.js";
import { ConnectionLost } from "./transaction.js";

/*
 * Whose fault is it? Infrastructure is waited out and never counted; an event that cannot be stored
 * is a dead letter at once; everything else is tried again a counted number of times.
 */

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

/** Another replica applied an event of the same entity in between: read again and decide again. */
export class Raced extends Error {
  override readonly name = "Raced";
}

/** Events that leave out versions of their entities: nothing was done, for the missing ones may be on their way. */
export class Early extends Error {
  override readonly name = "Early";
  constructor(readonly events: readonly Incoming[]) {
    super(`${plural(events.length, "event")} before which versions are missing`);
  }
}

const SYSTEM_CODES = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
]);

/** What the driver says without a code when a connection is lost or cannot be had. */
const CONNECTION_LOST =
  /Connection terminated|timeout exceeded when trying to connect|not queryable|Client was closed|Connection ended|Query read timeout/i;

/**
 * 08 connection, 53 resources, 57P shutdown, 58 system, 40001 serialization, 40P01 deadlock,
 * 25006 read-only (a failover met the old primary), 28 and 3D: a database that does not let us in.
 */
const INFRASTRUCTURE_STATES = /^(08|53|57P|58|28|3D|40001|40P01|25006|55P03)/;

/**
 * 42, 3F: a table, column or right is missing; 55000: the database is closed for maintenance. A deployment
 * at fault, never an event. What a hook's own SQL says with these states is the hook's.
 */
const DEPLOYMENT_STATES = /^(42|3F|55000)/;

export function isInfrastructureFailure(error: unknown): boolean {
  if (error instanceof ConnectionLost) return true;
  // Also where a library of the hook's has wrapped it.
  if (error instanceof HandlerFailed) return [...causesOf(error.cause)].some(isDatabaseTrouble);
  if (error instanceof DatabaseError && DEPLOYMENT_STATES.test(error.code ?? "")) return true;
  if (isDatabaseTrouble(error)) return true;
  return error instanceof Error && (SYSTEM_CODES.has(codeOf(error) ?? "") || hasSystemCause(error));
}

/** Trouble that only the database can have: a hook may meet ECONNREFUSED elsewhere, and that is counted. */
function isDatabaseTrouble(error: unknown): boolean {
  const state = stateOf(error);
  if (state !== undefined) return INFRASTRUCTURE_STATES.test(state);
  return error instanceof Error && CONNECTION_LOST.test(error.message);
}

/** SQLSTATE of what a database said, through whichever driver, or copy of it, a hook asked. */
function stateOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if (!(error instanceof DatabaseError) && !("severity" in error)) return undefined;
  const code = codeOf(error);
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

function hasSystemCause(error: Error): boolean {
  const causes = error instanceof AggregateError ? error.errors : [error.cause];
  return causes.some((cause) => cause instanceof Error && SYSTEM_CODES.has(codeOf(cause) ?? ""));
}

/**
 * 22: the value itself cannot be stored (a NUL in a text, a number out of range); 54: it is too large for an index, or
 * nested deeper than the server's stack. Trying again changes nothing.
 */
export function isUnstorable(error: unknown): boolean {
  return error instanceof DatabaseError && /^(22|54)/.test(error.code ?? "");
}

/**
 * What one row of several may be to blame for, beside 22: 23 a constraint, 44 a view's check, 54 too large for an index,
 * 21 two rows of one key, P0 a trigger's own word; 25P02 an error that a hook hid.
 */
const ROW_STATES = /^(2[123]|44|54|P0|25P02)/;

export function isRowRefused(error: unknown): boolean {
  return error instanceof DatabaseError && ROW_STATES.test(error.code ?? "");
}

/** 23505 unique_violation */
export function isUniqueClash(error: unknown): error is DatabaseError {
  return error instanceof DatabaseError && error.code === "23505";
}

function codeOf(error: Error): string | undefined {
  return "code" in error && typeof error.code === "string" ? error.code : undefined;
}
