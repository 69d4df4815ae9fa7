/*
 * The types of columns, and every fact about them. The language, SQL, TypeScript, validation, comparison and simulation
 * read this table, so a new type is one entry here and its tests. A type whose values are of a new kind does not compile
 * until each choice between kinds has a case for it; questions about one kind (`kindOf(type) === …`) the compiler cannot name.
 *
 * Pure and without imports: beside `column-sql.ts` the only module of the runtime that the compiler reads.
 */

/** What the values are. */
export type ValueKind =
  | "text"
  | "uuid"
  | "whole number"
  | "number"
  | "decimal"
  | "boolean"
  | "moment"
  | "day"
  | "bytes"
  | "document"
  | "list";

/** The shorthand types of payload fields, each with the JSON type that a message shows; undefined: any. */
export const fieldTypes = {
  string: "string",
  integer: "integer",
  bigint: "string",
  number: "number",
  decimal: "string",
  boolean: "boolean",
  nanoid: "string",
  uuid: "string",
  timestamp: "string",
  date: "string",
  binary: "string",
  json: undefined,
} as const satisfies Readonly<Record<string, "string" | "integer" | "number" | "boolean" | undefined>>;

/** A shorthand type that mesh.yaml gives a payload's field. */
export type FieldType = keyof typeof fieldTypes;

/** What all types of a kind have in common. */
interface KindFacts {
  /** TypeScript's type of the values that a row shows; decimal strings where a whole number travels as `bigint`. */
  readonly typescript: string;
  /** May identify a row. */
  readonly key: boolean;
  /** How a value is written in mesh.yaml, as a hint says it. */
  readonly written: string;
  /** What a column can hold and no message can carry, where there is such. */
  readonly unsent?: string;
}

const kinds: Readonly<Record<Exclude<ValueKind, "list">, KindFacts>> = {
  text: {
    typescript: "string",
    key: true,
    written: 'write a text, in quotes where it looks like something else: "5"',
  },
  uuid: {
    typescript: "string",
    key: true,
    written: 'a uuid looks like "0188e2a1-7c4e-7b3a-9f53-0f5e0c1d2a3b"',
  },
  "whole number": {
    typescript: "number",
    key: true,
    unsent: "a whole number beyond 2^53",
    written: "write a whole number",
  },
  number: {
    typescript: "number",
    key: false,
    unsent: "NaN or infinity",
    written: "write a finite number, without quotes",
  },
  decimal: {
    typescript: "string",
    key: false,
    unsent: "NaN or infinity",
    written: 'write a decimal in quotes, of no more digits than the type says: "0.00"',
  },
  boolean: { typescript: "boolean", key: false, written: "write true or false, without quotes" },
  moment: {
    typescript: "string",
    key: false,
    unsent: "infinity, or a moment outside of the years 1 to 9999",
    written: 'write "now", or a moment that exists in the years 1 to 9999: "2026-01-31T12:00:00Z"',
  },
  day: {
    typescript: "string",
    key: false,
    unsent: "infinity, or a day outside of the years 1 to 9999",
    written:
      'write "now" for the present day in UTC, or a day that exists in the years 1 to 9999: "2026-01-31"',
  },
  bytes: { typescript: "string", key: false, written: 'write the bytes as base64, in quotes: "SGVsbG8="' },
  document: {
    typescript: "unknown",
    key: false,
    unsent: "the JSON value null, where NULL says the same",
    written: `write JSON in quotes, without NUL and half surrogate pairs: '{"a": 1}'`,
  },
};

