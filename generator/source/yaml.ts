import { isAlias, isMap, isScalar, isSeq, type Node, type Pair, Scalar } from "yaml";
import type { Report } from "../diagnostics/report.js";
import { MAXIMUM_DEPTH, MAXIMUM_VALUES } from "./maximum-sizes.js";
import { parseSyntax } from "./syntax.js";
import type { SourceText, Span } from "./text.js";
import type { Entry, MappingValue, Value } from "./value.js";

/**
 * Reads YAML 1.2 with anchors, aliases and `<<` merges. Undefined when the text is empty or is no
 * YAML: what follows a syntax error cannot be trusted, so nothing further is said about such a file.
 */
export function readYaml(source: SourceText, report: Report): Value | undefined {
  const document = parseSyntax(source, report);
  if (document === undefined) return undefined;
  if (document.contents === null || isEmptyScalar(document.contents)) {
    report("empty-file", { start: 0, end: 0 }, {});
    return undefined;
  }
  const reader: Reader = {
    anchors: new Map(),
    around: [],
    extents: new Map(),
    report,
    merged: 0,
    tooLarge: false,
  };
  const value = readNode(document.contents, reader, 0);
  return reader.tooLarge ? undefined : value;
}

interface Reader {
  /** Filled in file order, so that an alias means the latest anchor above it and never one around it. */
  readonly anchors: Map<string, Value>;
  /** Anchors of the values around what is read. */
  readonly around: string[];
  /** Of each mapping and list, once its aliases are followed. */
  readonly extents: Map<Value, Extent>;
  readonly report: Report;
  /** Entries that merges have brought so far. */
  merged: number;
  tooLarge: boolean;
}

interface Extent {
  readonly values: number;
  readonly depth: number;
}

function isEmptyScalar(node: Node): boolean {
  return isScalar(node) && node.value === null && (node.source ?? "") === "";
}

/** `emptyAt`: where a value that is not written would stand. */
function readNode(node: Node | null, reader: Reader, emptyAt: number): Value {
  if (node === null) return emptyValue(emptyAt);
  const span = spanOf(node);
  if (isAlias(node)) return readAlias(node.source, span, reader);
  const anchor = "anchor" in node ? node.anchor : undefined;
  if (anchor === undefined) return readContent(node, span, reader);
  reader.around.push(anchor);
  const value = readContent(node, span, reader);
  reader.around.pop();
  reader.anchors.set(anchor, value);
  return value;
}

function readContent(node: Node, span: Span, reader: Reader): Value {
  if (isMap(node)) {
    return measured(reader, { kind: "mapping", span, definition: span, ...readEntries(node.items, reader) });
  }
  if (isSeq(node)) {
    const items = node.items.map((item) => readNode(item as Node | null, reader, span.start));
    return measured(reader, { kind: "list", span, definition: span, items });
  }
  if (!isScalar(node)) throw new Error("a YAML node is a mapping, a list, a scalar or an alias");
  if (isUnstorable(node, span, reader)) return { kind: "unread", span, definition: span };
  return readScalar(node.value, node.source, span);
}

/** Sooner or later each text of the file reaches SQL, a message or an environment. Only an escape says such a thing: what stands there itself is refused before. */
function isUnstorable({ value, type }: Scalar, span: Span, { report }: Reader): boolean {
  if (type !== Scalar.QUOTE_DOUBLE || typeof value !== "string") return false;
  const what = value.includes("\0")
    ? "a NUL"
    : /\p{Surrogate}/u.test(value)
      ? "half a surrogate pair"
      : undefined;
  if (what !== undefined) report("unstorable-text", span, { what });
  return what !== undefined;
}

function readScalar(value: unknown, source: string | undefined, span: Span): Value {
  const known = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
  const text = typeof value === "string" ? value : (source ?? "");
  return {
    kind: "scalar",
    span,
    definition: span,
    value: known ? value : value === null ? null : text,
    text,
  };
}

function emptyValue(at: number): Value {
  const span = { start: at, end: at };
  return { kind: "scalar", span, definition: span, value: null, text: "" };
}

