import { oneLine, visible } from "../quote/visible.js";
import type { Diagnostic } from "./diagnostic.js";
import type { IgnoredDiagnostic } from "./ignore.js";
import type { Severity } from "./severity.js";

/** Colour is the caller's choice; each function wraps a piece of text. */
export interface Paint {
  readonly place: (text: string) => string;
  readonly severity: (text: string, severity: Severity) => string;
  readonly source: (text: string) => string;
  readonly underline: (text: string) => string;
  readonly hint: (text: string) => string;
}

const plain = (text: string): string => text;

export const noPaint: Paint = { place: plain, severity: plain, source: plain, underline: plain, hint: plain };

export function renderDiagnostics(diagnostics: readonly Diagnostic[], paint: Paint = noPaint): string {
  return diagnostics.map((diagnostic) => renderDiagnostic(diagnostic, paint)).join("\n");
}

/** Ends with a line break. */
export function renderDiagnostic(diagnostic: Diagnostic, paint: Paint = noPaint): string {
  const { file, start, severity, code, message, hint } = diagnostic;
  const head = `${paint.place(`${file}:${start.line}:${start.column}`)} - ${paint.severity(`${severity} ${code}`, severity)}: ${oneLine(message)}`;
  const lines = [head, ...renderExcerpt(diagnostic, paint)];
  if (diagnostic.also.length > 0) lines.push(`  also at ${renderPlaces(diagnostic)}`);
  if (hint !== undefined) lines.push(`  ${paint.hint("hint:")} ${oneLine(hint)}`);
  return `${lines.join("\n")}\n`;
}

const MAXIMUM_PLACES = 8;

function renderPlaces({ file, also }: Diagnostic): string {
  const places = also.slice(0, MAXIMUM_PLACES).map(({ line, column }) => `${file}:${line}:${column}`);
  const more = also.length - places.length;
  return more > 0 ? `${places.join(", ")} and ${more} more` : places.join(", ");
}

/** A line longer than this is cut around the mistake: a terminal would wrap it and part it from its carets. */
const MAXIMUM_LINE = 120;

function renderExcerpt(diagnostic: Diagnostic, paint: Paint): readonly string[] {
  const { start, end } = diagnostic;
  if (diagnostic.line.trim() === "") return [];
  const from = start.column > MAXIMUM_LINE - 20 ? start.column - 40 : 0;
  const cut = diagnostic.line.slice(from, from + MAXIMUM_LINE);
  const column = start.column - 1 - from;
  const last = end.line === start.line ? end.column - 1 - from : cut.trimEnd().length;
  // With control characters made visible, as they are printed: the carets must stand under what they point at.
  const [before, meant, after] = [
    visible(cut.slice(0, column)),
    visible(cut.slice(column, last)),
    visible(cut.slice(Math.max(column, last))),
  ];
  const gutter = `  ${start.line} | `;
  // Tabs stay tabs, whatever the terminal's tab width.
  const indent = before.replace(/[^\t]/g, " ").padEnd(column);
  return [
    `${gutter}${paint.source(before + meant + after)}`,
    `${" ".repeat(gutter.length - 2)}| ${indent}${paint.underline("^".repeat(Math.max(1, meant.length)))}`,
  ];
}

/** What `--json` prints of each: flat, without the excerpt. Lines and columns count from 1, and the end is exclusive. */
export function diagnosticsToJson(
  diagnostics: readonly (Diagnostic | IgnoredDiagnostic)[],
): readonly object[] {
  return diagnostics.map(({ line: _excerpt, start, end, also, ...rest }) => ({
    ...rest,
    line: start.line,
    column: start.column,
    endLine: end.line,
    endColumn: end.column,
    ...(also.length > 0 && { also }),
  }));
}
