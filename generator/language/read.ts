import type { Report } from "../diagnostics/report.js";
import { shorten } from "../quote/visible.js";
import type { Span } from "../source/text.js";
import type { MappingValue, ScalarValue, Value } from "../source/value.js";
import type { NodeOf } from "./node.js";
import type {
  ChoiceShape,
  DictionaryShape,
  IntegerShape,
  Keys,
  ListShape,
  MappingShape,
  Shape,
  TextShape,
} from "./shape.js";

/**
 * Reads a value as the shape says. Each misfit is reported where it stands, and is left out of the
 * result; undefined when the value as a whole does not fit. `label` opens the sentence about it.
 */
export function readShape<S extends Shape>(
  shape: S,
  value: Value,
  label: string,
  report: Report,
): NodeOf<S> | undefined {
  // `read` returns the node of the shape that it is given; TypeScript cannot follow that case by case.
  return read(shape, value, label, report) as NodeOf<S> | undefined;
}

/** Some node; which one follows from the shape, and `readShape` says so. */
type AnyNode = object;

function read(shape: Shape, value: Value, label: string, report: Report): AnyNode | undefined {
  if (value.kind === "unread") return undefined;
  switch (shape.kind) {
    case "either":
      return read(fits(shape.short, value) ? shape.short : shape.full, value, label, report);
    case "mapping":
      if (value.kind === "mapping") return readMapping(shape, value, report);
      // Who writes `null` as a value means the key that asks for it.
      return isNothing(value) && "null" in shape.keys
        ? misfit("a value", value, label, report, { advice: 'write "{ null: true }"' })
        : misfit("a mapping", value, label, report);
    case "dictionary":
      return value.kind === "mapping"
        ? readDictionary(shape, value, label, report)
        : misfit("a mapping", value, label, report);
    case "open":
      return value.kind === "mapping"
        ? { kind: "open", span: value.span, value }
        : misfit("a mapping", value, label, report);
    case "list":
      return value.kind === "list"
        ? readList(shape, value, label, report)
        : misfit("a list", value, label, report);
    default:
      return value.kind === "scalar" && value.value !== null
        ? readScalar(shape, value, label, report)
        : misfit(expectedScalar(shape), value, label, report);
  }
}

type ScalarLike = Exclude<Shape, { kind: "either" | "mapping" | "dictionary" | "open" | "list" }>;

function fits(shape: Shape, value: Value): boolean {
  if (shape.kind === "list") return value.kind === "list";
  if (shape.kind === "mapping")
    return value.kind === "mapping" && value.entries.some(({ key }) => shape.keys[key]?.required === true);
  return value.kind === "scalar" && value.value !== null;
}

function readScalar(
  shape: ScalarLike,
  value: ScalarValue,
  label: string,
  report: Report,
): AnyNode | undefined {
  const { span } = value;
  switch (shape.kind) {
    case "text":
      return readText(shape, value, label, report);
    case "choice":
      return readChoice(shape, value, label, report);
    case "integer":
      return readInteger(shape, value, label, report);
    case "flag":
      if (typeof value.value !== "boolean") return misfit("true or false", value, label, report);
      return { kind: "flag", span, value: value.value };
    case "scalar":
      if (value.value === null) throw new Error("an empty value was handled before");
      return { kind: "scalar", span, value: value.value, text: value.text };
  }
}

function readText(
  shape: TextShape<unknown>,
  value: ScalarValue,
  label: string,
  report: Report,
): AnyNode | undefined {
  const isText = typeof value.value === "string" || (shape.allowsNumbers && typeof value.value === "number");
  if (!isText) return misfit(expectedScalar(shape), value, label, report);
  const parsed =
    shape.pattern === undefined || shape.pattern.test(value.text) ? shape.parse(value.text) : undefined;
  if (parsed !== undefined) return { kind: "text", span: value.span, text: value.text, value: parsed };
  report(shape.code, value.span, { text: value.text, expects: shape.expects });
  return undefined;
}

