import {
  type Document,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  type Node,
  parseDocument,
  stringify,
  visit,
  YAMLMap,
  YAMLSeq,
} from "yaml";

/*
 * Adds to the text of mesh.yaml, and changes no byte of what is there: the document model says where a mapping ends.
 */

export type Said = string | number | boolean | readonly Said[] | { readonly [key: string]: Said };

type Path = readonly string[];

/** The text with these keys in the mapping at the path, which is made where it is missing. None of them may be there. */
export function addEntries(text: string, path: Path, entries: Readonly<Record<string, Said>>): string {
  if (Object.keys(entries).length === 0) return text;
  const document = parseDocument(text);
  const mapping: unknown = path.length === 0 ? document.contents : document.getIn(path, true);
  if (!isMap(mapping) || mapping.items.length === 0) return addMissing(text, { document, path, entries });
  if (mapping.flow === true) return insertBefore(text, endOf(mapping) - 1, flowText(entries));
  const indent = columnOf(text, startOf(mapping.items[0]?.key));
  // Sections of the file stand apart.
  const gap = path.length === 0 ? "\n" : "";
  return insertLines(text, lineAfter(text, mapping), gap + printBlock(path, entries, indent));
}

/** The text with these values at the end of the list at the path. */
export function addItems(text: string, path: Path, values: readonly string[]): string {
  if (values.length === 0) return text;
  const list: unknown = parseDocument(text).getIn(path, true);
  if (!isSeq(list) || list.items.length === 0)
    return addEntries(text, path.slice(0, -1), { [path.at(-1) ?? ""]: values });
  if (list.flow === true) return insertBefore(text, endOf(list) - 1, values.join(", "));
  const indent = columnOf(text, startOf(list.items[0])) - 2;
  return insertLines(
    text,
    lineAfter(text, list),
    values.map((value) => `${" ".repeat(indent)}- ${value}\n`).join(""),
  );
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
      : addEntries(text, path.slice(0, -1), { [key]: entries });
  }
  const pair = parent.items.find((item) => isScalar(item.key) && item.key.value === key);
  if (pair === undefined) {
    const top = path.length === 1 && parent.flow !== true;
    return addEntries(top && !text.endsWith("\n\n") ? `${text.trimEnd()}\n` : text, path.slice(0, -1), {
      [key]: entries,
    });
  }
  // `services:` with nothing behind it, or `{}`.
  const from = endOf(pair.key) + 1;
  const to = isNode(pair.value) && pair.value.range ? pair.value.range[1] : from;
  const indent = columnOf(text, startOf(pair.key)) + 2;
  const rest = text.slice(to);
  const block = `\n${printBlock(path, entries, indent)}`;
  return `${text.slice(0, from)}${rest.startsWith("\n") ? block.slice(0, -1) : block}${rest}`;
}

function printBlock(path: Path, entries: Readonly<Record<string, Said>>, indent: number): string {
  const document = parseDocument("");
  const node = document.createNode(entries);
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
  return text
    .replaceAll('"null": true', "null: true")
    .replace(/((?:key|unique|indexes|publishes): )(\[.*\])/g, (_, key: string, list: string) => {
      return key + list.replaceAll("[ ", "[").replaceAll(" ]", "]");
    });
}

/** A column, a payload and a list are one line each. */
function isFlow(path: Path, collection: unknown): boolean {
  if (collection instanceof YAMLSeq) return true;
  if (!(collection instanceof YAMLMap)) return false;
  const depth = { subjects: 3, databases: 6, services: 9 }[path[0] ?? ""] ?? 9;
  return path.length >= depth || collection.items.length === 0;
}

function flowText(entries: Readonly<Record<string, Said>>): string {
  return asWritten(stringify(entries, { collectionStyle: "flow", lineWidth: 0, flowCollectionPadding: true }))
    .trim()
    .replace(/^\{\s*|\s*\}$/g, "");
}

/** Into a collection in braces, behind what it holds. */
function insertBefore(text: string, end: number, addition: string): string {
  const held = text.slice(0, end).trimEnd();
  return `${held}, ${addition}${/\s$/.test(text.slice(0, end)) ? " " : ""}${text.slice(end)}`;
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
