import type { MapNode, PairNode, SequenceNode, SyntaxNode } from "../syntax-node.js";
import {
  AMPERSAND,
  ASTERISK,
  COLON,
  COMMA,
  type Cursor,
  codeAt,
  enter,
  giveUp,
  HASH,
  LINE_FEED,
  LIST_END,
  LIST_START,
  leave,
  MAP_END,
  MAP_START,
  skipComment,
  skipSpaces,
} from "./cursor.js";
import { readAlias, readAnchor, readScalar } from "./scalar.js";

/** What stands in braces or brackets, at the cursor; `column` is of the block around. */
export function readFlow(cursor: Cursor, column: number, anchor?: string): MapNode | SequenceNode {
  const isOuter = true;
  return readCollection(cursor, { column, isOuter }, anchor);
}

interface Around {
  readonly column: number;
  readonly isOuter: boolean;
}

function readCollection(cursor: Cursor, around: Around, anchor: string | undefined): MapNode | SequenceNode {
  enter(cursor);
  const start = cursor.at;
  const inside = { ...around, isOuter: false };
  const found: MapNode | SequenceNode =
    codeAt(cursor) === MAP_START
      ? {
          kind: "map",
          start,
          end: 0,
          anchor,
          pairs: readItems(cursor, around, MAP_END, () => readPair(cursor, inside)),
        }
      : {
          kind: "sequence",
          start,
          end: 0,
          anchor,
          items: readItems(cursor, around, LIST_END, () => readValue(cursor, inside)),
        };
  leave(cursor);
  return { ...found, end: cursor.at };
}

/** From the opening to behind the closing sign. */
function readItems<T>(cursor: Cursor, around: Around, close: number, readItem: () => T): readonly T[] {
  const items: T[] = [];
  do {
    cursor.at += 1;
    cursor.tokens += 1;
    skipBetween(cursor, around);
    if (codeAt(cursor) === close) break;
    items.push(readItem());
    skipBetween(cursor, around);
  } while (codeAt(cursor) === COMMA);
  if (codeAt(cursor) !== close) giveUp();
  cursor.at += 1;
  cursor.tokens += 1;
  return items;
}

function readPair(cursor: Cursor, around: Around): PairNode {
  const key = readScalar(cursor, "flow");
  skipSpaces(cursor);
  if (codeAt(cursor) !== COLON) giveUp();
  cursor.at += 1;
  cursor.tokens += 1;
  skipBetween(cursor, around);
  return { key, value: readValue(cursor, around) };
}

function readValue(cursor: Cursor, around: Around): SyntaxNode {
  let anchor: string | undefined;
  if (codeAt(cursor) === AMPERSAND) {
    anchor = readAnchor(cursor);
    if (codeAt(cursor) === LINE_FEED) giveUp();
  }
  const code = codeAt(cursor);
  if (code === MAP_START || code === LIST_START) return readCollection(cursor, around, anchor);
  if (code !== ASTERISK) return readScalar(cursor, "flow", anchor);
  return anchor === undefined ? readAlias(cursor) : giveUp();
}

/** Space, line breaks and comments. Lines stand further to the right than the block around; the last sign may stand below it. */
function skipBetween(cursor: Cursor, { column, isOuter }: Around): void {
  for (;;) {
    skipSpaces(cursor);
    const code = codeAt(cursor);
    if (code === HASH) skipComment(cursor);
    else if (code === LINE_FEED) {
      cursor.at += 1;
      cursor.tokens += 1;
      const lineStart = cursor.at;
      skipSpaces(cursor);
      const indent = cursor.at - lineStart;
      const next = codeAt(cursor);
      const isClose = isOuter && indent === column && (next === MAP_END || next === LIST_END);
      // The library may take the line break for another token's, and miss the space before the comment.
      if (indent === 0 && next === HASH) giveUp();
      if (indent <= column && next !== LINE_FEED && next !== HASH && !isClose) giveUp();
    } else return;
  }
}