function readChoice(
  shape: ChoiceShape<string>,
  value: ScalarValue,
  label: string,
  report: Report,
): AnyNode | undefined {
  if (typeof value.value !== "string") return misfit(expectedScalar(shape), value, label, report);
  const suffix = shape.suffixes.find((candidate) => value.text.endsWith(candidate)) ?? "";
  const stem = value.text.slice(0, value.text.length - suffix.length);
  const known = shape.values.includes(stem) ? stem : shape.forms?.parse(stem);
  if (known !== undefined) return { kind: "choice", span: value.span, value: known, suffix };
  const { noun, values } = shape;
  const advice = shape.foreign?.(stem)?.replace(/^write "([^"]+)"/, (_, word) => `write "${word}${suffix}"`);
  const clue =
    advice === undefined
      ? report.nearest(stem, new Map(values.map((each) => [each, undefined])))
      : { advice };
  report(shape.code, value.span, { text: value.text, noun, values }, clue);
  return undefined;
}

function readInteger(
  shape: IntegerShape,
  value: ScalarValue,
  label: string,
  report: Report,
): AnyNode | undefined {
  if (typeof value.value !== "number" || !Number.isSafeInteger(value.value)) {
    return misfit("a whole number", value, label, report);
  }
  if (value.value < shape.minimum || value.value > shape.maximum) {
    report("out-of-range", value.span, { label, minimum: shape.minimum, maximum: shape.maximum });
    return undefined;
  }
  return { kind: "integer", span: value.span, value: value.value };
}

function readList(
  shape: ListShape<Shape>,
  value: Value & { kind: "list" },
  label: string,
  report: Report,
): AnyNode | undefined {
  if (value.items.length < shape.minimum) return misfit(shape.expects, value, label, report);
  const items = value.items.map((item) => read(shape.item, item, `an item of ${label}`, report));
  const kept = items.filter((item) => item !== undefined);
  return { kind: "list", span: value.span, items: kept, poisoned: kept.length < items.length };
}

function readDictionary(
  shape: DictionaryShape<unknown, Shape>,
  value: MappingValue,
  label: string,
  report: Report,
): AnyNode | undefined {
  if (value.entries.length < shape.minimum && !value.lossy)
    return misfit(`a mapping of ${shape.minimum} or more`, value, label, report);
  let poisoned = value.lossy;
  const entries = value.entries.flatMap((entry) => {
    const { key, keySpan } = entry;
    const parsed = shape.name.pattern?.test(key) === false ? undefined : shape.name.parse(key);
    const node = read(shape.value, entry.value, `"${key}"`, report);
    if (parsed === undefined) {
      report(shape.name.code, keySpan, { text: key, expects: shape.name.expects });
      poisoned = true;
      return [];
    }
    return [{ name: { kind: "text" as const, span: keySpan, text: key, value: parsed }, node }];
  });
  return { kind: "dictionary", span: value.span, entries, poisoned };
}

function readMapping(shape: MappingShape<Keys>, value: MappingValue, report: Report): AnyNode {
  const nodes: Record<string, AnyNode> = {};
  const keySpans: Record<string, Span> = {};
  const misspelt = new Set<string>();
  let keys: SortedKeys | undefined;
  let poisoned = value.lossy;
  for (const { key, keySpan, value: child } of value.entries) {
    const known = Object.hasOwn(shape.keys, key) ? shape.keys[key] : undefined;
    if (known === undefined) {
      if (shape.extensible && key.startsWith("x-")) continue;
      poisoned = true;
      // The rest of `type: decimal(10, 2)`, which a flow mapping parts at its comma.
      if (/^\d+\)\??$/.test(key)) continue;
      keys ??= sortKeys(shape, value);
      for (const meant of reportUnknownKey(shape, keys, { key, keySpan }, report)) misspelt.add(meant);
      continue;
    }
    // An empty value counts as absent, unless the key is required.
    if (isNothing(child) && !known.required) continue;
    keySpans[key] = keySpan;
    const node = read(known.shape, child, `"${key}"`, report);
    if (node === undefined) poisoned = true;
    else nodes[key] = node;
  }
  const missing = Object.keys(shape.keys).filter(
    (key) => shape.keys[key]?.required && keySpans[key] === undefined,
  );
  if (missing.length > 0) {
    poisoned = true;
    reportMissingKeys(shape, value.lossy ? [] : missing.filter((key) => !misspelt.has(key)), value, report);
  }
  return { kind: "mapping", span: value.span, get: nodes, keySpans, definition: value.definition, poisoned };
}

