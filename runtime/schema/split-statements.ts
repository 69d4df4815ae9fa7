/** What may hold a semicolon that ends nothing: strings, quoted names, comments, dollar-quoted bodies. */
const TOKEN =
  /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\/|\$(\w*)\$[\s\S]*?\$\1\$|;|[^'"\-/$;]+|[\s\S]/g;

/** What a file is made of; joined they are the file. */
export function tokens(sql: string): Iterable<RegExpExecArray> {
  return sql.matchAll(TOKEN);
}

/** A statement of a file of SQL. */
export interface Statement {
  readonly text: string;
  /** Line of the file on which it begins, from 1. */
  readonly line: number;
}

/** The statements of a file, without the comments around them. */
export function splitStatements(sql: string): readonly Statement[] {
  const statements: Statement[] = [];
  let text = "";
  let begin = 0;
  const flush = () => {
    if (text.trim() !== "") {
      const line = sql.slice(0, begin).split("\n").length;
      statements.push({ text: text.trim(), line });
    }
    text = "";
  };
  for (const { 0: token, index } of tokens(sql)) {
    if (token === ";") {
      flush();
      continue;
    }
    if (token.startsWith("--") || token.startsWith("/*")) continue;
    if (text.trim() === "") begin = index + (token.length - token.trimStart().length);
    text += token;
  }
  flush();
  return statements;
}
