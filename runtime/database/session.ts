/*
 * What our SQL and our types rely on in a session. Said at its start, where it outranks what the URL, the role or the
 * database has set.
 */

const SETTINGS: Readonly<Record<string, string>> = {
  TimeZone: "UTC",
  DateStyle: "ISO,MDY",
  IntervalStyle: "postgres",
  // Doubles as their shortest exact text.
  extra_float_digits: "1",
  array_nulls: "on",
  standard_conforming_strings: "on",
  // Statements are right under this one: each sees what was committed before it began.
  default_transaction_isolation: "read committed",
  default_transaction_read_only: "off",
  default_transaction_deferrable: "off",
  statement_timeout: "0",
};

/** Parameters of a URL that the driver would send besides, or apply by itself, instead of ours. */
const OURS = [
  "application_name",
  "fallback_application_name",
  "client_encoding",
  "statement_timeout",
  "lock_timeout",
  "idle_in_transaction_session_timeout",
  "query_timeout",
];

/**
 * The URL with these settings beside its own `options`, of which the last one counts. The driver prefers what the URL
 * says to what it is told otherwise, so it is in the URL that they have to be said.
 */
export function sessionUrl(
  given: string,
  application: string,
  settings: Readonly<Record<string, string>>,
): string {
  const url = new URL(given);
  const { searchParams } = url;
  for (const name of OURS) searchParams.delete(name);
  const options = Object.entries({ ...SETTINGS, ...settings }).map(
    ([name, value]) => `-c ${name}=${value.replaceAll(/[\\ ]/g, "\\$&")}`,
  );
  searchParams.set("options", [searchParams.getAll("options").join(" "), ...options].join(" ").trim());
  searchParams.set("application_name", application);
  return url.href;
}