/** Gives the keys that the unknown one may stand for: they are not missed as well. */
function reportUnknownKey(
  shape: MappingShape<Keys>,
  { known, free }: SortedKeys,
  { key, keySpan }: { readonly key: string; readonly keySpan: Span },
  report: Report,
): readonly string[] {
  const advice = Object.hasOwn(shape.foreign, key) ? shape.foreign[key] : undefined;
  const clue = advice === undefined ? report.nearest(key, free) : { advice };
  report("unknown-key", keySpan, { key, owner: shape.noun, known }, clue);
  return clue !== undefined && "meant" in clue ? [clue.meant] : [];
}

interface SortedKeys {
  readonly known: readonly string[];
  /** Those that the mapping does not have yet. */
  readonly free: ReadonlyMap<string, undefined>;
}

function sortKeys(shape: MappingShape<Keys>, value: MappingValue): SortedKeys {
  const written = new Set(value.entries.map((entry) => entry.key));
  const known = Object.keys(shape.keys);
  const free = known.filter((candidate) => !written.has(candidate));
  return { known, free: new Map(free.map((candidate) => [candidate, undefined])) };
}

function reportMissingKeys(
  shape: MappingShape<Keys>,
  keys: readonly string[],
  value: MappingValue,
  report: Report,
): void {
  if (keys.length === 0) return;
  // The first key stands for the mapping: its whole text would underline a block.
  const span = value.entries[0]?.keySpan ?? value.definition;
  const example = keys.map((key) => `"${key}: ${exampleOf(shape.keys[key]?.shape)}"`).join(" and ");
  report("missing-key", span, { keys, owner: shape.noun, example });
}

/** How a value of the shape may look. */
function exampleOf(shape: Shape | undefined): string {
  switch (shape?.kind) {
    case "text":
      return shape.examples[0] ?? "…";
    case "choice":
      return shape.values[0] ?? "…";
    case "integer":
      return String(shape.example);
    case "either":
      return exampleOf(shape.short);
    default:
      return "…";
  }
}

function misfit(
  expectedText: string,
  value: Value,
  label: string,
  report: Report,
  clue?: { readonly advice: string },
): undefined {
  report("wrong-type", value.span, { label, expected: expectedText, found: describeFound(value) }, clue);
  return undefined;
}

function isNothing(value: Value): boolean {
  return value.kind === "scalar" && value.value === null;
}

export function describeFound(value: Value): string {
  if (value.kind === "mapping") return value.entries.length === 0 ? "an empty mapping" : "a mapping";
  if (value.kind === "list") return value.items.length === 0 ? "an empty list" : "a list";
  if (value.kind === "unread") return "something unreadable";
  if (value.value === null) return "nothing";
  if (typeof value.value === "string") return `the text "${shorten(value.text, 100)}"`;
  return typeof value.value === "boolean" ? `the boolean ${value.text}` : `the number ${value.text}`;
}

function expectedScalar(shape: ScalarLike): string {
  switch (shape.kind) {
    case "text":
      return shape.expects;
    case "choice":
      return `one of ${shape.values.join(", ")}`;
    case "integer":
      return "a whole number";
    case "flag":
      return "true or false";
    case "scalar":
      return "a text, number or boolean";
  }
}