function readAlias(name: string, span: Span, reader: Reader): Value {
  const target = reader.anchors.get(name);
  if (target === undefined) {
    const isAround = reader.around.includes(name);
    const clue = isAround ? undefined : reader.report.nearest(name, reader.anchors, (value) => value.span);
    reader.report("unknown-anchor", span, { name, isAround }, clue);
    return { kind: "unread", span, definition: span };
  }
  const value = { ...target, span };
  reader.extents.set(value, extentOf(reader, target));
  return value;
}

type Read = Pick<MappingValue, "entries" | "lossy">;

function readEntries(pairs: readonly Pair[], reader: Reader): Read {
  const own = new Map<string, Entry>();
  const order: (Entry | readonly Entry[])[] = [];
  let lossy = false;
  for (const pair of pairs) {
    const keyNode = pair.key as Node | null;
    if (!isScalar(keyNode)) {
      const at = keyNode ?? (pair.value as Node | null);
      reader.report("yaml-syntax", at === null ? { start: 0, end: 0 } : spanOf(at), {
        reason: "a key must be plain text",
      });
      lossy = true;
      continue;
    }
    const keySpan = spanOf(keyNode);
    const value = readNode(pair.value as Node | null, reader, keySpan.end);
    if (isUnstorable(keyNode, keySpan, reader)) {
      lossy = true;
      continue;
    }
    const key = typeof keyNode.value === "string" ? keyNode.value : (keyNode.source ?? "");
    if (key === "<<") {
      const merged = readMerge(value, reader);
      lossy ||= merged.lossy;
      order.push(merged.entries);
      continue;
    }
    const earlier = own.get(key);
    if (earlier !== undefined) {
      reader.report("duplicate-key", keySpan, { key }, { first: earlier.keySpan });
      lossy = true;
      continue;
    }
    const entry = { key, keySpan, value };
    own.set(key, entry);
    order.push(entry);
  }
  return { entries: own.size === order.length ? [...own.values()] : flattenMerges(order, own), lossy };
}

/** A key of the mapping itself wins over a merged one; of two merged ones, the first. */
function flattenMerges(
  order: readonly (Entry | readonly Entry[])[],
  own: ReadonlyMap<string, Entry>,
): readonly Entry[] {
  const merged = new Set<string>();
  return order.flatMap((part) => {
    if ("key" in part) return [part];
    return part.filter(({ key }) => {
      if (own.has(key) || merged.has(key)) return false;
      merged.add(key);
      return true;
    });
  });
}

function readMerge(value: Value, reader: Reader): Read {
  const sources = value.kind === "list" ? value.items : [value];
  const entries: Entry[] = [];
  let lossy = false;
  for (const source of sources) {
    if (source.kind !== "mapping") {
      lossy = true;
      if (source.kind !== "unread")
        reader.report("yaml-syntax", source.span, { reason: 'only mappings can be merged with "<<"' });
      continue;
    }
    lossy ||= source.lossy;
    reader.merged += source.entries.length;
    if (reader.merged > MAXIMUM_VALUES) {
      refuse(reader, value);
      return { entries: [], lossy: true };
    }
    for (const entry of source.entries) entries.push(entry);
  }
  return { entries, lossy };
}

function measured(reader: Reader, value: Value): Value {
  const parts =
    value.kind === "mapping"
      ? value.entries.map((entry) => entry.value)
      : value.kind === "list"
        ? value.items
        : [];
  let values = 1;
  let depth = 0;
  for (const part of parts) {
    const extent = extentOf(reader, part);
    values += extent.values;
    depth = Math.max(depth, extent.depth);
  }
  reader.extents.set(value, { values, depth: depth + 1 });
  if (values > MAXIMUM_VALUES) refuse(reader, value);
  else if (depth === MAXIMUM_DEPTH && !reader.tooLarge) {
    reader.tooLarge = true;
    reader.report("too-deep", value.span, { limit: MAXIMUM_DEPTH });
  }
  return value;
}

function refuse(reader: Reader, { span }: Value): void {
  if (!reader.tooLarge) {
    const limit = `${MAXIMUM_VALUES.toLocaleString("en")} values`;
    reader.report("too-large", span, { what: "with its aliases followed, this holds", limit });
  }
  reader.tooLarge = true;
}

function extentOf(reader: Reader, value: Value): Extent {
  return reader.extents.get(value) ?? { values: 1, depth: 0 };
}

function spanOf(node: Node): Span {
  const [start, end] = node.range ?? [0, 0];
  return { start, end };
}
