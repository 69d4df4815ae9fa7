import { groupBy } from "../model/group.js";
import { compareNames } from "../model/order.js";
import type { SourceText, Span } from "../source/text.js";
import type { Diagnostic } from "./diagnostic.js";
import { type DiagnosticCode, type DiagnosticParameters, definitionOf } from "./registry.js";
import { suggest } from "./suggest.js";

/** What the file knows about the way out of a mistake; it replaces the hint of the code. */
export type Clue =
  | { readonly meant: string; readonly at: Span | undefined }
  /** Where the other of two conflicting things stands. */
  | { readonly first: Span }
  /** As it is to be read. */
  | { readonly advice: string };

export type Report = <C extends DiagnosticCode>(
  code: C,
  span: Span,
  parameters: DiagnosticParameters<C>,
  clue?: Clue,
) => void;

export interface Diagnostics {
  readonly report: Report;
  /** By place. One mistake is listed once, however often it is met: an anchored block is met at each use. */
  list(): readonly Diagnostic[];
}

/** Clue for a name that does not exist: the nearest one that does, and where. */
export function nearest<T>(
  written: string,
  candidates: ReadonlyMap<string, T>,
  spanOf?: (candidate: T) => Span | undefined,
): Clue | undefined {
  const meant = suggest(written, candidates.keys());
  if (meant === undefined) return undefined;
  const candidate = candidates.get(meant);
  return { meant, at: candidate === undefined ? undefined : spanOf?.(candidate) };
}

interface Found {
  readonly offset: number;
  /** What is equal in all places of one mistake. */
  readonly mistake: string;
  readonly diagnostic: Diagnostic;
}

export function collectDiagnostics(source: SourceText): Diagnostics {
  const found = new Map<string, Found>();
  return {
    report(code, span, parameters, clue) {
      const place = `${code} ${span.start}`;
      if (found.has(place)) return;
      const definition = definitionOf(code);
      const message = definition.message(parameters);
      const start = source.positionAt(span.start);
      found.set(place, {
        offset: span.start,
        mistake: definition.isMissingName ? `${code} ${message}` : place,
        diagnostic: {
          code,
          severity: definition.severity,
          message,
          hint: clue === undefined ? definition.hint?.(parameters) : hintOf(clue, source),
          file: source.file,
          start,
          end: source.positionAt(Math.max(span.start, span.end)),
          also: [],
          line: source.lineAt(start.line),
        },
      });
    },
    list: () => joinPlaces([...found.values()].sort(comparePlaces)),
  };
}

function comparePlaces(a: Found, b: Found): number {
  return a.offset - b.offset || compareNames(a.diagnostic.code, b.diagnostic.code);
}

function joinPlaces(found: readonly Found[]): readonly Diagnostic[] {
  return [...groupBy(found, ({ mistake }) => mistake).values()].flatMap(([first, ...others]) =>
    first === undefined
      ? []
      : [{ ...first.diagnostic, also: others.map(({ diagnostic }) => diagnostic.start) }],
  );
}

function hintOf(clue: Clue, source: SourceText): string {
  if ("advice" in clue) return clue.advice;
  if ("first" in clue) return `the other one is at ${place(source, clue.first)}`;
  return `did you mean "${clue.meant}"${clue.at === undefined ? "" : ` (${place(source, clue.at)})`}?`;
}

function place(source: SourceText, span: Span): string {
  const { line, column } = source.positionAt(span.start);
  return `${source.file}:${line}:${column}`;
}
