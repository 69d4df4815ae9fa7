import { visible } from "./visible.js";

/** In SQL that is being made, stands for the schema of what the mesh keeps in the database. No text of mesh.yaml holds it. */
export const SCHEMA_MARK = "\u0001";

/** The SQL as it runs where the mesh keeps its tables in this schema. */
export function withMeshSchema(sql: string, schema: string): string {
  return sql.replaceAll(SCHEMA_MARK, schema);
}

/** A name of SQL that is not to be read as a word of its own. */
export function quotedName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/**
 * A string constant, the same whatever standard_conforming_strings says in the session that runs it, and on one line:
 * no reader of the file takes a line of it for one of the file's own, and no checkout changes a line break in it.
 */
export function literal(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  const escaped = visible(quoted.replaceAll("\\", "\\\\")).replaceAll("\n", "\\n");
  return escaped === quoted ? quoted : `E${escaped}`;
}

/** The delimiter of a dollar-quoted text that holds none like it. */
export function dollarQuote(text: string): string {
  let delimiter = "$$";
  for (let count = 1; text.includes(delimiter); count += 1) delimiter = `$body${count}$`;
  return delimiter;
}

/**
 * Lines of a comment, to stand behind `-- `. Those after the first are indented: a file says things of itself in
 * comments without that, and no description is to be taken for one.
 */
export function commentLines(text: string): readonly string[] {
  const [first = "", ...rest] = text.trim().split(/\r\n|\r|\n/);
  return [first, ...rest.map((line) => `  ${line}`)].map(visible);
}
