import type { Span } from "./text.js";

/** A YAML value that remembers where it was written. Aliases and merges are already followed. */
export type Value = MappingValue | ListValue | ScalarValue | UnreadValue;

interface Written {
  /** Where it is used: for an alias, the `*name`. Mistakes of the use belong here. */
  readonly span: Span;
  /** Where its content stands: for an alias, the anchored value. Mistakes of the content belong here. */
  readonly definition: Span;
}

export interface MappingValue extends Written {
  readonly kind: "mapping";
  /** In file order, keys unique. */
  readonly entries: readonly Entry[];
  /** Some of what is written here is not among the entries, which is reported already: of what lacks, nothing more is said. */
  readonly lossy: boolean;
}

export interface Entry {
  readonly key: string;
  readonly keySpan: Span;
  readonly value: Value;
}

export interface ListValue extends Written {
  readonly kind: "list";
  readonly items: readonly Value[];
}

export interface ScalarValue extends Written {
  readonly kind: "scalar";
  readonly value: string | number | boolean | null;
  /** As it stands in the file, quotes removed: `007` stays `007`. */
  readonly text: string;
}

/** Something stands here that could not be read, which is reported already. */
export interface UnreadValue extends Written {
  readonly kind: "unread";
}

/** A key, the index of a list's item, or of an item its text or some of its entries. */
export type PathStep = string | number | Readonly<Record<string, string>>;

/** The entry that a path leads to; undefined when nothing is written there. */
export function findEntry(root: Value, path: readonly PathStep[]): Entry | undefined {
  let entry: Entry = { key: "", keySpan: root.span, value: root };
  for (const step of path) {
    const next = stepInto(entry.value, step);
    if (next === undefined) return undefined;
    entry = next;
  }
  return entry;
}

/** As far as the path leads: the nearest thing that is written, at most the whole. */
export function nearestEntry(root: Value, path: readonly PathStep[]): Entry | undefined {
  if (path.length === 0) return undefined;
  return findEntry(root, path) ?? nearestEntry(root, path.slice(0, -1));
}

function stepInto(value: Value, step: PathStep): Entry | undefined {
  if (value.kind === "mapping") return value.entries.find((entry) => entry.key === String(step));
  if (value.kind !== "list") return undefined;
  const index = typeof step === "number" ? step : value.items.findIndex((item) => isMeant(item, step));
  const item = value.items[index];
  return item === undefined ? undefined : { key: String(index), keySpan: item.span, value: item };
}

function isMeant(item: Value, step: string | Readonly<Record<string, string>>): boolean {
  if (typeof step === "string") return item.kind === "scalar" && item.text === step;
  return Object.entries(step).every(([key, text]) => {
    const said = findEntry(item, [key])?.value;
    return said?.kind === "scalar" && said.text === text;
  });
}
