import { type Document, isAlias, isMap, isScalar, isSeq, type Node, type Pair, parseDocument } from "yaml";
import { nearest, type Report } from "../diagnostics/report.js";
import type { SourceText, Span } from "./text.js";
import type { Entry, Value } from "./value.js";

/** More values than this, once aliases are followed, is an alias bomb and not a mesh. */
const MAXIMUM_VALUES = 5_000_000;

/**
 * Reads YAML 1.2 with anchors, aliases and `<<` merges. Undefined when the text is empty or is no
 * YAML: what follows a syntax error cannot be trusted, so nothing further is said about such a file.
 */
export function readYaml(source: SourceText, report: Report): Value | undefined {
  // The library compares each key with all others of its mapping; `readEntries` does it in linear time.
  const document = parseDocument(source.text, { uniqueKeys: false, prettyErrors: false, schema: "core" });
  if (document.errors.length > 0) {
    reportSyntaxErrors(document, source, report);
    return undefined;
  }
  if (document.contents === null || isEmptyScalar(document.contents)) {
    report("empty-file", { start: 0, end: 0 }, {});
    return undefined;
  }
  const reader: Reader = { anchors: new Map(), sizes: new WeakMap(), report, tooLarge: false };
  const value = readNode(document.contents, reader, 0);
  return reader.tooLarge ? undefined : value;
}

interface Reader {
  /** Filled in file order, so that an alias means the latest anchor above it and never one around it. */
  readonly anchors: Map<string, Value>;
  /** How many values each value holds once its aliases are followed. */
  readonly sizes: WeakMap<Value, number>;
  readonly report: Report;
  tooLarge: boolean;
}

function isEmptyScalar(node: Node): boolean {
  return isScalar(node) && node.value === null && (node.source ?? "") === "";
}

/** The parser stumbles on after an error: until the next top-level key, what it says is its own confusion. */
function reportSyntaxErrors(document: Document, source: SourceText, report: Report): void {
  let trustedFrom = 0;
  for (const error of [...document.errors].sort((a, b) => a.pos[0] - b.pos[0])) {
    const offset = Math.min(error.pos[0], source.text.length);
    if (offset < trustedFrom) continue;
    const opener = /^Flow (?:sequence|map)/.test(error.message)
      ? findUnclosed(source.text, offset)
      : undefined;
    if (opener === undefined) {
      const span = { start: offset, end: Math.max(offset, error.pos[1]) };
      report("yaml-syntax", span, { reason: explain(error.code, error.message) });
    } else {
      const span = { start: opener, end: opener + 1 };
      report("yaml-syntax", span, { reason: `this "${source.text[opener]}" is not closed` });
    }
    const nextBlock = source.text.slice(offset).search(/\n[A-Za-z]/);
    trustedFrom = nextBlock === -1 ? source.text.length + 1 : offset + nextBlock + 2;
  }
}

/** The nearest bracket before the offset that nothing closes. */
function findUnclosed(text: string, offset: number): number | undefined {
  let depth = 0;
  for (let at = offset - 1; at >= 0; at--) {
    const character = text[at];
    if (character === "]" || character === "}") depth++;
    else if (character === "[" || character === "{") {
      if (depth === 0) return at;
      depth--;
    }
  }
  return undefined;
}

function explain(code: string, message: string): string {
  switch (code) {
    case "TAB_AS_INDENT":
      return "a tab is used for indentation, which YAML does not allow";
    case "MULTIPLE_DOCS":
      return 'a second document starts here ("---"): a mesh is one document';
    case "BAD_ALIAS":
      return "an anchor or alias needs a name";
    case "BLOCK_AS_IMPLICIT_KEY":
    case "MULTILINE_IMPLICIT_KEY":
      return 'a key and its ":" must stand on one line; look for a missing ":" or a wrong indentation';
    default:
      return message.charAt(0).toLowerCase() + message.slice(1).replace(/[.:]?\s*$/, "");
  }
}

