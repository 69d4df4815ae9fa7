/*
 * The types of columns, and every fact about them. The language, SQL, TypeScript, validation, comparison and simulation
 * read this table, so a new type is one entry here and its tests. A type whose values are of a new kind does not compile
 * until each place that treats kinds differently has a case for it.
 *
 * Pure and without imports: the only module of the runtime that the compiler reads.
 */

/** What the values are. */
export type ValueKind = "text" | "uuid" | "whole number" | "number" | "boolean" | "moment" | "document";

/** The shorthand types of payload fields, each with the JSON type that a message shows; undefined: any. */
export const fieldTypes = {
  string: "string",
  integer: "integer",
  bigint: "string",
  number: "number",
  boolean: "boolean",
  nanoid: "string",
  uuid: "string",
  timestamp: "string",
  json: undefined,
} as const satisfies Readonly<Record<string, "string" | "integer" | "number" | "boolean" | undefined>>;

/** A shorthand type that mesh.yaml gives a payload's field. */
export type FieldType = keyof typeof fieldTypes;

interface ColumnTypeFacts {
  readonly kind: ValueKind;
  /** PostgreSQL's name of the type. */
  readonly sql: string;
  /** TypeScript's type of the values that a row shows; decimal strings where a whole number travels as `bigint`. */
  readonly typescript: "string" | "number" | "boolean" | "unknown";
  /** May identify a row. */
  readonly key: boolean;
  /** The fields of a payload that can carry the values. */
  readonly fields: readonly FieldType[];
  /** Other types whose columns hold each of the values: a copy may have one of them. */
  readonly heldBy: readonly string[];
  /** How a value is written in mesh.yaml, as a hint says it. */
  readonly written: string;
  /** Of a whole number, its sign included. */
  readonly bits?: number;
  /** A key that is left out is drawn by the runtime. */
  readonly drawn?: true;
  /** A moment with a time zone; without one it is UTC. */
  readonly zoned?: true;
}

const table = {
  nanoid: {
    kind: "text",
    sql: "text",
    typescript: "string",
    key: true,
    fields: ["string", "nanoid"],
    heldBy: ["text"],
    written: 'write a text, in quotes where it looks like something else: "5"',
    drawn: true,
  },
  text: {
    kind: "text",
    sql: "text",
    typescript: "string",
    key: true,
    fields: ["string", "nanoid", "uuid"],
    heldBy: ["nanoid"],
    written: 'write a text, in quotes where it looks like something else: "5"',
  },
  uuid: {
    kind: "uuid",
    sql: "uuid",
    typescript: "string",
    key: true,
    fields: ["string", "uuid"],
    heldBy: ["text", "nanoid"],
    written: 'a uuid looks like "0188e2a1-7c4e-7b3a-9f53-0f5e0c1d2a3b"',
  },
  integer: {
    kind: "whole number",
    sql: "integer",
    typescript: "number",
    key: true,
    fields: ["integer", "bigint", "number"],
    heldBy: ["bigint", "number", "text"],
    written: 'write a whole number from -2147483648 to 2147483647; "bigint" holds larger ones',
    bits: 32,
  },
  bigint: {
    kind: "whole number",
    sql: "bigint",
    typescript: "number",
    key: true,
    fields: ["integer", "bigint", "number"],
    heldBy: ["text"],
    written: 'write a whole number; beyond ±(2^53-1) in quotes: "9007199254740993"',
    bits: 64,
  },
  number: {
    kind: "number",
    sql: "double precision",
    typescript: "number",
    key: false,
    fields: ["number"],
    heldBy: ["text"],
    written: "write a finite number, without quotes",
  },
  boolean: {
    kind: "boolean",
    sql: "boolean",
    typescript: "boolean",
    key: false,
    fields: ["boolean"],
    heldBy: ["text"],
    written: "write true or false, without quotes",
  },
  timestamp: {
    kind: "moment",
    sql: "timestamp",
    typescript: "string",
    key: false,
    fields: ["string", "timestamp"],
    heldBy: ["timestamptz", "text"],
    written: 'write "now", or a moment that exists in the years 1 to 9999: "2026-01-31T12:00:00Z"',
  },
  timestamptz: {
    kind: "moment",
    sql: "timestamptz",
    typescript: "string",
    key: false,
    fields: ["string", "timestamp"],
    heldBy: ["timestamp", "text"],
    written: 'write "now", or a moment that exists in the years 1 to 9999: "2026-01-31T12:00:00Z"',
    zoned: true,
  },
  json: {
    kind: "document",
    sql: "jsonb",
    typescript: "unknown",
    key: false,
    fields: ["json"],
    heldBy: ["text"],
    written: `write JSON in quotes, without NUL and half surrogate pairs: '{"a": 1}'`,
  },
} as const satisfies Readonly<Record<string, ColumnTypeFacts>>;

/** A type that mesh.yaml gives a column. */
export type ColumnType = keyof typeof table;
/** PostgreSQL's name of a column's type. */
export type SqlType = (typeof table)[ColumnType]["sql"];

type Facts = Omit<ColumnTypeFacts, "sql" | "heldBy"> & {
  readonly sql: SqlType;
  readonly heldBy: readonly ColumnType[];
};

/** The facts by type. */
export const columnTypes: Readonly<Record<ColumnType, Facts>> = table;

/** In the order in which an editor offers them. */
export const columnTypeNames = Object.keys(table) as readonly ColumnType[];
/** The shorthand types of payload fields, by name. */
export const fieldTypeNames = Object.keys(fieldTypes) as readonly FieldType[];

/** What the values of a type are. */
export function kindOf(type: ColumnType): ValueKind {
  return columnTypes[type].kind;
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

/** A column, as far as SQL over its values depends on it. */
interface TypedColumn {
  readonly type: ColumnType;
  /** Its whole numbers travel as decimal strings. */
  readonly wide?: true | undefined;
}

/** To the microsecond, in UTC. Says nothing of the session's time zone or DateStyle. */
const ISO_8601 = `'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'`;

/** SQL: the column's value such that PostgreSQL's JSON of it is its form on the wire. */
export function wireExpression({ type, wide }: TypedColumn, value: string): string {
  const { kind, zoned } = columnTypes[type];
  switch (kind) {
    case "moment":
      return `to_char(${value}${zoned ? " AT TIME ZONE 'UTC'" : ""}, ${ISO_8601})`;
    case "whole number":
      return wide ? `${value}::text` : value;
    case "text":
    case "uuid":
    case "number":
    case "boolean":
    case "document":
      return value;
    default:
      return kind satisfies never;
  }
}

/** SQL: the value such that only the very same one is equal: PostgreSQL takes 1.1 and 1.10 within jsonb, 0 and -0, for one. */
export function exactExpression({ type }: TypedColumn, value: string): string {
  const kind = kindOf(type);
  switch (kind) {
    case "document":
      return `${value}::text`;
    case "number":
      return `float8send(${value})`;
    case "text":
    case "uuid":
    case "whole number":
    case "boolean":
    case "moment":
      return value;
    default:
      return kind satisfies never;
  }
}
