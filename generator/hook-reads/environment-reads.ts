import { posix } from "node:path";
import { ts } from "ts-morph";
import type { ProjectFiles } from "./hook-program.js";

/** What an operating system, Node or Kubernetes sets, and no list of an environment. */
const SET_ELSEWHERE = /^(HOME|PATH|PWD|USER|SHELL|TMPDIR|HOSTNAME|LANG|TZ|NODE_\w+|KUBERNETES_\w+)$/;

/**
 * Names of the variables that a module reads, and the project's modules that it imports: members of whatever is called `env`, as `process.env` and the
 * context of a start hook are. Sorted.
 */
export function readEnvironment(path: string, files: ProjectFiles): readonly string[] {
  const found = new Set<string>();
  const seen = new Set<string>();
  const visit = (file: string) => {
    if (seen.has(file)) return;
    seen.add(file);
    const text = files.read(file);
    if (text === undefined) return;
    const source = ts.createSourceFile(file, text, ts.ScriptTarget.ESNext);
    for (const name of namesIn(source)) if (!SET_ELSEWHERE.test(name)) found.add(name);
    for (const specifier of importsOf(source)) for (const each of filesOf(specifier, file)) visit(each);
  };
  visit(path);
  return [...found].toSorted();
}

function namesIn(node: ts.Node): readonly string[] {
  const own = namesAt(node).filter((name) => /^[A-Z][A-Z0-9_]*$/.test(name));
  const inner: string[] = [];
  ts.forEachChild(node, (child) => void inner.push(...namesIn(child)));
  return [...own, ...inner];
}

/** `env.NAME`, `env["NAME"]`, `const { NAME } = env` */
function namesAt(node: ts.Node): readonly string[] {
  if (ts.isPropertyAccessExpression(node) && isEnvironment(node.expression)) return [node.name.text];
  if (
    ts.isElementAccessExpression(node) &&
    isEnvironment(node.expression) &&
    ts.isStringLiteralLike(node.argumentExpression)
  )
    return [node.argumentExpression.text];
  if (
    ts.isVariableDeclaration(node) &&
    ts.isObjectBindingPattern(node.name) &&
    node.initializer !== undefined &&
    isEnvironment(node.initializer)
  )
    return node.name.elements.flatMap(({ propertyName, name }) => {
      const read = propertyName ?? name;
      return ts.isIdentifier(read) ? [read.text] : [];
    });
  return [];
}

function isEnvironment(node: ts.Expression): boolean {
  if (ts.isIdentifier(node)) return node.text === "env";
  return ts.isPropertyAccessExpression(node) && node.name.text === "env";
}

function importsOf(source: ts.SourceFile): readonly string[] {
  return source.statements.flatMap((statement) =>
    (ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement)) &&
    statement.moduleSpecifier !== undefined &&
    ts.isStringLiteral(statement.moduleSpecifier)
      ? [statement.moduleSpecifier.text]
      : [],
  );
}

/** Where a relative import may lie: `./mail.js` is mail.ts. What is generated reads no variable of hooks. */
function filesOf(specifier: string, from: string): readonly string[] {
  if (!specifier.startsWith(".")) return [];
  const path = posix.join(posix.dirname(from), specifier);
  if (/(^|\/)generated\//.test(path)) return [];
  return [path, path.replace(/\.js$/, ".ts"), `${path}.ts`, `${path}/index.ts`];
}
