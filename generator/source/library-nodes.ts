import { isAlias, isMap, isScalar, isSeq, type Node, type Pair } from "yaml";
import type { PairNode, SyntaxNode } from "./syntax-node.js";

/** The library's nodes as ours. */
export function fromLibrary(node: unknown): SyntaxNode | null {
  if (node === null || node === undefined) return null;
  const { range, anchor } = node as Node & { readonly anchor?: string };
  const [start, end] = range ?? [0, 0];
  const placed = { start, end, anchor };
  if (isAlias(node)) return { kind: "alias", ...placed, name: node.source };
  if (isMap(node)) return { kind: "map", ...placed, pairs: node.items.map(fromPair) };
  if (isSeq(node)) return { kind: "sequence", ...placed, items: node.items.map(fromLibrary) };
  if (isScalar(node)) return { kind: "scalar", ...placed, value: node.value, source: node.source ?? "" };
  throw new Error("a YAML node is a mapping, a list, a scalar or an alias");
}

function fromPair({ key, value }: Pair): PairNode {
  return { key: fromLibrary(key), value: fromLibrary(value) };
}
