/** Offsets into the text of mesh.yaml, end exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** 1-based, as editors count; columns are UTF-16 units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface SourceText {
  /** As the user named it: what diagnostics print. */
  readonly file: string;
  readonly text: string;
  positionAt(offset: number): Position;
  /** Without its line break; `line` is 1-based. */
  lineAt(line: number): string;
}

export function createSourceText(text: string, file: string): SourceText {
  const lineStarts = findLineStarts(text);
  return {
    file,
    text,
    positionAt(offset) {
      const line = lastAtMost(lineStarts, offset);
      return { line: line + 1, column: offset - (lineStarts[line] ?? 0) + 1 };
    },
    lineAt(line) {
      const start = lineStarts[line - 1] ?? text.length;
      const next = lineStarts[line];
      const end = next === undefined ? text.length : next - 1;
      return text.slice(start, end > start && text[end - 1] === "\r" ? end - 1 : end);
    },
  };
}

function findLineStarts(text: string): readonly number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

/** Index of the last element that is at most `limit`; `sorted` starts with 0. */
function lastAtMost(sorted: readonly number[], limit: number): number {
  let low = 0;
  let high = sorted.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((sorted[middle] ?? 0) <= limit) low = middle;
    else high = middle - 1;
  }
  return low;
}