interface TypeFacts extends Partial<Pick<KindFacts, "written">> {
  readonly kind: Exclude<ValueKind, "list">;
  /** PostgreSQL's name of the type, its limits included: `varchar(50)`. */
  readonly sql: string;
  /** The fields of a payload that can carry the values; of a list, the elements'. */
  readonly fields: readonly FieldType[];
  /** Other types whose columns hold each of the values: a copy may have one of them. */
  readonly heldBy: readonly string[];
  /** Of a whole number, its sign included; of a number, where it has fewer than a double. */
  readonly bits?: number;
  /** A key that is left out is drawn by the runtime. */
  readonly drawn?: true;
  /** A moment with a time zone; without one it is UTC. */
  readonly zoned?: true;
  /** PostgreSQL fills a text up with blanks, which are no part of its value. */
  readonly padded?: true;
  /** What stands in brackets behind the name: always a length, digits where the user wants that. */
  readonly limits?: "length" | "digits";
  /** May be the type of a list's elements. */
  readonly listed?: true;
}

const table = {
  nanoid: { kind: "text", sql: "text", fields: ["string", "nanoid"], heldBy: ["text"], drawn: true },
  text: { kind: "text", sql: "text", fields: ["string", "nanoid", "uuid"], heldBy: ["nanoid"], listed: true },
  varchar: {
    kind: "text",
    sql: "varchar",
    fields: ["string", "nanoid", "uuid"],
    heldBy: ["text", "nanoid"],
    written:
      "write a text of no more characters than the type says, in quotes where it looks like something else",
    listed: true,
    limits: "length",
  },
  char: {
    kind: "text",
    sql: "bpchar",
    fields: ["string"],
    heldBy: ["varchar", "text", "nanoid"],
    written:
      "write a text of no more characters than the type says and without a blank at its end, in quotes where it looks like something else",
    listed: true,
    padded: true,
    limits: "length",
  },
  uuid: { kind: "uuid", sql: "uuid", fields: ["string", "uuid"], heldBy: ["text", "nanoid"], listed: true },
  smallint: {
    kind: "whole number",
    sql: "smallint",
    fields: ["integer", "bigint", "number"],
    heldBy: ["integer", "bigint", "real", "number", "text"],
    written: "write a whole number from -32768 to 32767",
    bits: 16,
    listed: true,
  },
  integer: {
    kind: "whole number",
    sql: "integer",
    fields: ["integer", "bigint", "number"],
    heldBy: ["bigint", "number", "text"],
    written: 'write a whole number from -2147483648 to 2147483647; "bigint" holds larger ones',
    bits: 32,
    listed: true,
  },
  bigint: {
    kind: "whole number",
    sql: "bigint",
    fields: ["integer", "bigint", "number"],
    heldBy: ["text"],
    written: 'write a whole number; beyond ±(2^53-1) in quotes: "9007199254740993"',
    bits: 64,
    listed: true,
  },
  number: { kind: "number", sql: "double precision", fields: ["number"], heldBy: ["text"], listed: true },
  real: {
    kind: "number",
    sql: "real",
    fields: ["number"],
    heldBy: ["number", "text"],
    written:
      "write a number that single precision keeps as it is written, without quotes: 0.1, not 0.123456789",
    bits: 32,
    listed: true,
  },
  numeric: {
    kind: "decimal",
    sql: "numeric",
    fields: ["decimal", "string"],
    heldBy: ["text"],
    listed: true,
    limits: "digits",
  },
  boolean: { kind: "boolean", sql: "boolean", fields: ["boolean"], heldBy: ["text"], listed: true },
  timestamp: {
    kind: "moment",
    sql: "timestamp",
    fields: ["string", "timestamp"],
    heldBy: ["timestamptz", "text"],
  },
  timestamptz: {
    kind: "moment",
    sql: "timestamptz",
    fields: ["string", "timestamp"],
    heldBy: ["timestamp", "text"],
    zoned: true,
  },
  date: { kind: "day", sql: "date", fields: ["string", "date"], heldBy: ["text"], listed: true },
  bytea: { kind: "bytes", sql: "bytea", fields: ["binary", "string"], heldBy: ["text"] },
  json: { kind: "document", sql: "jsonb", fields: ["json"], heldBy: ["text"] },
} as const satisfies Readonly<Record<string, TypeFacts>>;

