import { CST, Lexer } from "yaml";
import type { SourceText, Span } from "./text.js";

export interface Comment {
  /** From its "#". */
  readonly text: string;
  readonly span: Span;
}

/** The comments that contain the word. A file without it is not read again. */
export function commentsWith(word: string, { text }: SourceText): readonly Comment[] {
  if (!text.includes(word)) return [];
  const comments: Comment[] = [];
  let offset = 0;
  for (const lexeme of new Lexer().lex(text)) {
    const type = CST.tokenType(lexeme);
    if (type === "comment" && lexeme.includes(word))
      comments.push({ text: lexeme, span: { start: offset, end: offset + lexeme.length } });
    if (!STANDS_FOR_NOTHING.has(type)) offset += lexeme.length;
  }
  return comments;
}

/** Tokens that the lexer adds to the text. */
const STANDS_FOR_NOTHING: ReadonlySet<CST.TokenType | null> = new Set([
  "doc-mode",
  "flow-error-end",
  "scalar",
]);
