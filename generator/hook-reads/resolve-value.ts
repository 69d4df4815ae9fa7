import { ts } from "ts-morph";

/* What an expression stands for, as far as the project's own files tell. */

export type FunctionNode = ts.FunctionLikeDeclaration;

/** The declaration that a name leads to, also one that was imported. */
function declarationOf(node: ts.Node, checker: ts.TypeChecker): ts.Declaration | undefined {
  const symbol = ts.isShorthandPropertyAssignment(node.parent)
    ? checker.getShorthandAssignmentValueSymbol(node.parent)
    : checker.getSymbolAtLocation(node);
  return declared(symbol, checker);
}

function declared(symbol: ts.Symbol | undefined, checker: ts.TypeChecker): ts.Declaration | undefined {
  if (symbol === undefined) return undefined;
  const meant = (symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol);
  return meant.valueDeclaration ?? meant.declarations?.[0];
}

/** What a module exports under the name. */
export function exportOf(
  file: ts.SourceFile,
  name: string,
  checker: ts.TypeChecker,
): ts.Expression | undefined {
  const module = checker.getSymbolAtLocation(file);
  const exported = module && checker.getExportsOfModule(module).find((symbol) => symbol.name === name);
  const declaration = declared(exported, checker);
  return declaration && givenBy(declaration);
}

/** The expression that a declaration gives its name. */
function givenBy(declaration: ts.Declaration): ts.Expression | undefined {
  if (ts.isVariableDeclaration(declaration) || ts.isPropertyAssignment(declaration))
    return declaration.initializer;
  if (ts.isPropertyDeclaration(declaration)) return declaration.initializer;
  if (ts.isExportAssignment(declaration)) return declaration.expression;
  return undefined;
}

/** Without what changes only its type, or waits for it. */
export function bare(expression: ts.Expression): ts.Expression {
  return ts.isParenthesizedExpression(expression) ||
    ts.isAsExpression(expression) ||
    ts.isSatisfiesExpression(expression) ||
    ts.isNonNullExpression(expression) ||
    ts.isTypeAssertionExpression(expression) ||
    ts.isAwaitExpression(expression)
    ? bare(expression.expression)
    : expression;
}

const DEEPEST = 20;

/** The functions that an expression may stand for; of one that a call wraps, the function that it is given. Empty where that is not to be seen. */
function functionsOf(expression: ts.Expression, checker: ts.TypeChecker, depth = 0): readonly FunctionNode[] {
  const value = bare(expression);
  if (depth > DEEPEST) return [];
  if (ts.isArrowFunction(value) || ts.isFunctionExpression(value)) return [value];
  if (ts.isCallExpression(value)) {
    const { expression: callee, arguments: given } = value;
    const bound =
      ts.isPropertyAccessExpression(callee) && callee.name.text === "bind" ? [callee.expression] : [];
    return [...bound, ...given].flatMap((inner) => functionsOf(inner, checker, depth + 1));
  }
  if (!ts.isIdentifier(value) && !ts.isPropertyAccessExpression(value)) return [];
  const declaration = declarationOf(ts.isIdentifier(value) ? value : value.name, checker);
  if (declaration === undefined) return [];
  if (ts.isFunctionDeclaration(declaration) || ts.isMethodDeclaration(declaration)) return [declaration];
  const given = givenBy(declaration);
  return given === undefined ? [] : functionsOf(given, checker, depth + 1);
}

/** The function that a call runs; undefined where it is not of the project, or not to be seen. */
export function calledBy(call: ts.CallExpression, checker: ts.TypeChecker): FunctionNode | undefined {
  const callee = bare(call.expression);
  if (ts.isCallExpression(callee)) return undefined;
  const [first, ...others] = functionsOf(callee, checker);
  return others.length === 0 && first?.body !== undefined ? first : undefined;
}

export type Member = ts.ObjectLiteralElementLike | ts.ClassElement;

/** The members of the object that an expression makes; undefined where that is not to be seen. */
export function membersOf(
  expression: ts.Expression,
  checker: ts.TypeChecker,
  depth = 0,
): readonly Member[] | undefined {
  const value = bare(expression);
  if (depth > DEEPEST) return undefined;
  const further = (next: ts.Expression | undefined) =>
    next === undefined ? undefined : membersOf(next, checker, depth + 1);
  if (ts.isObjectLiteralExpression(value))
    return value.properties.flatMap((property): readonly Member[] =>
      ts.isSpreadAssignment(property) ? (further(property.expression) ?? []) : [property],
    );
  if (ts.isCallExpression(value)) {
    const made = calledBy(value, checker);
    return made === undefined ? further(value.arguments[0]) : further(returnedBy(made));
  }
  if (ts.isNewExpression(value)) {
    const declaration = ts.isIdentifier(value.expression)
      ? declarationOf(value.expression, checker)
      : undefined;
    return declaration !== undefined && ts.isClassDeclaration(declaration) ? declaration.members : undefined;
  }
  if (!ts.isIdentifier(value) && !ts.isPropertyAccessExpression(value)) return undefined;
  const declaration = declarationOf(ts.isIdentifier(value) ? value : value.name, checker);
  return declaration && further(givenBy(declaration));
}

/** What a function gives back, where it says that in one place. */
function returnedBy({ body }: FunctionNode): ts.Expression | undefined {
  if (body === undefined || !ts.isBlock(body)) return body;
  return body.statements.find(ts.isReturnStatement)?.expression;
}

/** The functions that a member of an object is; empty where that is not to be seen. */
export function functionsOfMember(member: Member, checker: ts.TypeChecker): readonly FunctionNode[] {
  if (ts.isMethodDeclaration(member)) return [member];
  if (ts.isShorthandPropertyAssignment(member)) return functionsOf(member.name, checker);
  const value = givenBy(member);
  return value === undefined ? [] : functionsOf(value, checker);
}

export function valueOfMember(member: Member): ts.Expression | undefined {
  return ts.isShorthandPropertyAssignment(member) ? member.name : givenBy(member);
}

export function nameOfMember({ name }: Member): string | undefined {
  return name !== undefined && (ts.isIdentifier(name) || ts.isStringLiteral(name)) ? name.text : undefined;
}
