import type { JsonSchema } from "../vocabulary/json-schema.js";

/*
 * A shape says what may stand at a place of mesh.yaml. The grammar is written in shapes once;
 * the reader checks a file against it, and the editors' JSON Schema is printed from it.
 */
export type Shape =
  | TextShape<unknown>
  | ChoiceShape<string>
  | IntegerShape
  | FlagShape
  | ScalarShape
  | OpenShape
  | ListShape<Shape>
  | DictionaryShape<unknown, Shape>
  | MappingShape<Keys>
  | EitherShape<Shape, Shape>;

/** One word with an inner syntax, such as a duration or a subject. */
export interface TextShape<T> {
  readonly kind: "text";
  /** Completes "… is": `a duration such as "30s"`. */
  readonly expects: string;
  readonly code: WordCode;
  readonly pattern: RegExp | undefined;
  readonly parse: (text: string) => T | undefined;
  readonly examples: readonly string[];
  /** A bare number in the file is taken by its digits: `max_age: 0`. */
  readonly allowsNumbers: boolean;
}

export type WordCode =
  | "invalid-name"
  | "malformed-subject"
  | "malformed-template"
  | "malformed-pattern"
  | "malformed-reference"
  | "malformed-path"
  | "malformed-header"
  | "invalid-duration"
  | "invalid-size";

export interface ChoiceShape<V extends string> {
  readonly kind: "choice";
  readonly code: "unknown-type" | "unknown-value";
  /** Completes "… is no": `column type`. */
  readonly noun: string;
  readonly values: readonly V[];
  /** Values that no list can name, since they hold numbers of the user's choice: `varchar(50)`. */
  readonly forms: ChoiceForms<V> | undefined;
  /** `text?` and `string[]`: what may follow a value. */
  readonly suffixes: readonly string[];
  /** What to write instead of another tool's word. */
  readonly foreign: ((written: string) => string | undefined) | undefined;
}

export interface ChoiceForms<V extends string> {
  readonly examples: readonly V[];
  /** Of all values, for editors. */
  readonly pattern: string;
  readonly parse: (written: string) => V | undefined;
}

export interface IntegerShape {
  readonly kind: "integer";
  readonly minimum: number;
  readonly maximum: number;
  readonly example: number;
}

export interface FlagShape {
  readonly kind: "flag";
}

/** Any text, number or boolean. */
export interface ScalarShape {
  readonly kind: "scalar";
}

/** A mapping whose content another standard defines; read as it is. */
export interface OpenShape {
  readonly kind: "open";
  readonly schema: JsonSchema;
}

export interface ListShape<I extends Shape> {
  readonly kind: "list";
  readonly item: I;
  readonly minimum: number;
  /** Completes "… must be", where an empty list was written. */
  readonly expects: string;
}

/** A mapping with names of the user's choice. */
export interface DictionaryShape<N, V extends Shape> {
  readonly kind: "dictionary";
  readonly name: TextShape<N>;
  readonly value: V;
  readonly minimum: number;
}

/** A mapping with the language's own keys. */
export interface MappingShape<K extends Keys> {
  readonly kind: "mapping";
  /** Opens a sentence: `a column`. */
  readonly noun: string;
  readonly keys: K;
  /** Keys that begin with `x-` are ignored: a place for anchors. */
  readonly extensible: boolean;
  /** What to do instead, for words that others would write here. */
  readonly foreign: Readonly<Record<string, string>>;
}

/** A short form or a full one. Their YAML kinds differ, or the short one is a mapping with a required key: that says which of the two is meant. */
export interface EitherShape<A extends Shape, B extends Shape> {
  readonly kind: "either";
  readonly short: A;
  readonly full: B;
}

export type Keys = { readonly [key: string]: Key<Shape> };

export interface Key<S extends Shape> {
  readonly shape: S;
  /** What an editor shows beside the key. */
  readonly doc: string;
  readonly required: boolean;
  /** As it would be written. */
  readonly default: string | number | boolean | readonly string[] | undefined;
}

export function key<S extends Shape>(doc: string, shape: S, fallback?: Key<S>["default"]): Key<S> {
  return { shape, doc, required: false, default: fallback };
}

export function requiredKey<S extends Shape>(doc: string, shape: S): Key<S> {
  return { shape, doc, required: true, default: undefined };
}

export function mapping<K extends Keys>(
  noun: string,
  keys: K,
  { extensible = false, foreign = {} }: Partial<Pick<MappingShape<K>, "extensible" | "foreign">> = {},
): MappingShape<K> {
  return { kind: "mapping", noun, keys, extensible, foreign };
}

export function dictionary<N, V extends Shape>(
  name: TextShape<N>,
  value: V,
  minimum = 0,
): DictionaryShape<N, V> {
  return { kind: "dictionary", name, value, minimum };
}

export function list<I extends Shape>(
  item: I,
  minimum = 0,
  expects = `a list of ${minimum} or more`,
): ListShape<I> {
  return { kind: "list", item, minimum, expects };
}

export function either<A extends Shape, B extends Shape>(short: A, full: B): EitherShape<A, B> {
  return { kind: "either", short, full };
}

export function choice<const V extends string>(
  noun: string,
  values: readonly V[],
  options: Partial<Pick<ChoiceShape<V>, "code" | "forms" | "suffixes" | "foreign">> = {},
): ChoiceShape<V> {
  return {
    kind: "choice",
    code: options.code ?? "unknown-value",
    noun,
    values,
    forms: options.forms,
    suffixes: options.suffixes ?? [],
    foreign: options.foreign,
  };
}

export function integer(minimum: number, maximum: number, example = minimum): IntegerShape {
  return { kind: "integer", minimum, maximum, example };
}

export const flag: FlagShape = { kind: "flag" };
export const scalar: ScalarShape = { kind: "scalar" };

export function word<T = string>(
  options: Omit<TextShape<T>, "kind" | "examples" | "allowsNumbers"> & Partial<TextShape<T>>,
): TextShape<T> {
  return { kind: "text", examples: [], allowsNumbers: false, ...options };
}
