import { oneLine, shorten } from "../quote/visible.js";
import { colour } from "../terminal/terminal.js";

/*
 * What `mesh dev` prints of its services: a line for each event, request and failure, readable at a glance.
 */

/** `quiet`: warnings and errors alone. `verbose`: every line with all its fields. */
export type Verbosity = "quiet" | "normal" | "verbose";

type Entry = Readonly<Record<string, unknown>>;

const LEVELS: Readonly<Record<string, string>> = {
  warn: colour.yellow("warn "),
  error: colour.red("error"),
  fatal: colour.red("fatal"),
};

/** Fields that the prefix or the time already says. */
const SAID = new Set(["level", "time", "msg", "pid", "hostname", "service", "name", "v"]);
/** Fields that a line for a person can do without: what an operator's tools group by. */
const GROUPING = new Set(["part", "durable", "consumer", "request"]);

const PAINTS = [colour.cyan, colour.magenta, colour.green, colour.blue, colour.yellow];

/** What happens to one event, by the message of its line: the word for it, and what else to say. */
const EVENTS: Readonly<Record<string, { readonly word: string; readonly rest: (entry: Entry) => string }>> = {
  published: { word: colour.green("published"), rest: ({ seq }) => `#${plain(seq)}` },
  applied: { word: colour.cyan("applied  "), rest: ({ ms }) => `after ${plain(ms)} ms` },
  "applied already": { word: colour.dim("known    "), rest: () => "" },
  "an event failed and is retried after its back-off": {
    word: colour.yellow("retried  "),
    rest: ({ attempts, delayMs, error }) =>
      `attempt ${plain(attempts)}, again in ${Number(delayMs) / 1_000} s: ${reasonOf(error)}`,
  },
  "a message became a dead letter": {
    word: colour.red("dead     "),
    rest: ({ attempts, error }) =>
      `${Number(attempts) > 0 ? `after ${plain(attempts)} attempts: ` : ""}${reasonOf(error)}`,
  },
};

/** Makes a service's JSON log lines readable; a line that is no JSON passes as it is. Undefined for one that is not shown. */
export function createLogFormat(
  services: readonly string[],
  verbosity: Verbosity = "normal",
): (service: string, line: string) => string | undefined {
  const width = Math.max(...services.map((service) => service.length));
  return (service, line) => {
    const paint = PAINTS[services.indexOf(service) % PAINTS.length] ?? String;
    const shown = readable(line, verbosity);
    return shown === undefined ? undefined : `${paint(service.padEnd(width))}  ${shown}`;
  };
}

function readable(line: string, verbosity: Verbosity): string | undefined {
  const entry = parse(line);
  if (!entry) return line;
  if (verbosity === "quiet" && LEVELS[String(entry.level)] === undefined) return undefined;
  const time = new Date(typeof entry.time === "number" || typeof entry.time === "string" ? entry.time : 0);
  const said = verbosity === "verbose" ? whole(entry) : (event(entry) ?? request(entry) ?? short(entry));
  return `${time.toTimeString().slice(0, 8)} ${said}`;
}

function event(entry: Entry): string | undefined {
  const known = EVENTS[String(entry.msg)];
  if (known === undefined || typeof entry.subject !== "string") return undefined;
  return `${known.word} ${oneLine(entry.subject)} ${colour.dim(oneLine(known.rest(entry)))}`.trimEnd();
}

/** Of a generated id its first part, which suffices to find its lines. */
const ID_LENGTH = 8;

function request(entry: Entry): string | undefined {
  const { msg, method, path, status, ms, by, request: id } = entry;
  if (msg !== "request" || typeof status !== "number") return undefined;
  const paint = status >= 500 ? colour.red : status >= 400 ? colour.yellow : String;
  const rest = [
    `${plain(ms)} ms`,
    ...(by === undefined ? [] : [`by ${plain(by)}`]),
    plain(id).slice(0, ID_LENGTH),
  ];
  return `${paint(`${plain(method)} ${plain(path)} ${status}`)} ${colour.dim(rest.join("  "))}`;
}

function short(entry: Entry): string {
  // A zero is no news.
  const fields = Object.entries(entry).filter(
    ([name, value]) => value !== 0 && !SAID.has(name) && !GROUPING.has(name),
  );
  return lineOf(entry, fields, (value) => shorten(plain(value)));
}

function whole(entry: Entry): string {
  return lineOf(
    entry,
    Object.entries(entry).filter(([name]) => !SAID.has(name)),
    plain,
  );
}

function lineOf(
  { level, msg }: Entry,
  fields: readonly (readonly [string, unknown])[],
  text: (value: unknown) => string,
): string {
  const shown = fields.map(([name, value]) => colour.dim(`${name}=${text(value)}`));
  return [LEVELS[String(level)] ?? String(level).padEnd(5), oneLine(String(msg ?? "")), ...shown].join(" ");
}

/** The first line of a reason, without the quotes of `plain`. */
function reasonOf(error: unknown): string {
  const text = typeof error === "object" && error !== null && "message" in error ? error.message : error;
  return shorten(String(text).split("\n", 1)[0] ?? "");
}

function parse(line: string): Entry | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line) as Entry;
  } catch {
    // A line cut short by a crash is still worth showing.
    return undefined;
  }
}

function plain(value: unknown): string {
  if (typeof value === "string") return /\s/.test(value) ? JSON.stringify(value) : value;
  if (value && typeof value === "object" && "message" in value) return JSON.stringify(value.message);
  return JSON.stringify(value) ?? "";
}
