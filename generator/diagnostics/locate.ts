import { compareNames } from "../collections/compare-names.js";
import type { Position, SourceText } from "../source/text.js";
import { nearestEntry, type PathStep, type Value } from "../source/value.js";
import type { Diagnostic } from "./diagnostic.js";
import type { Severity } from "./severity.js";

/** A mistake of which it is known what it is about, but not yet where that is written. */
export interface Mistake {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  /** The keys that lead to it. What is no longer written is reported at the nearest thing around it. */
  readonly path: readonly string[];
  /** `error` where it is not said. */
  readonly severity?: Severity;
}

interface Written {
  readonly source: SourceText;
  /** undefined: the file could not be read. */
  readonly value: Value | undefined;
}

/** Where a thing is written: its key, or the nearest thing around it. */
export interface Place {
  readonly file: string;
  readonly start: Position;
  /** Exclusive. */
  readonly end: Position;
}

export function placeAt(path: readonly PathStep[], { source, value }: Written): Place {
  const { start, end } = (value && nearestEntry(value, path))?.keySpan ?? { start: 0, end: 0 };
  return { file: source.file, start: source.positionAt(start), end: source.positionAt(end) };
}

/** In file order. A mistake in an anchored block is reported once, however often the block is used. */
export function locateMistakes(
  mistakes: readonly Mistake[],
  { source, value }: Written,
): readonly Diagnostic[] {
  const located = mistakes.map(({ code, message, hint, path, severity = "error" }) => {
    const entry = value && nearestEntry(value, path);
    // Points at the key, which names the thing; at the value only where the path leads to a plain value.
    const isSaid =
      entry?.value.kind === "scalar" && entry.key === path.at(-1) && entry.key === "renamed_from";
    const span = (isSaid ? entry.value.span : entry?.keySpan) ?? { start: 0, end: 0 };
    const start = source.positionAt(span.start);
    const end = source.positionAt(span.end);
    const line = source.lineAt(start.line);
    const place = { file: source.file, start, end, also: [], line };
    return { offset: span.start, diagnostic: { code, severity, message, hint, ...place } };
  });
  const seen = new Set<string>();
  return located
    .filter(({ offset, diagnostic: { code, message } }) => {
      const mistake = JSON.stringify([offset, code, message]);
      return !seen.has(mistake) && seen.add(mistake);
    })
    .sort((a, b) => a.offset - b.offset || compareNames(a.diagnostic.code, b.diagnostic.code))
    .map(({ diagnostic }) => diagnostic);
}
