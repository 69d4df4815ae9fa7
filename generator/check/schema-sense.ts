import type { Entry, MappingValue, ScalarValue, Value } from "../source/value.js";

/** What is valid JSON Schema and yet can never hold, or never matter. */
export interface Nonsense {
  readonly at: Entry;
  readonly reason: string;
}

export function findNonsense(schema: MappingValue): readonly Nonsense[] {
  const entries = new Map(schema.entries.map((entry) => [entry.key, entry]));
  return [
    ...emptyRanges(entries),
    ...idleKeywords(entries),
    ...impossibleValues(entries),
    ...missingProperties(entries),
  ];
}

type Entries = ReadonlyMap<string, Entry>;

const ranges = [
  ["minLength", "maxLength", false],
  ["minItems", "maxItems", false],
  ["minProperties", "maxProperties", false],
  ["minimum", "maximum", false],
  ["minimum", "exclusiveMaximum", true],
  ["exclusiveMinimum", "maximum", true],
  ["exclusiveMinimum", "exclusiveMaximum", true],
] as const;

function emptyRanges(entries: Entries): readonly Nonsense[] {
  return ranges.flatMap(([least, most, isOpen]) => {
    const [low, high] = [entries.get(least), entries.get(most)].map(
      (entry) => entry && scalarOf(entry.value)?.value,
    );
    const at = entries.get(least);
    if (at === undefined || typeof low !== "number" || typeof high !== "number") return [];
    if (isOpen ? low < high : low <= high) return [];
    return [{ at, reason: `nothing is at least ${low} ("${least}") and at most ${high} ("${most}")` }];
  });
}

const appliesTo: Readonly<Record<string, readonly string[]>> = {
  ...each(["minLength", "maxLength", "pattern", "format"], ["string"]),
  ...each(
    ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
    ["number", "integer"],
  ),
  ...each(["items", "prefixItems", "contains", "minItems", "maxItems", "uniqueItems"], ["array"]),
  ...each(
    ["properties", "required", "additionalProperties", "propertyNames", "minProperties", "maxProperties"],
    ["object"],
  ),
};

function each(keywords: readonly string[], types: readonly string[]) {
  return Object.fromEntries(keywords.map((keyword) => [keyword, types]));
}

function idleKeywords(entries: Entries): readonly Nonsense[] {
  const types = typesOf(entries);
  if (types === undefined) return [];
  return [...entries.values()].flatMap((at) => {
    const wanted = Object.hasOwn(appliesTo, at.key) ? appliesTo[at.key] : undefined;
    if (wanted === undefined || wanted.some((type) => types.includes(type))) return [];
    return [{ at, reason: `"${at.key}" has no effect on ${types.join(" or ")}` }];
  });
}

function impossibleValues(entries: Entries): readonly Nonsense[] {
  const types = typesOf(entries);
  return ["enum", "const", "default", "examples"].flatMap((keyword) => {
    const at = entries.get(keyword);
    if (at === undefined) return [];
    const isList = keyword === "enum" || keyword === "examples";
    const values = isList ? (at.value.kind === "list" ? at.value.items : []) : [at.value];
    return values.flatMap((value): readonly Nonsense[] => {
      const inexact = findInexact(value);
      if (inexact !== undefined)
        return [{ at, reason: `${inexact} is a number that JavaScript cannot hold exactly` }];
      if (types === undefined || types.some((type) => isOfType(value, type))) return [];
      return [{ at, reason: `a value of "${keyword}" is not of type ${types.join(" or ")}` }];
    });
  });
}

/** A number that would be printed as another one. */
function findInexact(value: Value): string | undefined {
  if (value.kind === "list") return value.items.map(findInexact).find((found) => found !== undefined);
  if (value.kind === "mapping")
    return value.entries.map((entry) => findInexact(entry.value)).find((found) => found !== undefined);
  if (value.kind !== "scalar" || typeof value.value !== "number") return undefined;
  const isExact = Number.isInteger(value.value)
    ? Number.isSafeInteger(value.value)
    : Number.isFinite(value.value);
  return isExact ? undefined : value.text;
}

function missingProperties(entries: Entries): readonly Nonsense[] {
  const required = entries.get("required");
  const properties = entries.get("properties")?.value;
  const others = entries.get("additionalProperties");
  if (required?.value.kind !== "list" || properties?.kind !== "mapping") return [];
  if (others === undefined || scalarOf(others.value)?.value !== false) return [];
  const known = new Set(properties.entries.map(({ key }) => key));
  return required.value.items.flatMap((item) => {
    const name = scalarOf(item)?.text;
    if (name === undefined || known.has(name)) return [];
    return [
      {
        at: required,
        reason: `"${name}" is required, but no property is called so and no others are allowed`,
      },
    ];
  });
}

function typesOf(entries: Entries): readonly string[] | undefined {
  const type = entries.get("type")?.value;
  if (type?.kind === "scalar") return [type.text];
  return type?.kind === "list" ? type.items.flatMap((item) => scalarOf(item)?.text ?? []) : undefined;
}

function isOfType(value: Value, type: string): boolean {
  switch (type) {
    case "array":
      return value.kind === "list";
    case "object":
      return value.kind === "mapping";
    case "null":
      return value.kind === "scalar" && value.value === null;
    case "integer":
      return value.kind === "scalar" && Number.isInteger(value.value);
    case "string":
    case "number":
    case "boolean":
      return value.kind === "scalar" && typeof value.value === type;
    default:
      // A word that is no keyword is reported where it stands.
      return true;
  }
}

function scalarOf(value: Value): ScalarValue | undefined {
  return value.kind === "scalar" ? value : undefined;
}
