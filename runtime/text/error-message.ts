import { inspect } from "node:util";

/*
 * The text of an error with its causes, for a log line, a dead letter or a column. Libraries wrap the error that has the reason
 * ("Failed query: …" around "null value in column …"), and it is the reason that somebody has to read.
 */

export const CAUSED_BY = "; caused by: ";

/** Longest message of one error, in characters: a query builder puts the whole statement there, with its values. */
const LONGEST = 2_000;
/** Most causes in a chain, and most errors of an AggregateError. */
const MOST = 10;

/** The messages of an error and its causes, outermost first, each once, with their codes. Takes any value that was thrown. */
export function messageOf(error: unknown): string {
  return say(error, new Set());
}

/** The innermost message of a text from `messageOf`: for lists with one line per error. */
export function reasonOf(message: string): string {
  return message.split(CAUSED_BY).at(-1) ?? message;
}

/** The error and its causes, outermost first. A chain that leads back into itself ends there. */
export function* causesOf(error: unknown): Generator<unknown> {
  const seen = new Set<unknown>();
  for (let each = error; each !== undefined && each !== null && seen.size < MOST; each = causeOf(each)) {
    if (seen.has(each)) return;
    seen.add(each);
    yield each;
  }
}

function say(error: unknown, seen: Set<unknown>): string {
  if (error === undefined || error === null) return String(error);
  let text = "";
  for (const each of causesOf(error)) {
    if (seen.has(each)) break;
    seen.add(each);
    const said = sayOne(each, seen);
    if (text === "") text = said;
    // Errors of our own quote their causes.
    else if (!text.includes(said)) text += CAUSED_BY + said;
  }
  return text;
}

function sayOne(error: unknown, seen: Set<unknown>): string {
  if (!isErrorLike(error)) return cut(describe(error));
  const parts = Array.isArray(error.errors)
    ? error.errors
        .slice(0, MOST)
        .map((part) => say(part, seen))
        .filter((part) => part !== "")
    : [];
  const own = error.message === "" && parts.length === 0 ? describeName(error) : cut(error.message);
  const message = [...(own === "" ? [] : [own]), ...(parts.length === 0 ? [] : [parts.join("; ")])].join(
    ": ",
  );
  const code = codeOf(error);
  return code === undefined || message.includes(code) ? message : `${message} (${code})`;
}

interface ErrorLike {
  readonly message: string;
  readonly name?: unknown;
  readonly errors?: unknown;
}

/** Also true for an error of another realm, and for an object that a library throws in place of an error. */
function isErrorLike(value: unknown): value is ErrorLike {
  return (
    typeof value === "object" && value !== null && "message" in value && typeof value.message === "string"
  );
}

/** `ECONNREFUSED`, `23505`: of an error of the system or of a library that has one. */
export function codeOf(error: unknown): string | undefined {
  return typeof error === "object" && error !== null && "code" in error && typeof error.code === "string"
    ? error.code
    : undefined;
}

function causeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "cause" in error ? error.cause : undefined;
}

function describe(value: unknown): string {
  return typeof value === "string"
    ? value
    : inspect(value, { depth: 2, breakLength: Number.POSITIVE_INFINITY });
}

function describeName({ name }: ErrorLike): string {
  return typeof name === "string" && name !== "" ? name : "an error without a message";
}

/** Shortened, and without NUL, which PostgreSQL cannot store in a text. */
function cut(text: string): string {
  const storable = text.replaceAll("\0", "\\0");
  return storable.length <= LONGEST ? storable : `${storable.slice(0, LONGEST)}…`;
}
