import { createInterface } from "node:readline/promises";
import type { Logger } from "@meshwright/runtime";
import { oneLine, shorten } from "../quote/visible.js";
import { colour, terminalText, widthOf } from "./paint.js";

export { colour } from "./paint.js";

const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
const isForced = FORCE_COLOR !== undefined && FORCE_COLOR !== "" && FORCE_COLOR !== "0";
const mayColour = !NO_COLOR && (isForced || TERM !== "dumb");

/** Colours only on a terminal: not in a file or a pipe, whatever the other stream is. */
function textFor(stream: NodeJS.WriteStream, text: string): string {
  return terminalText(text, mayColour && (stream.isTTY || isForced));
}

export function print(text: string): void {
  process.stdout.write(textFor(process.stdout, `${text}\n`));
}

/** Progress, notices and errors: never in the way of a program that reads stdout. */
export function tell(text: string): void {
  process.stderr.write(textFor(process.stderr, `${text}\n`));
}

/** On a terminal, replaces the line that the last call printed; undefined removes it. */
export function tellInPlace(text: string | undefined): void {
  process.stderr.write(`\r${textFor(process.stderr, colour.dim(oneLine(text ?? "")))}\x1b[K`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** Columns as wide as their widest cell; the last one is left ragged. What is long or breaks lines is shortened. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const shown = rows.map((row) => row.map((cell) => shorten(oneLine(cell))));
  const widths = head.map((title, at) =>
    shown.reduce((most, row) => Math.max(most, widthOf(row[at] ?? "")), title.length),
  );
  const pad = (cell: string, at: number) => cell + " ".repeat(Math.max(0, (widths[at] ?? 0) - widthOf(cell)));
  const line = (cells: readonly string[]) => cells.map(pad).join("  ").trimEnd();
  print(colour.dim(line(head)));
  for (const row of shown) print(line(row));
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
    const asked = lines.question(textFor(process.stderr, `${question} [y/N] `));
    const answer = await Promise.race([asked, ended]);
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
  const draw = () => tellInPlace(`${label} … ${Math.round((Date.now() - started) / 1_000)} s`);
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
    if (ticker) tellInPlace(undefined);
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