type Name = keyof typeof table;
type NameWith<F> = { [N in Name]: (typeof table)[N] extends F ? N : never }[Name];
type WithLength = NameWith<{ readonly limits: "length" }>;
/** A type whose name says it all. */
type PlainType = Exclude<Name, WithLength>;
type Limited = `${WithLength}(${number})` | `${NameWith<{ readonly limits: "digits" }>}(${number},${number})`;
type Element = Exclude<NameWith<{ readonly listed: true }>, WithLength> | Limited;
/** A type that mesh.yaml gives a column, as it is written there: `text`, `varchar(50)`, `numeric(12,2)`, `text[]`. */
export type ColumnType = PlainType | Limited | `${Element}[]`;

/** The facts about one type, its limits and elements included. */
export interface Facts extends KindFacts, Omit<TypeFacts, "heldBy" | "kind" | "written"> {
  readonly kind: ValueKind;
  /** The SQL type without limits, which a cast to them would meet by cutting and rounding. */
  readonly cast: string;
  /** Characters of a text. */
  readonly length?: number;
  /** Digits of a decimal, and how many of them are behind the point; without these it keeps the digits that it was given. */
  readonly precision?: number;
  readonly scale?: number;
  /** Of the elements of a list. */
  readonly element?: ColumnType;
}

/** The types that need no limits, in the order in which an editor offers them. */
export const columnTypeNames = (Object.keys(table) as readonly Name[]).filter(isPlain);
/** How the others look. */
export const columnTypeForms = [
  "varchar(50)",
  "char(3)",
  "numeric(12,2)",
  "text[]",
] as const satisfies readonly ColumnType[];

/** How the others are written, as a regular expression of JSON Schema. */
export const columnTypePattern = [
  ...namesWith("length").map((name) => `${name}\\(\\d+\\)`),
  ...namesWith("digits").map((name) => `${name}\\(\\d+(, ?\\d+)?\\)`),
  "[a-z]+(\\([\\d, ]+\\))?\\[\\]",
].join("|");

function limitsOf(name: Name): TypeFacts["limits"] {
  const { limits }: TypeFacts = table[name];
  return limits;
}

function namesWith(limits: TypeFacts["limits"]): readonly Name[] {
  return (Object.keys(table) as readonly Name[]).filter((name) => limitsOf(name) === limits);
}

function isPlain(name: Name): name is PlainType {
  return limitsOf(name) !== "length";
}

const LIMITED = /^([a-z]+)\((\d+)(?:,\s*(\d+))?\)$/;
/** PostgreSQL's own limits. */
const MOST = { length: 10_485_760, precision: 1_000 };

/** The type that is written so, in its one spelling; undefined for none. */
export function parseColumnType(written: string): ColumnType | undefined {
  if (isName(written)) return isPlain(written) ? written : undefined;
  if (written.endsWith("[]")) {
    const element = parseColumnType(written.slice(0, -2));
    return element !== undefined && factsOf(element).listed ? (`${element}[]` as ColumnType) : undefined;
  }
  const [, name = "", first, second] = LIMITED.exec(written) ?? [];
  if (!isName(name)) return undefined;
  const [most, scale] = [Number(first), Number(second ?? 0)];
  if (limitsOf(name) === "length")
    return second === undefined && within(most, MOST.length) ? (`${name}(${most})` as ColumnType) : undefined;
  const isLimited = limitsOf(name) === "digits" && within(most, MOST.precision) && scale <= most;
  return isLimited ? (`${name}(${most},${scale})` as ColumnType) : undefined;
}

function isName(word: string): word is Name {
  return Object.hasOwn(table, word);
}

function within(limit: number, most: number): boolean {
  return limit >= 1 && limit <= most;
}

const factsByType = new Map<ColumnType, Facts>();

/** What is true of the type, limits and elements included. */
export function factsOf(type: ColumnType): Facts {
  const facts = factsByType.get(type) ?? readFacts(type);
  factsByType.set(type, facts);
  return facts;
}

