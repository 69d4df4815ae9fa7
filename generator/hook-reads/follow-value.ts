import { ts } from "ts-morph";
import { calledBy, type FunctionNode } from "./resolve-value.js";

/** What of a value code uses: the paths of members that lead to each use. An empty path: the value itself is handed on. */
export type Uses = readonly (readonly string[])[];

/** Everything that a function uses of its first parameter, also through variables and functions of the project that it hands it to. */
export function usesOfParameter(of: FunctionNode, checker: ts.TypeChecker): Uses {
  const following: Following = { checker, uses: new Map(), begun: new Set() };
  const [parameter] = of.parameters;
  if (parameter !== undefined) followParameter(following, parameter, []);
  return [...following.uses.values()];
}

interface Following {
  readonly checker: ts.TypeChecker;
  readonly uses: Map<string, readonly string[]>;
  /** Names that are followed already, with the path that they stand for: functions may call each other. */
  readonly begun: Set<string>;
}

type Path = readonly string[];

function use({ uses }: Following, path: Path): void {
  uses.set(path.join("\n"), path);
}

function followParameter(following: Following, parameter: ts.ParameterDeclaration, path: Path): void {
  if (parameter.dotDotDotToken !== undefined) use(following, path);
  else followName(following, parameter.name, path);
}

function followName(following: Following, name: ts.BindingName, path: Path): void {
  if (ts.isArrayBindingPattern(name)) use(following, path);
  else if (ts.isObjectBindingPattern(name))
    for (const element of name.elements) followElement(following, element, path);
  else followVariable(following, name, path);
}

function followVariable(following: Following, name: ts.Identifier, path: Path): void {
  const file = name.getSourceFile();
  const begun = `${file.fileName} ${name.pos} ${path.join("\n")}`;
  if (following.begun.has(begun)) return;
  following.begun.add(begun);
  const symbol = following.checker.getSymbolAtLocation(name);
  for (const reference of identifiersIn(file, name.text))
    if (reference !== name && symbolAt(reference, following.checker) === symbol)
      followUse(following, reference, path);
}

function followElement(following: Following, element: ts.BindingElement, path: Path): void {
  const name = element.propertyName ?? element.name;
  if (element.dotDotDotToken !== undefined) use(following, path);
  else if (ts.isIdentifier(name) || ts.isStringLiteral(name))
    followName(following, element.name, [...path, name.text]);
  else use(following, path);
}

function symbolAt(node: ts.Identifier, checker: ts.TypeChecker): ts.Symbol | undefined {
  return ts.isShorthandPropertyAssignment(node.parent) && node.parent.name === node
    ? checker.getShorthandAssignmentValueSymbol(node.parent)
    : checker.getSymbolAtLocation(node);
}

const identifiers = new WeakMap<ts.SourceFile, ReadonlyMap<string, readonly ts.Identifier[]>>();

function identifiersIn(file: ts.SourceFile, text: string): readonly ts.Identifier[] {
  const known = identifiers.get(file) ?? collectIdentifiers(file);
  identifiers.set(file, known);
  return known.get(text) ?? [];
}

function collectIdentifiers(file: ts.SourceFile): ReadonlyMap<string, readonly ts.Identifier[]> {
  const found = new Map<string, ts.Identifier[]>();
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) {
      const same = found.get(node.text);
      if (same === undefined) found.set(node.text, [node]);
      else same.push(node);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

/** A function that calls itself with a member of what it got would go on for ever. */
const DEEPEST = 10;

/** What the expression around a value does with it. What is not understood hands the value on whole. */
function followUse(following: Following, node: ts.Node, path: Path): void {
  const { parent } = node;
  const member = path.length < DEEPEST ? memberRead(parent, node) : undefined;
  if (member !== undefined) followUse(following, parent, [...path, member]);
  else if (isTransparent(parent)) followUse(following, parent, path);
  else if (ts.isVariableDeclaration(parent) && parent.initializer === node)
    followName(following, parent.name, path);
  else if (ts.isCallExpression(parent) && parent.expression !== node)
    followArgument(following, parent, { node, path });
  else if (!isOfTypes(parent) && !isAssigned(parent, node)) use(following, path);
}

/** The member that `event.name` and `event["name"]` read. */
function memberRead(parent: ts.Node, node: ts.Node): string | undefined {
  if (ts.isPropertyAccessExpression(parent) && parent.expression === node) return parent.name.text;
  if (!ts.isElementAccessExpression(parent) || parent.expression !== node) return undefined;
  return ts.isStringLiteralLike(parent.argumentExpression) ? parent.argumentExpression.text : undefined;
}

/** `typeof event`, which uses no value. */
function isOfTypes(node: ts.Node): boolean {
  return ts.isTypeQueryNode(node) || ts.isTypePredicateNode(node);
}

function isTransparent(node: ts.Node): boolean {
  return (
    ts.isParenthesizedExpression(node) ||
    ts.isAsExpression(node) ||
    ts.isSatisfiesExpression(node) ||
    ts.isNonNullExpression(node) ||
    ts.isTypeAssertionExpression(node) ||
    ts.isAwaitExpression(node)
  );
}

/** What is written to is not read. */
function isAssigned(parent: ts.Node, node: ts.Node): boolean {
  return (
    ts.isBinaryExpression(parent) &&
    parent.left === node &&
    parent.operatorToken.kind === ts.SyntaxKind.EqualsToken
  );
}

function followArgument(
  following: Following,
  call: ts.CallExpression,
  { node, path }: { readonly node: ts.Node; readonly path: Path },
): void {
  const at = call.arguments.indexOf(node as ts.Expression);
  const called = calledBy(call, following.checker);
  const parameter = called?.parameters[at];
  const last = called?.parameters.at(-1);
  if (called === undefined || call.arguments.slice(0, at).some(ts.isSpreadElement)) use(following, path);
  else if (parameter !== undefined) followParameter(following, parameter, path);
  else if (last?.dotDotDotToken !== undefined) use(following, path);
}
