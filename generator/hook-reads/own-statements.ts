import type { QName, SetStatement, Statement } from "pgsql-ast-parser";
import { ts } from "ts-morph";
import type { HookStatements, UsedTable } from "../flow/hook-reads.js";
import { loadSqlParser } from "../on-demand.js";
import { bare, calledBy, type FunctionNode } from "./resolve-value.js";
import { isPublisher, type PublisherNames } from "./told-events.js";

/**
 * The tables that a function reads and writes by SQL of its own, itself or by functions of the project that it calls: by calls of `query` whose text stands in the
 * code. A text that is made at run time, or is no SQL that the parser reads, and a transaction that is handed to a package, leave it open what else it does.
 */
export function statementsOf(
  of: FunctionNode,
  publisher: PublisherNames,
  checker: ts.TypeChecker,
): HookStatements {
  const tables: UsedTable[] = [];
  let isWhole = true;
  const seen = new Set<FunctionNode>();
  const visitFunction = (node: FunctionNode): void => {
    if (seen.has(node)) return;
    seen.add(node);
    if (node.body !== undefined) visit(node.body);
  };
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      const called = calledBy(node, checker);
      const text = textQueried(node, checker);
      if (called !== undefined) visitFunction(called);
      else if (text !== undefined) {
        const written = text === "unknown" ? undefined : readStatements(text);
        if (written === undefined) isWhole = false;
        else tables.push(...written);
      } else if (handsOnTransaction(node) && !isOfPublisher(node, publisher, checker)) isWhole = false;
    }
    ts.forEachChild(node, visit);
  };
  visitFunction(of);
  return { tables, isWhole };
}

/** What `tx.query(…)` runs; undefined: it is another call. */
function textQueried(
  { expression, arguments: [given] }: ts.CallExpression,
  checker: ts.TypeChecker,
): string | "unknown" | undefined {
  if (!ts.isPropertyAccessExpression(expression) || expression.name.text !== "query") return undefined;
  return given === undefined ? "unknown" : (textOf(bare(given), checker) ?? "unknown");
}

/** A literal, a sum of them, or a constant that is one. */
function textOf(node: ts.Expression, checker: ts.TypeChecker): string | undefined {
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    const [left, right] = [textOf(bare(node.left), checker), textOf(bare(node.right), checker)];
    return left === undefined || right === undefined ? undefined : left + right;
  }
  if (!ts.isIdentifier(node)) return undefined;
  const declaration = checker.getSymbolAtLocation(node)?.valueDeclaration;
  if (declaration === undefined || !ts.isVariableDeclaration(declaration)) return undefined;
  const { initializer, parent } = declaration;
  const isConstant = (ts.getCombinedNodeFlags(parent) & ts.NodeFlags.Const) !== 0;
  return isConstant && initializer !== undefined ? textOf(bare(initializer), checker) : undefined;
}

/** By the name that a hook's context gives it. */
function handsOnTransaction({ arguments: given }: ts.CallExpression): boolean {
  return given.some((argument) => {
    const value = bare(argument);
    return (
      (ts.isIdentifier(value) && value.text === "tx") ||
      (ts.isPropertyAccessExpression(value) && value.name.text === "tx")
    );
  });
}

function isOfPublisher(
  { expression }: ts.CallExpression,
  { name }: PublisherNames,
  checker: ts.TypeChecker,
): boolean {
  return ts.isPropertyAccessExpression(expression) && isPublisher(expression.expression, name, checker);
}

/** The tables that statements use, those within WITH included; undefined: they cannot be read. */
function readStatements(text: string): readonly UsedTable[] | undefined {
  const { parse } = loadSqlParser();
  try {
    return parse(text).flatMap(tablesIn);
  } catch {
    return undefined;
  }
}

function tablesIn(statement: Statement): readonly UsedTable[] {
  const found: Omit<UsedTable, "names">[] = [];
  const names = new Set<string>();
  const written = (table: QName, how: UsedTable["how"], sets: readonly SetStatement[] = []) => {
    const columns = sets.map(({ column }) => column.name);
    for (const name of columns) names.add(name);
    found.push({ schema: table.schema, name: table.name, how, columns });
  };
  const visitor = loadSqlParser().astVisitor((map) => ({
    ref: ({ name }) => names.add(name),
    tableRef: (table) => written(table, "read"),
    insert: (each) => {
      written(each.into, "insert");
      for (const { name } of each.columns ?? []) names.add(name);
      if (typeof each.onConflict?.do === "object") written(each.into, "update", each.onConflict.do.sets);
      map.super().insert(each);
    },
    update: (each) => {
      written(each.table, "update", each.sets);
      map.super().update(each);
    },
    delete: (each) => {
      written(each.from, "delete");
      map.super().delete(each);
    },
  }));
  visitor.statement(statement);
  // The visitor comes by a written table again, as by one that is read.
  const tables = found.filter(
    ({ how, name }, at) =>
      how !== "read" || !found.slice(0, at).some((other) => other.how !== "read" && other.name === name),
  );
  return tables.map((table) => ({ ...table, names: [...names] }));
}
