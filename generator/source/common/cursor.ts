/** Where reading has come to, and what it has seen. */
export interface Cursor {
  readonly text: string;
  at: number;
  /** Of what stands at `at`, where that is the first of its line; -1 at the end of the text. */
  column: number;
  /** Where the node that was read last ends, with the space, comment and line break that belong to it. */
  after: number;
  /** Of the comments between `after` and `at`, the furthest to the right; -1: there is none. */
  commentColumn: number;
  /** Mappings and lists around. */
  depth: number;
  /** At least as many as the library's lexer makes. */
  tokens: number;
  readonly comments: Comment[];
}

export interface Comment {
  readonly start: number;
  readonly end: number;
}

export const LINE_FEED = 10;
export const SPACE = 32;
export const DOUBLE_QUOTE = 34;
export const HASH = 35;
export const AMPERSAND = 38;
export const SINGLE_QUOTE = 39;
export const ASTERISK = 42;
export const COMMA = 44;
export const DASH = 45;
export const COLON = 58;
export const LIST_START = 91;
export const LIST_END = 93;
export const PIPE = 124;
export const MAP_START = 123;
export const MAP_END = 125;
export const GREATER = 62;

const MOST_DEPTH = 64;

class Uncommon extends Error {}

const uncommon = new Uncommon("left to the library");

/** For all that is not certain: the library knows it, or knows what is wrong with it. */
export function giveUp(): never {
  throw uncommon;
}

/** undefined: it gave up. */
export function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error === uncommon) return undefined;
    throw error;
  }
}

export function codeAt({ text, at }: Cursor): number {
  return text.charCodeAt(at);
}

/** NaN is the end of the text. */
export function isBlank(code: number): boolean {
  return code === SPACE || code === LINE_FEED || Number.isNaN(code);
}

export function isFlowIndicator(code: number): boolean {
  return code === COMMA || code === LIST_START || code === LIST_END || code === MAP_START || code === MAP_END;
}

export function skipSpaces(cursor: Cursor): void {
  const { text } = cursor;
  let { at } = cursor;
  while (text.charCodeAt(at) === SPACE) at += 1;
  if (at > cursor.at) cursor.tokens += 1;
  cursor.at = at;
}

/** At "#". */
export function skipComment(cursor: Cursor): void {
  const { text, at, comments } = cursor;
  if (at > 0 && !isBlank(text.charCodeAt(at - 1))) giveUp();
  const lineEnd = text.indexOf("\n", at);
  cursor.at = lineEnd === -1 ? text.length : lineEnd;
  comments.push({ start: at, end: cursor.at });
  cursor.tokens += 1;
}

/** Whether nothing but a comment follows on the line: then the next line begins at the cursor. */
export function endLine(cursor: Cursor): boolean {
  skipSpaces(cursor);
  if (codeAt(cursor) === HASH) skipComment(cursor);
  if (!isBlank(codeAt(cursor))) return false;
  if (cursor.at < cursor.text.length) cursor.at += 1;
  cursor.tokens += 1;
  return true;
}

/**
 * From the start of a line to what is written next. `within`: column of the block whose value was read last, where comments
 * further to the right belong to that value.
 */
export function nextContent(cursor: Cursor, within?: number): void {
  const { text } = cursor;
  cursor.after = cursor.at;
  cursor.commentColumn = -1;
  for (;;) {
    const lineStart = cursor.at;
    skipSpaces(cursor);
    const column = cursor.at - lineStart;
    const code = codeAt(cursor);
    if (code === LINE_FEED) cursor.at += 1;
    else if (code === HASH) {
      skipComment(cursor);
      if (cursor.at < text.length) cursor.at += 1;
      if (within !== undefined && cursor.commentColumn === -1 && column > within) cursor.after = cursor.at;
      else cursor.commentColumn = Math.max(cursor.commentColumn, column);
    } else {
      cursor.column = Number.isNaN(code) ? -1 : column;
      return;
    }
    cursor.tokens += 1;
  }
}

export function enter(cursor: Cursor): void {
  cursor.depth += 1;
  if (cursor.depth > MOST_DEPTH) giveUp();
}

export function leave(cursor: Cursor): void {
  cursor.depth -= 1;
}
