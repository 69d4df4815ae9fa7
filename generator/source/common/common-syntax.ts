import type { MapNode, PairNode, ScalarNode, SequenceNode, SyntaxNode } from "../syntax-node.js";
import { readBlockScalar } from "./block-scalar.js";
import {
  AMPERSAND,
  ASTERISK,
  attempt,
  COLON,
  type Comment,
  type Cursor,
  codeAt,
  DASH,
  endLine,
  enter,
  GREATER,
  giveUp,
  isBlank,
  LIST_START,
  leave,
  MAP_START,
  nextContent,
  PIPE,
  skipSpaces,
} from "./cursor.js";
import { readFlow } from "./flow-collection.js";
import { readAlias, readAnchor, readScalar } from "./scalar.js";

/*
 * The YAML that meshes are written in: block and flow collections, scalars of one line, folded texts, anchors and comments. The library
 * reads all of YAML, and takes ten times as long. What is read here is what the library reads, offsets included; of all else, mistakes
 * above all, nothing is said here. `test/unit/compiler/common-yaml.test.ts` holds that.
 */

export interface CommonSyntax {
  readonly root: SyntaxNode;
  /** In the order of the text. */
  readonly comments: readonly Comment[];
  /** At least as many as the library's lexer makes of the text. */
  readonly tokens: number;
}

/** undefined: it is not certain what the text says. */
export function readCommonSyntax(text: string): CommonSyntax | undefined {
  if (/[\t\r\ufeff]/.test(text)) return undefined;
  return attempt(() => {
    const cursor: Cursor = {
      text,
      at: 0,
      column: 0,
      after: 0,
      commentColumn: -1,
      depth: 0,
      tokens: 1,
      comments: [],
    };
    nextContent(cursor);
    if (cursor.column !== 0) giveUp();
    const root = readMap(cursor, 0);
    if (cursor.at < text.length) giveUp();
    return { root, comments: cursor.comments, tokens: cursor.tokens };
  });
}

function readMap(cursor: Cursor, column: number, anchor?: string): MapNode {
  enter(cursor);
  const start = cursor.at;
  const pairs: PairNode[] = [];
  do {
    const key = readKey(cursor);
    pairs.push({ key, value: readValue(cursor, column) });
  } while (cursor.column === column);
  const end = close(cursor, column);
  return { kind: "map", start, end, anchor, pairs };
}

/** Gives where the block ends. Comments behind its last value that stand at its column, or to the right, come after it and within its parent's value. */
function close(cursor: Cursor, column: number): number {
  const end = cursor.after;
  if (cursor.column > column) giveUp();
  if (column > 0 && cursor.commentColumn >= column) {
    cursor.after = cursor.at;
    cursor.commentColumn = -1;
  }
  leave(cursor);
  return end;
}

const MOST_KEY = 1000;

/** With its colon. */
function readKey(cursor: Cursor): ScalarNode {
  const { text, at } = cursor;
  // A document may end, or another begin.
  if (text.startsWith("---", at) || text.startsWith("...", at)) giveUp();
  const key = readScalar(cursor, "block");
  if (!isAtColon(cursor) || cursor.at - at > MOST_KEY) giveUp();
  cursor.at += 1;
  cursor.tokens += 1;
  return key;
}

function isAtColon(cursor: Cursor): boolean {
  skipSpaces(cursor);
  return codeAt(cursor) === COLON && isBlank(cursor.text.charCodeAt(cursor.at + 1));
}

/** Of a key, with all up to what is written next. */
function readValue(cursor: Cursor, column: number): SyntaxNode {
  skipSpaces(cursor);
  let anchor: string | undefined;
  if (codeAt(cursor) === AMPERSAND) {
    anchor = readAnchor(cursor);
  }
  const code = codeAt(cursor);
  if (code === PIPE || code === GREATER) {
    if (anchor !== undefined) giveUp();
    const text = readBlockScalar(cursor, column);
    nextContent(cursor);
    return text;
  }
  if (!endLine(cursor)) return readInLine(cursor, column, anchor);
  nextContent(cursor);
  if (isAtDash(cursor)) {
    if (cursor.column < column || anchor !== undefined) giveUp();
    return readSequence(cursor, cursor.column);
  }
  if (cursor.column <= column) giveUp();
  return readMap(cursor, cursor.column, anchor);
}

function isAtDash(cursor: Cursor): boolean {
  return codeAt(cursor) === DASH && isBlank(cursor.text.charCodeAt(cursor.at + 1));
}

/** Of which the line holds the whole, but for braces and brackets. */
function readInLine(cursor: Cursor, column: number, anchor: string | undefined): SyntaxNode {
  const code = codeAt(cursor);
  if (code === ASTERISK && anchor !== undefined) giveUp();
  const node =
    code === MAP_START || code === LIST_START
      ? readFlow(cursor, column, anchor)
      : code === ASTERISK
        ? readAlias(cursor)
        : readScalar(cursor, "block", anchor);
  if (!endLine(cursor)) giveUp();
  nextContent(cursor, column);
  return node;
}

function readSequence(cursor: Cursor, column: number): SequenceNode {
  enter(cursor);
  const start = cursor.at;
  const items: SyntaxNode[] = [];
  do {
    items.push(readItem(cursor, column));
  } while (cursor.column === column && isAtDash(cursor));
  const end = close(cursor, column);
  return { kind: "sequence", start, end, anchor: undefined, items };
}

function readItem(cursor: Cursor, column: number): SyntaxNode {
  const dash = cursor.at;
  cursor.at += 1;
  cursor.tokens += 1;
  skipSpaces(cursor);
  if (isBlank(codeAt(cursor)) || isAtDash(cursor)) giveUp();
  if (codeAt(cursor) === AMPERSAND) return readAnchored(cursor, column);
  if (isAtMap(cursor)) return readMap(cursor, column + cursor.at - dash);
  return readInLine(cursor, column, undefined);
}

function readAnchored(cursor: Cursor, column: number): SyntaxNode {
  const anchor = readAnchor(cursor);
  if (codeAt(cursor) !== MAP_START && codeAt(cursor) !== LIST_START) giveUp();
  return readInLine(cursor, column, anchor);
}

/** Whether a key stands here. Looks ahead only. */
function isAtMap(cursor: Cursor): boolean {
  const code = codeAt(cursor);
  if (code === MAP_START || code === LIST_START || code === ASTERISK) return false;
  const { at } = cursor;
  readScalar(cursor, "block");
  const found = isAtColon(cursor);
  cursor.at = at;
  return found;
}
