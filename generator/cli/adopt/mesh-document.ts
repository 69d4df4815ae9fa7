import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  parseDocument,
  stringify,
  visit,
  YAMLMap,
  YAMLSeq,
} from "yaml";
import { UsageError } from "../../project/usage-error.js";

/*
 * Adds to the text of mesh.yaml, and changes no byte of what is there: the document model says where a mapping ends.
 */

export type Said = string | number | boolean | readonly Said[] | { readonly [key: string]: Said };

type Path = readonly string[];

/** The text with these keys in the mapping at the path, which is made where it is missing. None of them may be there. */
export function addEntries(text: string, path: Path, entries: Readonly<Record<string, Said>>): string {
  return withItsLineEnds(text, (lines) => addToMapping(lines, path, entries));
}

/** The text with these values at the end of the list at the path. */
export function addItems(text: string, path: Path, values: readonly string[]): string {
  return withItsLineEnds(text, (lines) => addToList(lines, path, values));
}

/** A file of Windows has its line ends everywhere. */
function withItsLineEnds(text: string, change: (text: string) => string): string {
  if (!text.includes("\r\n") || /[^\r]\n/.test(text)) return change(text);
  return change(text.replaceAll("\r\n", "\n")).replaceAll("\n", "\r\n");
}

function addToMapping(text: string, path: Path, entries: Readonly<Record<string, Said>>): string {
  if (Object.keys(entries).length === 0) return text;
  const document = parseDocument(text);
  requireWrittenOut(text, document, path);
  const mapping: unknown = path.length === 0 ? document.contents : document.getIn(path, true);
  if (!isMap(mapping) || mapping.items.length === 0) return addMissing(text, { document, path, entries });
  if (mapping.flow === true) return insertInFlow(text, mapping, flowTexts(entries));
  const indent = columnOf(text, startOf(mapping.items[0]?.key));
  // Sections of the file stand apart, and what its author parts by blank lines.
  const gap = path.length === 0 || isParted(text, mapping) ? "\n" : "";
  return insertLines(text, lineAfter(text, mapping), gap + printBlock(path, entries, indent));
}

/** Whether a blank line stands between its last two entries. */
function isParted(text: string, { items }: YAMLMap): boolean {
  const [before, last] = items.slice(-2);
  return last !== undefined && /^[ \t]*\n/m.test(text.slice(lineAfter(text, before), startOf(last.key)));
}

function addToList(text: string, path: Path, values: readonly string[]): string {
  if (values.length === 0) return text;
  const document = parseDocument(text);
  requireWrittenOut(text, document, path);
  const list: unknown = document.getIn(path, true);
  if (!isSeq(list) || list.items.length === 0)
    return addToMapping(text, path.slice(0, -1), { [path.at(-1) ?? ""]: values });
  if (list.flow === true) return insertInFlow(text, list, values);
  const indent = columnOf(text, startOf(list.items[0])) - 2;
  return insertLines(
    text,
    lineAfter(text, list),
    values.map((value) => `${" ".repeat(indent)}- ${value}\n`).join(""),
  );
}

/** Throws where something on the path stands for what is written elsewhere: an addition would be one to that as well, or undo it. */
function requireWrittenOut(text: string, document: Document, path: Path): void {
  for (let depth = 1; depth <= path.length; depth += 1) {
    const node: unknown = document.getIn(path.slice(0, depth), true);
    if (!isAlias(node)) continue;
    const before = text.slice(0, startOf(node)).split("\n");
    throw new UsageError(
      `mesh.yaml:${before.length}:${(before.at(-1) ?? "").length + 1}: ${path.slice(0, depth).join(".")} is *${node.source}, which is written elsewhere, so nothing can be added to it`,
      "write it out there, and adopt again",
    );
  }
}

/** Whether the text says exactly that. */
export function hasValue(text: string, path: Path, value: string | boolean): boolean {
  return parseDocument(text).getIn(path) === value;
}

/** A section that is not there, or has nothing in it. */
function addMissing(
  text: string,
  {
    document,
    path,
    entries,
  }: { readonly document: Document; readonly path: Path; readonly entries: Readonly<Record<string, Said>> },
): string {
  const key = path.at(-1);
  const parent: unknown = path.length < 2 ? document.contents : document.getIn(path.slice(0, -1), true);
  if (key === undefined || !isMap(parent)) {
    const gap = text === "" || text.endsWith("\n") ? "" : "\n";
    return key === undefined
      ? `${text}${gap}${printBlock(path, entries, 0)}`
      : addToMapping(text, path.slice(0, -1), { [key]: entries });
  }
  const pair = parent.items.find((item) => isScalar(item.key) && item.key.value === key);
  if (pair === undefined) {
    const top = path.length === 1 && parent.flow !== true;
    return addToMapping(top && !text.endsWith("\n\n") ? `${text.trimEnd()}\n` : text, path.slice(0, -1), {
      [key]: entries,
    });
  }
  return fillEmpty(text, pair, (indent) => printBlock(path, entries, indent), flowTexts(entries));
}

