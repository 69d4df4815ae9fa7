import { oneLine } from "../quote/visible.js";
import { colour } from "../terminal/terminal.js";

const LEVELS: Readonly<Record<string, string>> = {
  warn: colour.yellow("warn "),
  error: colour.red("error"),
  fatal: colour.red("fatal"),
};

/** Fields that the prefix or the time already says. */
const SAID = new Set(["level", "time", "msg", "pid", "hostname", "service", "name", "v"]);

const PAINTS = [colour.cyan, colour.magenta, colour.green, colour.blue, colour.yellow];

/** Makes a service's JSON log lines readable; a line that is no JSON passes as it is. */
export function createLogFormat(services: readonly string[]): (service: string, line: string) => string {
  const width = Math.max(...services.map((service) => service.length));
  return (service, line) => {
    const paint = PAINTS[services.indexOf(service) % PAINTS.length] ?? String;
    return `${paint(service.padEnd(width))}  ${readable(line)}`;
  };
}

function readable(line: string): string {
  const entry = parse(line);
  if (!entry) return line;
  const time = new Date(typeof entry.time === "number" || typeof entry.time === "string" ? entry.time : 0);
  const level = LEVELS[String(entry.level)] ?? String(entry.level).padEnd(5);
  const fields = Object.entries(entry).filter(([name]) => !SAID.has(name));
  const shown = fields.map(([name, value]) => colour.dim(`${name}=${plain(value)}`));
  return [time.toTimeString().slice(0, 8), level, oneLine(String(entry.msg ?? "")), ...shown].join(" ");
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
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
