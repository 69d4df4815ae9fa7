import {
  columnTypeForms,
  columnTypeNames,
  factsOf,
  fieldTypeNames,
  fieldTypes,
} from "@meshwright/runtime/column-types";
import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  parseDocument,
  type YAMLMap,
} from "yaml";
import type { Key, Keys, MappingShape, Shape } from "../../generator/language/shape.js";

/*
 * docs/language.md: every key of mesh.yaml with what may stand there, its default and an example, from the grammar.
 * The examples are cut from meshes that other tests compile.
 */

/** The text of the reference. The first mesh that uses a key shows it, so the plainest comes first. */
export function languageReference(shape: MappingShape<Keys>, meshes: readonly string[]): string {
  const examples = new Map<Key<Shape>, string>();
  for (const text of meshes) {
    const document = parseDocument(text);
    collectExamples({ document, text, examples }, shape, document.contents);
  }
  const sections: Section[] = [];
  collectSections(sections, shape, "");
  return [...sections.map((section) => printSection(section, examples)), printTypes()].join("\n");
}

interface Section {
  readonly shape: MappingShape<Keys>;
  /** `databases.NAME.tables.NAME`; empty for the whole file. */
  readonly places: string[];
  /** What may stand in its place: `column type`. */
  readonly short: Shape | undefined;
}

/** One section per mapping, in the order of the grammar; a mapping of two places says both. */
function collectSections(sections: Section[], shape: Shape, place: string, short?: Shape): void {
  switch (shape.kind) {
    case "mapping": {
      const known = sections.find((section) => section.shape === shape);
      if (known !== undefined) {
        known.places.push(place);
        return;
      }
      sections.push({ shape, places: [place], short });
      for (const [name, key] of Object.entries(shape.keys)) {
        collectSections(sections, key.shape, place === "" ? name : `${place}.${name}`);
      }
      return;
    }
    case "dictionary":
      collectSections(sections, shape.value, `${place}.NAME`);
      return;
    case "list":
      collectSections(sections, shape.item, `${place}[]`);
      return;
    case "either":
      collectSections(sections, shape.short, place);
      collectSections(sections, shape.full, place, shape.short);
      return;
    case "text":
    case "choice":
    case "integer":
    case "flag":
    case "scalar":
    case "open":
      return;
    default:
      shape satisfies never;
  }
}

function printSection({ shape, places, short }: Section, examples: ReadonlyMap<Key<Shape>, string>): string {
  const keys = Object.entries(shape.keys);
  const snippets = new Set(keys.flatMap(([, key]) => examples.get(key) ?? []));
  const title = shape.noun.replace(/^an? /, "");
  const where = places.filter((place) => place !== "").map((place) => `\`${place}\``);
  return [
    `## ${title[0]?.toUpperCase()}${title.slice(1)}\n`,
    ...(where.length > 0 ? [`At ${where.join(" and ")}.${shortForm(short)}\n`] : []),
    "| key | value | default | what it says |",
    "|---|---|---|---|",
    ...keys.map(([name, key]) => printKey(name, key)),
    "",
    "```yaml",
    ...snippets,
    "```",
    "",
  ].join("\n");
}

function shortForm(short: Shape | undefined): string {
  return short === undefined ? "" : ` Or, short: ${describeValue(short)}.`;
}

