import type { ScalarNode } from "../syntax-node.js";
import { type Cursor, codeAt, endLine, GREATER, giveUp, LINE_FEED, SPACE } from "./cursor.js";

/** At "|" or ">": lines that all stand at one column, further to the right than `column`. */
export function readBlockScalar(cursor: Cursor, column: number): ScalarNode {
  const { text, at: start } = cursor;
  const isFolded = codeAt(cursor) === GREATER;
  cursor.at += 1;
  const isStripped = text[cursor.at] === "-";
  if (isStripped) cursor.at += 1;
  cursor.tokens += 3;
  if (!endLine(cursor)) giveUp();
  const lines = readLines(cursor, column);
  const value = (isFolded ? fold(lines) : lines.join("\n")) + (isStripped ? "" : "\n");
  return { kind: "scalar", start, end: cursor.at, anchor: undefined, value, source: value };
}

/** Without those that are empty at its end. */
function readLines(cursor: Cursor, column: number): readonly string[] {
  const { text } = cursor;
  const lines: string[] = [];
  let indent = 0;
  let { at } = cursor;
  for (;;) {
    const lineStart = at;
    while (text.charCodeAt(at) === SPACE) at += 1;
    const code = text.charCodeAt(at);
    if (code === LINE_FEED && at === lineStart && lines.length > 0) {
      lines.push("");
      at += 1;
      continue;
    }
    if (lines.length === 0) indent = at - lineStart;
    if (at - lineStart < indent && code !== LINE_FEED) break;
    // What is further to the right keeps its line breaks, and of space alone it depends.
    if (Number.isNaN(code) && at === lineStart) break;
    if (at - lineStart !== indent || code === LINE_FEED || Number.isNaN(code) || indent <= column) giveUp();
    const lineEnd = text.indexOf("\n", at);
    if (lineEnd === -1) giveUp();
    lines.push(text.slice(at, lineEnd));
    at = lineEnd + 1;
    cursor.at = at;
  }
  while (lines.at(-1) === "") lines.pop();
  return lines;
}

/** A line break is a space, and an empty line a line break. */
function fold(lines: readonly string[]): string {
  return lines.reduce((text, line, index) => {
    if (index === 0) return line;
    const isAfterEmpty = lines[index - 1] === "";
    return line === "" ? `${text}\n` : isAfterEmpty ? text + line : `${text} ${line}`;
  }, "");
}
