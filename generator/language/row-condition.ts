import { loadSqlParser } from "../on-demand.js";

/** What a `check` of mesh.yaml says: SQL over the columns of one row. */
export type RowCondition =
  | { readonly ok: true /** The columns that it names, each once. */; readonly columns: readonly string[] }
  | { readonly ok: false; readonly reason: string };

/** The parser does not know this comparison, which names what the others name. */
const DISTINCT = /\bIS\s+(?:NOT\s+)?DISTINCT\s+FROM\b/gi;

/** `syntax error at line 1 col 9`. */
function reasonOf(error: unknown): string {
  const [first = ""] = error instanceof Error ? error.message.split("\n") : [];
  return first.charAt(0).toLowerCase() + first.slice(1).replace(/:( \d+)?$/, "");
}

/** As far as it can be judged without the database: its syntax, and what it names. */
export function readCondition(text: string): RowCondition {
  const { parse, astVisitor } = loadSqlParser();
  const columns = new Set<string>();
  let unfit: string | undefined;
  try {
    const visitor = astVisitor(() => ({
      ref: ({ table, name }) => {
        if (table !== undefined || name === "*") unfit = "it names a table: write the columns alone";
        else columns.add(name);
      },
      select: () => {
        unfit = "it reads rows: a condition sees its own row alone";
      },
    }));
    visitor.expr(parse(text.replaceAll(DISTINCT, "="), "expr"));
  } catch (error) {
    return { ok: false, reason: reasonOf(error) };
  }
  // The printed constraint closes its bracket behind the text.
  if (/--|\/\*/.test(text.replaceAll(/'(?:[^']|'')*'/g, ""))) unfit = "it has a comment";
  if (columns.size === 0) unfit ??= "it names no column";
  return unfit === undefined ? { ok: true, columns: [...columns] } : { ok: false, reason: unfit };
}
