import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ts } from "ts-morph";

/*
 * Calls of functions in the SQL that stands in the project's own files: which of them leave it to the session's search_path whose
 * function is meant.
 */

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** One with arguments: without any there is but one function that fits, and PostgreSQL's own schema is looked into first. */
const CALL = /(?<![\w.$"`])([a-z_][a-z0-9_]*)\((?![)*])/g;

/** PostgreSQL's own grammar says which function is meant, and does so for the bare name alone. */
const SYNTAX = new Set(["extract"]);

/** Pins the path for all that its body calls. */
const PINNED = /SET (?:LOCAL )?search_path = pg_catalog/;

/** `file: call` of each bare call of one of these functions. */
export function findBareCalls(functions: ReadonlySet<string>): readonly string[] {
  return sqlTexts().flatMap(([file, text]) =>
    text
      .split(/(?=CREATE (?:OR REPLACE )?FUNCTION )/)
      .filter((part) => !PINNED.test(part))
      .flatMap((part) =>
        [...part.matchAll(CALL)]
          .filter(([call, name = ""], _) => functions.has(name) && !SYNTAX.has(name) && call !== "")
          .filter(({ 1: name, index }) => name !== "unnest" || !takesSeveral(part, index + "unnest".length))
          .map(({ index }) => `${file}: ${part.slice(index, index + 50).split("\n")[0]}`),
      ),
  );
}

/** `unnest(a, b)` in FROM is syntax too: several arrays side by side. */
function takesSeveral(text: string, open: number): boolean {
  let depth = 0;
  for (let at = open; at < text.length; at += 1) {
    const sign = text[at] ?? "";
    if ("([{".includes(sign)) depth += 1;
    else if (")]}".includes(sign)) depth -= 1;
    else if (sign === "," && depth === 1) return true;
    if (depth === 0) return false;
  }
  return false;
}

function sqlTexts(): readonly (readonly [file: string, text: string])[] {
  const files = (folder: string, end: string) =>
    readdirSync(ROOT + folder, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(end) && !path.startsWith("dist"))
      .map((path) => `${folder}/${path}`);
  const scripts = [
    ...files("runtime", ".ts"),
    ...files("generator/rules", ".ts"),
    "generator/migrations/casts.ts",
  ];
  return [
    ...[...files("templates/sql", ".hbs"), ...files("templates/database", ".hbs")].map(
      (file) => [file, readFileSync(ROOT + file, "utf8")] as const,
    ),
    ...scripts.flatMap((file) => literalsOf(file).map((text) => [file, text] as const)),
  ];
}

/** Its texts, with what is filled into them as it stands in the code. */
function literalsOf(file: string): readonly string[] {
  const source = ts.createSourceFile(file, readFileSync(ROOT + file, "utf8"), ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node)) found.push(node.text);
    else if (ts.isTemplateExpression(node)) {
      found.push([node.head.text, ...node.templateSpans.map((span) => `\${…}${span.literal.text}`)].join(""));
      for (const { expression } of node.templateSpans) visit(expression);
      return;
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}