function readFacts(type: ColumnType): Facts {
  if (type.endsWith("[]")) return listFacts(type.slice(0, -2) as ColumnType);
  const { heldBy: _, ...own }: TypeFacts = table[nameOf(type)];
  const facts = { ...kinds[own.kind], ...own };
  const [found, , most, scale] = LIMITED.exec(type) ?? [];
  if (found === undefined) return { ...facts, cast: facts.sql };
  const limits =
    own.limits === "length" ? { length: Number(most) } : { precision: Number(most), scale: Number(scale) };
  return { ...facts, sql: type, cast: facts.sql, ...limits };
}

function listFacts(element: ColumnType): Facts {
  const { kind, bits, sql, cast, typescript, fields, unsent } = factsOf(element);
  const isWide = isWideElement(kind, bits);
  const held = kind === "whole number" || unsent === undefined ? "" : `, ${unsent}`;
  return {
    kind: "list",
    sql: `${sql}[]`,
    cast: `${cast}[]`,
    typescript: `readonly ${isWide ? "string" : typescript}[]`,
    key: false,
    fields: isWide ? ["bigint"] : fields.filter((field) => field !== "bigint"),
    written: `write a JSON list in quotes, without null: '["a", "b"]'`,
    unsent: `a list that holds NULL${held}, or has several dimensions, or begins elsewhere than at 1`,
    element,
  };
}

/** Whether a list's elements travel as decimal strings: large whole numbers, so that a list of them has one form on the wire. */
export function isWideElement(kind: ValueKind, bits: number | undefined): boolean {
  return kind === "whole number" && bits === 64;
}