/** `services:` with nothing behind it, `~` or `{}`: a block takes the place of that, behind what its line says else. */
function fillEmpty(
  text: string,
  { key, value }: Pair,
  block: (indent: number) => string,
  flow: readonly string[],
): string {
  const colon = text.indexOf(":", endOf(key)) + 1;
  const range = isNode(value) && value.range ? value.range : [colon, colon];
  const [from = colon, to = colon] = text.slice(range[0], range[1]).trim() === "" ? [] : range;
  if (isMap(value) && text.slice(from, to).includes("#")) return insertInFlow(text, value, flow);
  const end = text.indexOf("\n", to) === -1 ? text.length : text.indexOf("\n", to);
  const head = from === colon ? text.slice(0, from) : text.slice(0, from).trimEnd();
  const kept = (head + text.slice(to, end)).trimEnd();
  return `${kept}\n${block(columnOf(text, startOf(key)) + 2)}${text.slice(end + 1)}`;
}

function printBlock(path: Path, entries: Readonly<Record<string, Said>>, indent: number): string {
  const document = parseDocument("");
  const node = document.createNode(entries, { aliasDuplicateObjects: false });
  visit(node as Node, {
    Collection(_, collection, ancestors) {
      const keys = [...ancestors, collection].flatMap((each) => {
        const key = isPair(each) && isScalar(each.key) ? String(each.key.value) : undefined;
        return key === undefined ? [] : [key];
      });
      if (isFlow([...path, ...keys], collection)) collection.flow = true;
    },
  });
  return asWritten(stringify(node, { lineWidth: 0, flowCollectionPadding: true })).replace(
    /^(?=.)/gm,
    " ".repeat(indent),
  );
}

/** As people write it: the word null as a key, and no blanks within brackets. */
function asWritten(text: string): string {
  return (
    text
      .replaceAll('"null": true', "null: true")
      .replace(/((?:key|unique|indexes|publishes): )(\[.*\])/g, (_, key: string, list: string) => {
        return key + list.replaceAll("[ ", "[").replaceAll(" ]", "]");
      })
      // Brackets within quotes are a value's own.
      .replace(/(one_of: )\[ ([^"'[\]]*) \]/g, "$1[$2]")
  );
}

/** A column, a payload and a list are one line each. */
function isFlow(path: Path, collection: unknown): boolean {
  if (collection instanceof YAMLSeq) return true;
  if (!(collection instanceof YAMLMap)) return false;
  const depth = { subjects: 3, databases: 6, services: 9 }[path[0] ?? ""] ?? 9;
  return path.length >= depth || collection.items.length === 0;
}

/** Each as it stands within braces. */
function flowTexts(entries: Readonly<Record<string, Said>>): readonly string[] {
  return Object.entries(entries).map(([key, value]) =>
    asWritten(
      stringify(
        { [key]: value },
        {
          collectionStyle: "flow",
          lineWidth: 0,
          flowCollectionPadding: true,
          aliasDuplicateObjects: false,
        },
      ),
    )
      .trim()
      .replace(/^\{\s*|\s*\}$/g, ""),
  );
}

/** Into a collection in braces or brackets, behind what it holds; comments stay with what they stand at. */
function insertInFlow(text: string, collection: YAMLMap | YAMLSeq, texts: readonly string[]): string {
  const last = collection.items.at(-1);
  const close = endOf(collection) - 1;
  const end = last === undefined ? startOf(collection) + 1 : itemEnd(last);
  const start = itemStart(last);
  if (!text.slice(end, close).includes("#")) {
    const isOnItsLine = start !== undefined && /\n[ \t]*$/.test(text.slice(0, start));
    const between = isOnItsLine ? `,\n${" ".repeat(columnOf(text, start))}` : ", ";
    return `${text.slice(0, end)}${texts.map((each) => between + each).join("")}${text.slice(end)}`;
  }
  // Behind the last comment the closing sign is on another line.
  const at = text.lastIndexOf("\n", close) + 1;
  const isSeparated = last === undefined || text.slice(end, at).replace(/#.*$/gm, "").includes(",");
  const indent = " ".repeat(start === undefined ? columnOf(text, close) + 2 : columnOf(text, start));
  const lines = `${indent}${texts.join(`,\n${indent}`)}\n`;
  return `${text.slice(0, end)}${isSeparated ? "" : ","}${text.slice(end, at)}${lines}${text.slice(at)}`;
}

function itemStart(item: unknown): number | undefined {
  if (item === undefined) return undefined;
  return startOf(isPair(item) ? item.key : item);
}

function itemEnd(item: unknown): number {
  if (!isPair(item)) return endOf(item);
  return isNode(item.value) && item.value.range && item.value.range[1] > 0
    ? endOf(item.value)
    : endOf(item.key);
}

function insertLines(text: string, at: number, lines: string): string {
  const before = text.slice(0, at);
  return `${before}${before === "" || before.endsWith("\n") ? "" : "\n"}${lines}${text.slice(at)}`;
}

/** The beginning of the line behind the last thing in the collection. */
function lineAfter(text: string, node: unknown): number {
  const end = endOf(lastOf(node));
  if (text[end - 1] === "\n") return end;
  const next = text.indexOf("\n", end);
  return next === -1 ? text.length : next + 1;
}

function lastOf(node: unknown): unknown {
  if (isPair(node)) return isNode(node.value) && node.value.range ? lastOf(node.value) : node.key;
  if ((isMap(node) || isSeq(node)) && node.flow !== true && node.items.length > 0)
    return lastOf(node.items.at(-1));
  return node;
}

function startOf(node: unknown): number {
  return isNode(node) ? (node.range?.[0] ?? 0) : 0;
}

function endOf(node: unknown): number {
  return isNode(node) ? (node.range?.[1] ?? 0) : 0;
}

function columnOf(text: string, offset: number): number {
  return offset - (text.lastIndexOf("\n", offset - 1) + 1);
}