/** `emptyAt`: where a value that is not written would stand. */
function readNode(node: Node | null, reader: Reader, emptyAt: number): Value {
  if (node === null) return emptyValue(emptyAt);
  const span = spanOf(node);
  if (isAlias(node)) return readAlias(node.source, span, reader);
  const value = readContent(node, span, reader);
  if ("anchor" in node && node.anchor !== undefined) reader.anchors.set(node.anchor, value);
  return value;
}

function readContent(node: Node, span: Span, reader: Reader): Value {
  if (isMap(node)) {
    const entries = readEntries(node.items, reader);
    return measured(reader, { kind: "mapping", span, definition: span, entries });
  }
  if (isSeq(node)) {
    const items = node.items.map((item) => readNode(item as Node | null, reader, span.start));
    return measured(reader, { kind: "list", span, definition: span, items });
  }
  if (!isScalar(node)) throw new Error("a YAML node is a mapping, a list, a scalar or an alias");
  if (isUnstorable(node.value, span, reader)) return { kind: "unread", span, definition: span };
  return readScalar(node.value, node.source, span);
}

/** Sooner or later each text of the file reaches SQL, a message or an environment. */
function isUnstorable(value: unknown, span: Span, { report }: Reader): boolean {
  if (typeof value !== "string") return false;
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
    reader.report(
      "unknown-anchor",
      span,
      { name },
      nearest(name, reader.anchors, (value) => value.span),
    );
    return { kind: "unread", span, definition: span };
  }
  const value = { ...target, span };
  reader.sizes.set(value, sizeOf(reader, target));
  return value;
}

function readEntries(pairs: readonly Pair[], reader: Reader): readonly Entry[] {
  const own = new Map<string, Entry>();
  const order: (Entry | readonly Entry[])[] = [];
  for (const pair of pairs) {
    const keyNode = pair.key as Node | null;
    if (!isScalar(keyNode)) {
      const at = keyNode ?? (pair.value as Node | null);
      reader.report("yaml-syntax", at === null ? { start: 0, end: 0 } : spanOf(at), {
        reason: "a key must be plain text",
      });
      continue;
    }
    const keySpan = spanOf(keyNode);
    const value = readNode(pair.value as Node | null, reader, keySpan.end);
    if (isUnstorable(keyNode.value, keySpan, reader)) continue;
    const key = typeof keyNode.value === "string" ? keyNode.value : (keyNode.source ?? "");
    if (key === "<<") {
      order.push(readMerge(value, reader));
      continue;
    }
    const earlier = own.get(key);
    if (earlier !== undefined) {
      reader.report("duplicate-key", keySpan, { key }, { first: earlier.keySpan });
      continue;
    }
    const entry = { key, keySpan, value };
    own.set(key, entry);
    order.push(entry);
  }
  return flattenMerges(order, own);
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

function readMerge(value: Value, reader: Reader): readonly Entry[] {
  if (value.kind === "mapping") return value.entries;
  if (value.kind === "unread") return [];
  if (value.kind === "list" && value.items.every((item) => item.kind === "mapping")) {
    return value.items.flatMap((item) => (item.kind === "mapping" ? item.entries : []));
  }
  reader.report("yaml-syntax", value.span, { reason: 'only mappings can be merged with "<<"' });
  return [];
}

function measured(reader: Reader, value: Value): Value {
  const parts =
    value.kind === "mapping"
      ? value.entries.map((entry) => entry.value)
      : value.kind === "list"
        ? value.items
        : [];
  const size = parts.reduce((sum, part) => sum + sizeOf(reader, part), 1);
  if (size > MAXIMUM_VALUES && !reader.tooLarge) {
    reader.tooLarge = true;
    reader.report("too-many-aliases", value.span, { limit: MAXIMUM_VALUES });
  }
  reader.sizes.set(value, size);
  return value;
}

function sizeOf(reader: Reader, value: Value): number {
  return reader.sizes.get(value) ?? 1;
}

function spanOf(node: Node): Span {
  const [start, end] = node.range ?? [0, 0];
  return { start, end };
}