function nameOf(type: ColumnType): Name {
  return type.replace(/\(.*$/, "") as Name;
}

/** What the values of a type are. */
export function kindOf(type: ColumnType): ValueKind {
  return factsOf(type).kind;
}

/** What the column can hold and no message can carry, where there is such. */
export function unsentBy({
  type,
  anyJson,
}: {
  readonly type: ColumnType;
  readonly anyJson?: true | undefined;
}) {
  const { unsent } = factsOf(type);
  return anyJson ? `${unsent}, a NUL, or half of a surrogate pair` : unsent;
}

/** Whether a column of the first type can refer to a key of the second: their values have the same texts, equal where the others are. */
export function isReferable(type: ColumnType, key: ColumnType): boolean {
  const [own, other] = [factsOf(type), factsOf(key)];
  return own.kind === other.kind && own.padded === other.padded;
}

/** Whether a column of the copy's type holds every value of the owner's. */
export function holdsAll(copy: ColumnType, owned: ColumnType): boolean {
  if (copy === owned) return true;
  const [holder, held] = [factsOf(copy), factsOf(owned)];
  if (holder.element !== undefined && held.element !== undefined)
    return holder.typescript === held.typescript && holdsAll(holder.element, held.element);
  if (holder.element !== undefined || held.element !== undefined) return false;
  const [name, ownedName] = [nameOf(copy), nameOf(owned)];
  const heldBy: readonly string[] = table[ownedName].heldBy;
  return (name === ownedName || heldBy.includes(name)) && isWideEnough(holder, held);
}

function isWideEnough(holder: Facts, held: Facts): boolean {
  if (holder.length !== undefined) return held.length !== undefined && held.length <= holder.length;
  if (holder.precision === undefined) return true;
  return held.precision !== undefined && held.precision <= holder.precision && held.scale === holder.scale;
}

/** The shorthand types of payload fields, by name. */
export const fieldTypeNames = Object.keys(fieldTypes) as readonly FieldType[];

/** A decimal on the wire: never with an exponent, a sign or zeros that say nothing. */
export const DECIMAL = "^-?(0|[1-9]\\d*)(\\.\\d+)?$";
/** A day on the wire; that it exists is asked besides. */
export const DAY = "^\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])$";
/** Base64 on the wire, as far as a pattern says it in one pass. */
export const BASE64 = "^[A-Za-z0-9+/]*={0,2}$";

const base64Form = new RegExp(BASE64);
const lastQuartet = /^(|[A-Za-z0-9+/]{4}|[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)$/;

/** Whether the text is base64 in its one spelling: padded, and no bits in the padding. */
export function isBase64(text: string): boolean {
  return text.length % 4 === 0 && base64Form.test(text) && lastQuartet.test(text.slice(-4));
}

const decimalForm = new RegExp(DECIMAL);
/** PostgreSQL's own limits of a numeric without limits. */
const UNLIMITED = { whole: 131_072, scale: 16_383 };

/** Whether a numeric with these limits keeps every digit of the text that tells one value from another. */
export function isDecimalOf({ precision, scale }: Pick<Facts, "precision" | "scale">, text: string): boolean {
  if (!decimalForm.test(text)) return false;
  const [whole = "", fraction = ""] = text.replace("-", "").split(".");
  if (precision === undefined || scale === undefined)
    return whole.length <= UNLIMITED.whole && fraction.length <= UNLIMITED.scale;
  const digits = whole === "0" ? 0 : whole.length;
  return digits <= precision - scale && withoutTrailingZeros(fraction).length <= scale;
}

/** By a loop: a regular expression tries a long run of zeros within the text again from each of them. */
export function withoutTrailingZeros(digits: string): string {
  let end = digits.length;
  while (digits[end - 1] === "0") end -= 1;
  return digits.slice(0, end);
}

/** The whole numbers of so many bits, as far as a JSON number is exact for every reader. */
export function wholeRange(bits = 64): { readonly minimum: number; readonly maximum: number } {
  if (bits > 53) return { minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER };
  return { minimum: -(2 ** (bits - 1)), maximum: 2 ** (bits - 1) - 1 };
}

/** Whether the value is one of those. */
export function isWholeOf(bits: number | undefined, value: unknown): value is number {
  const { minimum, maximum } = wholeRange(bits);
  return Number.isInteger(value) && Number(value) >= minimum && Number(value) <= maximum;
}

/**
 * Whether a number of so many bits keeps the value: of 32 those that PostgreSQL prints of a `real`, the shortest decimals that
 * tell one from another. Others would come back as another number.
 */
export function isNumberOf(bits: number | undefined, value: unknown): value is number {
  if (typeof value !== "number" || !Number.isFinite(value)) return false;
  return bits !== 32 || isSingle(value);
}

function isSingle(value: number): boolean {
  const single = Math.fround(value);
  if (!Number.isFinite(single) || single === 0) return single === value;
  // Six digits come back, but of numbers near zero, and of those half way between two of single precision.
  const isUsual = Math.abs(single) >= 2 ** -126 && Math.abs(single) < 2 ** 24;
  if (isUsual && Number(value.toPrecision(6)) === value) return true;
  return Math.abs(value) === shortestSingle(Math.abs(single));
}

/** As PostgreSQL prints it: of the decimals nearer to it than to another one, the nearest of the fewest digits; of two as near, the even one. */
function shortestSingle(single: number): number | undefined {
  const [digits = "", exponent] = single.toExponential(99).replace(".", "").split("e");
  const [least, most] = [(besideSingle(single, -1) + single) / 2, (single + besideSingle(single, 1)) / 2];
  // Nine digits tell all of them apart.
  for (let kept = 1; kept <= 9; kept += 1) {
    const below = Number(digits.slice(0, kept));
    const [rest, half] = [digits.slice(kept), "5".padEnd(digits.length - kept, "0")];
    const isAbove = rest > half || (rest === half && below % 2 === 1);
    const nearest = isAbove ? [below + 1, below] : [below, below + 1];
    const found = nearest
      .map((whole) => Number(`${whole}e${Number(exponent) - kept + 1}`))
      .find((decimal) => least < decimal && decimal < most);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The next number of single precision above or below a positive one. Beyond the largest one lies 2^128. */
function besideSingle(single: number, step: 1 | -1): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, single);
  view.setUint32(0, view.getUint32(0) + step);
  const beside = view.getFloat32(0);
  return Number.isFinite(beside) ? beside : 2 ** 128;
}
