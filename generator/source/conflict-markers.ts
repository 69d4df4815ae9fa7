import { createSourceText, type Span } from "./text.js";

/** As git, Mercurial and others write them, at the beginning of a line. No YAML of a mesh has a line like these. */
const MARKER = /^(?:[<|>]{7}(?= |\r?$)|={7}(?=\r?$))/m;

/** The first line that a merge has left for a person to settle; undefined where there is none. */
export function findConflictMarker(text: string): Span | undefined {
  const found = MARKER.exec(text);
  if (found === null) return undefined;
  const next = text.indexOf("\n", found.index);
  const line = text.slice(found.index, next === -1 ? text.length : next);
  return { start: found.index, end: found.index + line.trimEnd().length };
}

/** Of a generated file that is not as it was: `path:12 has …` where a merge has left its markers in it. */
export function describeChange(path: string, text: string): string {
  const marker = findConflictMarker(text);
  if (marker === undefined) return `${path} has been changed since it was generated`;
  const { line } = createSourceText(text, path).positionAt(marker.start);
  return `${path}:${line} has a marker that a merge has left`;
}