function printKey(name: string, { shape, doc, required, default: fallback }: Key<Shape>): string {
  const shown =
    fallback === undefined ? "" : `\`${JSON.stringify(fallback).replaceAll('"', "").replaceAll(",", ", ")}\``;
  const cells = [`\`${name}\``, describeValue(shape), required ? "required" : shown, doc];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

/** What may stand at a place, in a few words. */
function describeValue(shape: Shape): string {
  switch (shape.kind) {
    case "text":
      return nameOrText(shape.expects);
    case "choice":
      return shape.noun in TYPES ? `a [${shape.noun}](#${TYPES[shape.noun]})` : quoted(shape.values);
    case "integer":
      return "a whole number";
    case "flag":
      return "`true`, `false`";
    case "scalar":
      return "a text, number or boolean";
    case "open":
      return "a JSON Schema";
    case "list":
      return `a list: ${describeValue(shape.item)}`;
    case "dictionary":
      return `by ${nameOrText(shape.name.expects)}: ${describeValue(shape.value)}`;
    case "mapping":
      return `[${shape.noun}](#${shape.noun.replace(/^an? /, "").replaceAll(" ", "-")})`;
    case "either":
      return `${describeValue(shape.short)}; or ${describeValue(shape.full)}`;
    default:
      return shape satisfies never;
  }
}

/** Where the words of a closed set have a table of their own. */
const TYPES: Readonly<Record<string, string>> = {
  "column type": "types-of-columns",
  "field type": "types-of-payload-fields",
};

/** "a table: lower-case letters…" is a name of a table. */
function nameOrText(expects: string): string {
  const [what, rule] = expects.split(": ");
  return rule === undefined ? expects.replaceAll('"', "`") : `name of ${what}`;
}

function quoted(words: readonly string[]): string {
  return words.map((word) => `\`${word}\``).join(", ");
}

function printTypes(): string {
  return [
    "## Types of columns\n",
    "| type | in PostgreSQL | in TypeScript | fields that carry it |",
    "|---|---|---|---|",
    ...[...columnTypeNames, ...columnTypeForms].map((name) => {
      const { sql, typescript, fields, element } = factsOf(name);
      const carriers = element === undefined ? fields : fields.map((field) => `${field}[]`);
      return `| \`${name}\` | \`${sql}\` | \`${typescript}\` | ${quoted(carriers)} |`;
    }),
    "\n## Types of payload fields\n",
    "A `?` behind the type: the field may be absent or null. `[]`: a list of it.\n",
    "| type | in a message |",
    "|---|---|",
    ...fieldTypeNames.map((name) => `| \`${name}\` | ${fieldTypes[name] ?? "any JSON"} |`),
    "",
  ].join("\n");
}

interface Source {
  readonly document: Document;
  readonly text: string;
  readonly examples: Map<Key<Shape>, string>;
}

/** The lines of an example that are shown; what follows is left out. */
const SHOWN_LINES = 8;

function collectExamples(source: Source, shape: Shape, node: unknown, around?: Pair): void {
  if (isAlias(node)) {
    collectExamples(source, shape, node.resolve(source.document), around);
    return;
  }
  switch (shape.kind) {
    case "mapping":
      if (!isMap(node) || !hasRequired(node, shape.keys)) return;
      for (const pair of node.items) {
        const key = shape.keys[nameOf(pair)];
        if (key === undefined) continue;
        const shown = node.flow && around !== undefined ? around : pair;
        if (!source.examples.has(key)) source.examples.set(key, excerpt(source.text, shown));
        collectExamples(source, key.shape, pair.value, pair);
      }
      return;
    case "dictionary":
      if (!isMap(node)) return;
      for (const pair of node.items) collectExamples(source, shape.value, pair.value, pair);
      return;
    case "list":
      if (!isSeq(node)) return;
      for (const item of node.items) collectExamples(source, shape.item, item, around);
      return;
    case "either":
      collectExamples(source, shape.short, node, around);
      collectExamples(source, shape.full, node, around);
      return;
    case "text":
    case "choice":
    case "integer":
    case "flag":
    case "scalar":
    case "open":
      return;
    default:
      shape satisfies never;
  }
}

/** What an `either` reads as its other form lacks them. */
function hasRequired(node: YAMLMap, keys: Keys): boolean {
  const names = new Set(node.items.map(nameOf));
  return Object.entries(keys).every(([name, { required }]) => !required || names.has(name));
}

function nameOf(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.source ?? pair.key.value) : "";
}

/** The lines of a pair as they stand in the file, without their indentation. */
function excerpt(text: string, pair: Pair): string {
  if (!isPair(pair)) throw new Error("not a pair");
  const start = (pair.key as Node).range?.[0] ?? 0;
  const end = (pair.value as Node | null)?.range?.[1] ?? (pair.key as Node).range?.[1] ?? start;
  const indent = start - (text.lastIndexOf("\n", start - 1) + 1);
  const lines = text.slice(start, end).trimEnd().split("\n");
  const shown = lines.slice(0, SHOWN_LINES).map((line, index) => (index === 0 ? line : line.slice(indent)));
  return [...shown, ...(lines.length > SHOWN_LINES ? ["  # …"] : [])].join("\n");
}
