import { ts } from "ts-morph";
import { calledBy, type FunctionNode } from "./resolve-value.js";

/** How a service's generated publisher is called, and which event each of its methods writes. */
export interface PublisherNames {
  /** `shopPublisher` */
  readonly name: string;
  /** `orderPacked` to `OrderPacked` */
  readonly methods: ReadonlyMap<string, string>;
}

/** The events that a function publishes by hand, itself or by functions of the project that it calls. */
export function eventsTold(
  of: FunctionNode,
  publisher: PublisherNames,
  checker: ts.TypeChecker,
): readonly string[] {
  const told = new Set<string>();
  const seen = new Set<FunctionNode>();
  const visitFunction = (node: FunctionNode): void => {
    if (seen.has(node)) return;
    seen.add(node);
    if (node.body !== undefined) visit(node.body);
  };
  const visit = (node: ts.Node): void => {
    if (ts.isPropertyAccessExpression(node) && isPublisher(node.expression, publisher.name, checker)) {
      const event = publisher.methods.get(node.name.text);
      if (event !== undefined) told.add(event);
    }
    const called = ts.isCallExpression(node) ? calledBy(node, checker) : undefined;
    if (called !== undefined) visitFunction(called);
    ts.forEachChild(node, visit);
  };
  visitFunction(of);
  return [...told];
}

/** By its name, or by the one that an import gives it here. */
export function isPublisher(node: ts.Expression, name: string, checker: ts.TypeChecker): boolean {
  if (!ts.isIdentifier(node)) return false;
  const declaration = checker.getSymbolAtLocation(node)?.declarations?.[0];
  if (declaration !== undefined && ts.isImportSpecifier(declaration))
    return (declaration.propertyName ?? declaration.name).text === name;
  return node.text === name;
}
