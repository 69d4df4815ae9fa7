import { DatabaseError } from "pg";

/*
 * SQLSTATEs after which the same statement may well succeed later: 08 connection, 28 not let in (yet), 53 resources,
 * 57P shutdown, 57014 cancelled, 58 system, 40001 and 40P01 lost a race, 55P03 waited too long for a lock, 25006 a
 * standby that is not yet promoted, 3D000 the database is not there yet.
 */
const LATER = /^(08|28|53|57P|57014|58|40001|40P01|55P03|25006|3D000)/;

/** What the driver and the operating system say, without a SQLSTATE, when the server is gone. */
const UNREACHABLE = /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_|EHOST|ENET|ENOENT)/;
const LOST =
  /^(Connection terminated|timeout e|Client has encountered|Client was closed|Query read timeout|Cannot use a pool after)/;

/** Whether the database is out of reach or overloaded, as opposed to having refused what it was asked. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof DatabaseError) return LATER.test(error.code ?? "");
  if (!(error instanceof Error)) return false;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return UNREACHABLE.test(code) || LOST.test(error.message);
}
