import { createInterface } from "node:readline/promises";
import { stripVTControlCharacters } from "node:util";
import type { Logger } from "meshwright/runtime";
import pc from "picocolors";

const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
const isForced = FORCE_COLOR !== undefined && FORCE_COLOR !== "" && FORCE_COLOR !== "0";

/** Each stream decides for itself whether they stay. */
export const colour = pc.createColors(!NO_COLOR && (isForced || TERM !== "dumb"));

/** Colours only on a terminal: not in a file or a pipe, whatever the other stream is. */
function write(stream: NodeJS.WriteStream, text: string): void {
  stream.write(stream.isTTY || isForced ? text : stripVTControlCharacters(text));
}

export function print(text: string): void {
  write(process.stdout, `${text}\n`);
}

/** Progress, notices and errors: never in the way of a program that reads stdout. */
export function tell(text: string): void {
  write(process.stderr, `${text}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** Columns as wide as their widest cell, colours not counted; the last one is left ragged. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const width = (cell: string | undefined) => stripVTControlCharacters(cell ?? "").length;
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => width(row[at]))));
  const pad = (cell: string, at: number) => cell + " ".repeat(Math.max(0, (widths[at] ?? 0) - width(cell)));
  const line = (cells: readonly string[]) => cells.map(pad).join("  ").trimEnd();
  print(colour.dim(line(head)));
  for (const row of rows) print(line(row));
}

/** Somebody is there to be asked. */
export function isAtTerminal(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** No unless it is answered with y. Not as a terminal of its own, so that Ctrl-C is the signal that it always is. */
export async function confirm(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false });
  try {
    const ended = new Promise<string>((resolve) => lines.once("close", () => resolve("")));
    const answer = await Promise.race([lines.question(`${question} [y/N] `), ended]);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
}

const PATIENCE_MS = 1_000;

/** Says what is being done when it takes longer than a second; on a terminal the line goes away with the work. */
export async function withProgress<T>(label: string, work: () => Promise<T>): Promise<T> {
  const started = Date.now();
  let ticker: NodeJS.Timeout | undefined;
  const terminal = process.stderr.isTTY;
  const draw = () => {
    const seconds = Math.round((Date.now() - started) / 1_000);
    process.stderr.write(`\r${colour.dim(`${label} … ${seconds} s`)}\x1b[K`);
  };
  const patience = setTimeout(() => {
    if (!terminal) return tell(`${label} …`);
    draw();
    ticker = setInterval(draw, 1_000);
  }, PATIENCE_MS);
  try {
    return await work();
  } finally {
    clearTimeout(patience);
    clearInterval(ticker);
    if (ticker) process.stderr.write("\r\x1b[K");
  }
}

/** For work whose result is printed: only what went wrong on the way is of interest. */
export const quietLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: (_fields, message) => tell(colour.yellow(message)),
  error: (_fields, message) => tell(colour.red(message)),
  child: () => quietLogger,
};
