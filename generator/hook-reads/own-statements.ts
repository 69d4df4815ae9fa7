import { ts } from "ts-morph";
import type { HookWrites, WrittenTable } from "../flow/hook-reads.js";
import { loadSqlParser } from "../on-demand.js";
import { bare, calledBy, type FunctionNode } from "./resolve-value.js";
import { isPublisher, type PublisherNames } from "./told-events.js";

/**
 * The tables that a function writes by SQL of its own, itself or by functions of the project that it calls: by calls of `query` whose text stands in the
 * code. A text that is made at run time, or is no SQL that the parser reads, and a transaction that is handed to a package, leave it open what else is written.
 */
export function rowsWritten(
  of: FunctionNode,
  publisher: PublisherNames,
  checker: ts.TypeChecker,
): HookWrites {
  const tables: WrittenTable[] = [];
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

/** The tables that statements write, those within WITH included; undefined: they cannot be read. */
function readStatements(text: string): readonly WrittenTable[] | undefined {
  const { parse, astVisitor } = loadSqlParser();
  const found: WrittenTable[] = [];
  const visitor = astVisitor((map) => ({
    insert: (statement) => {
      const { into, onConflict } = statement;
      found.push({ ...into, how: "insert", columns: [] });
      if (typeof onConflict?.do === "object")
        found.push({ ...into, how: "update", columns: onConflict.do.sets.map(({ column }) => column.name) });
      map.super().insert(statement);
    },
    update: (statement) => {
      const { table, sets } = statement;
      found.push({ ...table, how: "update", columns: sets.map(({ column }) => column.name) });
      map.super().update(statement);
    },
    delete: (statement) => {
      found.push({ ...statement.from, how: "delete", columns: [] });
      map.super().delete(statement);
    },
  }));
  try {
    for (const statement of parse(text)) visitor.statement(statement);
  } catch {
    return undefined;
  }
  return found;
}
