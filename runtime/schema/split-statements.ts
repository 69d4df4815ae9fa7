/*
 * Where the statements of a file of SQL end: as psql reads it, whose rules these are.
 */

/** A piece of SQL: what may hold a semicolon that ends nothing, a word, a sign, blanks. */
export interface Token {
  readonly text: string;
  readonly index: number;
}

/** Strings (those with backslashes, too), quoted names, comments to the end of the line, dollar-quoted bodies, words, blanks, any other sign. */
const TOKEN =
  /[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\$((?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?)\$[\s\S]*?\$\1\$|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*|\s+|[\s\S]/y;

/** What a file is made of; joined they are the file. */
export function* tokens(sql: string): Iterable<Token> {
  for (let index = 0; index < sql.length; ) {
    const text = sql.startsWith("/*", index)
      ? sql.slice(index, endOfComment(sql, index))
      : nextToken(sql, index);
    yield { text, index };
    index += text.length;
  }
}

function nextToken(sql: string, index: number): string {
  TOKEN.lastIndex = index;
  return TOKEN.exec(sql)?.[0] ?? sql.slice(index);
}

/** Comments nest. */
function endOfComment(sql: string, from: number): number {
  const bounds = /\/\*|\*\//g;
  bounds.lastIndex = from;
  let depth = 0;
  for (const [found] of iterate(bounds, sql)) {
    depth += found === "/*" ? 1 : -1;
    if (depth === 0) return bounds.lastIndex;
  }
  return sql.length;
}

function* iterate(pattern: RegExp, text: string): Iterable<RegExpExecArray> {
  for (let found = pattern.exec(text); found !== null; found = pattern.exec(text)) yield found;
}

/** A statement of a file of SQL. */
export interface Statement {
  readonly text: string;
  /** Where the file has it, and on which line, from 1. */
  readonly index: number;
  readonly line: number;
}

/** The statements of a file, without the comments around them. */
export function splitStatements(sql: string): readonly Statement[] {
  const statements: Statement[] = [];
  let nesting = openNesting();
  let begin: number | undefined;
  let end = 0;
  const flush = () => {
    if (begin !== undefined) {
      const line = sql.slice(0, begin).split("\n").length;
      statements.push({ text: sql.slice(begin, end), index: begin, line });
    }
    begin = undefined;
    nesting = openNesting();
  };
  for (const { text, index } of tokens(sql)) {
    if (isFiller(text)) continue;
    if (text === ";" && !nesting.isOpen()) {
      flush();
      continue;
    }
    nesting.read(text);
    begin ??= index;
    end = index + text.length;
  }
  flush();
  return statements;
}

/** A comment, or blanks. */
export function isFiller(token: string): boolean {
  return /^(?:--|\/\*|\s)/.test(token);
}

/** Brackets, and the body of a function in SQL itself: `BEGIN ATOMIC …; …; END`. A semicolon within ends no statement. */
function openNesting() {
  const words: string[] = [];
  let isRoutine = false;
  let brackets = 0;
  let blocks = 0;
  return {
    isOpen: () => brackets > 0 || blocks > 0,
    read(token: string): void {
      if (token === "(") brackets += 1;
      if (token === ")") brackets = Math.max(0, brackets - 1);
      const word = token.toUpperCase();
      if (words.length < 4) {
        words.push(word);
        isRoutine = /^CREATE (OR REPLACE )?(FUNCTION|PROCEDURE)\b/.test(words.join(" "));
      }
      if (!isRoutine) return;
      if (word === "BEGIN" || (word === "CASE" && blocks > 0)) blocks += 1;
      if (word === "END" && blocks > 0) blocks -= 1;
    },
  };
}
