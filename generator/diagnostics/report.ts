import { compareNames } from "../collections/compare-names.js";
import { grouped, shorten } from "../quote/visible.js";
import type { SourceText, Span } from "../source/text.js";
import type { Diagnostic } from "./diagnostic.js";
import { findIgnore, type Ignore, type IgnoredDiagnostic, type Silenced } from "./ignore.js";
import { type DiagnosticCode, type DiagnosticParameters, definitionOf } from "./registry.js";
import { severities } from "./severity.js";
import { suggest } from "./suggest.js";

/** A hint that the file itself gives; it replaces the hint of the code. */
export type Clue =
  | { readonly meant: string; readonly at: Span | undefined }
  /** Where the other of two conflicting things stands, and what to do about it where that is not obvious. */
  | { readonly first: Span; readonly advice?: string | undefined }
  /** The hint as it is printed. */
  | { readonly advice: string };

export type Say = <C extends DiagnosticCode>(
  code: C,
  span: Span,
  parameters: DiagnosticParameters<C>,
  clue?: Clue,
) => void;

export interface Report extends Say {
  /** Clue for a name that does not exist: the nearest one that does, and where. In a file full of mistakes only the first get one. */
  nearest<T>(
    written: string,
    candidates: ReadonlyMap<string, T>,
    spanOf?: (candidate: T) => Span | undefined,
  ): Clue | undefined;
}

export interface Diagnostics {
  readonly report: Report;
  /**
   * In file order. A mistake in an anchored block is met at each use, and listed once. Of very many mistakes the first
   * are listed, and one more diagnostic says how many others there are.
   */
  list(): readonly Diagnostic[];
  /** Takes the warnings that are ignored where they stand off the list. */
  silence(ignores: readonly Ignore[]): Omit<Silenced, "left">;
}

const MOST_LISTED = 100;
/** How many names all suggestions for a file may compare together. */
const MOST_COMPARED = 300_000;

/** One mistake, at all its places. */
interface Found {
  readonly code: DiagnosticCode;
  /** It is reported at the first. */
  readonly spans: Span[];
  readonly message: () => string;
  readonly hint: () => string | undefined;
}

export function collectDiagnostics(source: SourceText): Diagnostics {
  const found = new Map<string, Found>();
  const say: Say = (code, span, parameters, clue) => {
    const definition = definitionOf(code);
    const message = () => definition.message(brief(parameters));
    const mistake = `${code} ${definition.isMissingName ? message() : span.start}`;
    const known = found.get(mistake);
    if (known === undefined) {
      const hint = () => (clue === undefined ? definition.hint?.(brief(parameters)) : hintOf(clue, source));
      found.set(mistake, { code, spans: [span], message, hint });
    } else if (definition.isMissingName) known.spans.push(span);
  };
  return {
    report: Object.assign(say, { nearest: openNearest() }),
    list: () => listMistakes(inFileOrder(found), source),
    silence: (ignores) => silenceReported(found, ignores, source),
  };
}

function inFileOrder(found: ReadonlyMap<string, Found>): readonly Found[] {
  return [...found.values()].map(sortPlaces).sort(comparePlaces);
}

function silenceReported(
  found: Map<string, Found>,
  ignores: readonly Ignore[],
  source: SourceText,
): Omit<Silenced, "left"> {
  const ignored: IgnoredDiagnostic[] = [];
  const used = new Set<Ignore>();
  if (ignores.length === 0) return { ignored, used };
  for (const [mistake, of] of found) {
    const { line } = source.positionAt(startOf(of).start);
    const isWarning = definitionOf(of.code).severity === "warning";
    const ignore = isWarning ? findIgnore(ignores, of.code, line) : undefined;
    if (ignore === undefined) continue;
    found.delete(mistake);
    used.add(ignore);
    ignored.push({ ...diagnose(of, source), ignored: ignore.reason });
  }
  return { ignored, used };
}

/** An anchored block is met at each use. */
function sortPlaces(found: Found): Found {
  if (found.spans.length === 1) return found;
  const byStart = new Map(found.spans.map((span) => [span.start, span]));
  return { ...found, spans: [...byStart.values()].sort((a, b) => a.start - b.start) };
}

function openNearest(): Report["nearest"] {
  const budget = { left: MOST_COMPARED };
  return (written, candidates, spanOf) => {
    const meant = suggest(written, candidates.keys(), budget);
    if (meant === undefined) return undefined;
    const candidate = candidates.get(meant);
    return { meant, at: candidate === undefined ? undefined : spanOf?.(candidate) };
  };
}

const MOST_NAMES = 20;

/** Words of the file may be as long as the file, and lists of them too. */
function brief<P extends object>(parameters: P): P {
  const short = Object.entries(parameters).map(([name, value]: [string, unknown]) => {
    if (typeof value === "string") return [name, shorten(value)];
    if (!Array.isArray(value) || value.length <= MOST_NAMES) return [name, value];
    return [name, [...value.slice(0, MOST_NAMES), `${grouped(value.length - MOST_NAMES)} more`]];
  });
  return Object.fromEntries(short) as P;
}

function startOf({ spans }: Found): Span {
  return spans[0] ?? { start: 0, end: 0 };
}

function comparePlaces(a: Found, b: Found): number {
  return startOf(a).start - startOf(b).start || compareNames(a.code, b.code);
}

function listMistakes(found: readonly Found[], source: SourceText): readonly Diagnostic[] {
  const listed = found.slice(0, MOST_LISTED).map((mistake) => diagnose(mistake, source));
  return [...listed, ...countRest(found.slice(MOST_LISTED), source)];
}

function diagnose(found: Found, source: SourceText): Diagnostic {
  const { code, spans, message, hint } = found;
  const span = startOf(found);
  const start = source.positionAt(span.start);
  return {
    code,
    severity: definitionOf(code).severity,
    message: message(),
    hint: hint(),
    file: source.file,
    start,
    end: source.positionAt(Math.max(span.start, span.end)),
    also: spans.slice(1).map((other) => source.positionAt(other.start)),
    line: source.lineAt(start.line),
  };
}

/** The diagnostic that counts the others, at the first of them; an error if there is one among them. */
function countRest(rest: readonly Found[], source: SourceText): readonly Diagnostic[] {
  return severities.flatMap((severity) => {
    const those = rest.filter(({ code }) => definitionOf(code).severity === severity);
    const [first] = those;
    if (first === undefined) return [];
    const count = grouped(those.length);
    const message = () => definitionOf("more-mistakes").message({ count });
    const place = { code: "more-mistakes" as const, spans: [startOf(first)], hint: () => undefined };
    const counted = diagnose({ ...place, message }, source);
    return [{ ...counted, severity, count: those.length }];
  });
}

function hintOf(clue: Clue, source: SourceText): string {
  if ("first" in clue) {
    const way = clue.advice === undefined ? "" : `; ${clue.advice}`;
    return `the other one is at ${place(source, clue.first)}${way}`;
  }
  if ("advice" in clue) return clue.advice;
  return `did you mean "${clue.meant}"${clue.at === undefined ? "" : ` (${place(source, clue.at)})`}?`;
}

function place(source: SourceText, span: Span): string {
  const { line, column } = source.positionAt(span.start);
  return `${source.file}:${line}:${column}`;
}
