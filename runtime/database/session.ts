/*
 * Settings of a session that our SQL and types rely on. They are sent at its start, where they outrank those of the URL, the
 * role and the database.
 */

const SETTINGS: Readonly<Record<string, string>> = {
  TimeZone: "UTC",
  DateStyle: "ISO,MDY",
  IntervalStyle: "postgres",
  // Doubles as their shortest exact text.
  extra_float_digits: "1",
  array_nulls: "on",
  standard_conforming_strings: "on",
  // Our statements are written for it: each sees what was committed before it began.
  default_transaction_isolation: "read committed",
  default_transaction_read_only: "off",
  default_transaction_deferrable: "off",
  statement_timeout: "0",
  // Costs of large sets are rough guesses, and a statement that jit compiles for half a second takes 30 ms without.
  jit: "off",
};

/** Parameters of a URL that the driver would send, or apply by itself, in place of our settings. */
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
 * The URL with these settings after its own `options`: of two values the last one counts. They have to be in the URL, since the driver
 * prefers it to its other options.
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
