import { parseColumnType } from "@meshwright/runtime/column-types";

/*
 * The types of SQL dialects, languages and schema formats, and what stands for them in mesh.yaml: whoever
 * comes from elsewhere writes `varchar(50)` or `int` first.
 */

/** What to write instead, as a column and as a payload field. */
interface Equivalent {
  readonly words: readonly string[];
  readonly column: (limits: Limits) => string;
  readonly field: (limits: Limits) => string;
}

interface Limits {
  /** What stood in brackets. */
  readonly length: string | undefined;
  /** They were not closed: within braces a comma ends the word. */
  readonly isCut: boolean;
}

const same = (text: string) => ({ column: () => text, field: () => text });
const quoted = (column: string, field: string) => ({
  column: () => `write "${column}"`,
  field: () => `write "${field}"`,
});

const counted = (type: string) => ({
  column: () => `for a key that the database counts write "type: ${type}" and "identity: true"`,
  field: () => 'write "integer"',
});

const equivalents: readonly Equivalent[] = [
  {
    words: words(
      "string, str, text, varchar, nvarchar, varchar2, citext, clob, tinytext, mediumtext, longtext, character varying, fixedstring, email, url, uri, hostname",
    ),
    column: ({ length }) => (isLength(length) ? `write "varchar(${length})"` : 'write "text"'),
    field: ({ length }) =>
      isLength(length) ? `write "{ type: string, maxLength: ${length} }"` : 'write "string"',
  },
  {
    words: words("char, character, nchar, bpchar"),
    column: ({ length }) => (isLength(length) ? `write "char(${length})"` : 'write "text"'),
    field: ({ length }) =>
      isLength(length) ? `write "{ type: string, maxLength: ${length} }"` : 'write "string"',
  },
  {
    words: words("int, int4, int32, integer, uint, uint16, uint32, mediumint, counter"),
    ...quoted("integer", "integer"),
  },
  {
    words: words("int2, int16, smallint, tinyint, short, byte"),
    ...quoted("smallint", "integer"),
  },
  {
    words: words(
      "bigint, biginteger, int8, int64, uint64, long, bigint unsigned, int unsigned, int128, hugeint",
    ),
    column: () => 'write "bigint"',
    field: () => 'write "bigint", which travels as a decimal text, or "integer" within ±(2^53-1)',
  },
  {
    words: words("serial, serial4, identity, autoincrement, auto_increment, sequence, rowid"),
    ...counted("integer"),
  },
  { words: words("serial8, bigserial"), ...counted("bigint") },
  { words: words("smallserial, serial2"), ...counted("smallint") },
  {
    words: words("float, float8, float64, double, double precision, f64"),
    ...quoted("number", "number"),
  },
  { words: words("real, float4, float16, float32, f32"), ...quoted("real", "number") },
  {
    words: words("decimal, numeric, dec, money, smallmoney, currency, bigdecimal, decimal128, fixed point"),
    column: decimalAdvice,
    field: () => 'write "decimal", which travels as a decimal text',
  },
  { words: words("bool, bit, logical, flag"), ...quoted("boolean", "boolean") },
  {
    words: words("datetime, datetime2, smalldatetime, localdatetime, timestamp without time zone, timestamp"),
    ...same('write "timestamp", which is UTC'),
  },
  {
    words: words(
      "timestamptz, timestamp with time zone, instant, zoneddatetime, offsetdatetime, datetimeoffset, date-time",
    ),
    ...quoted("timestamptz", "timestamp"),
  },
  {
    words: words("time, timetz, year, interval, duration, time with time zone, time without time zone"),
    column: () => 'write "text" for a time or an interval, "date" for a day, or "timestamp" for a moment',
    field: () => 'write "string" for a time or an interval, "date" for a day, or "timestamp" for a moment',
  },
  { words: words("date, localdate, day"), ...quoted("date", "date") },
  {
    words: words(
      "jsonb, object, map, record, struct, dict, hstore, document, any, unknown, mixed, variant, super",
    ),
    ...quoted("json", "json"),
  },
  {
    words: words("array, list, set, tuple, vector"),
    column: () => 'write "text[]", or another type and "[]", or "json"',
    field: () => 'write "string[]", or another type and "[]"',
  },
  {
    words: words("bytea, blob, binary, varbinary, bytes, buffer, tinyblob, mediumblob, longblob, image, raw"),
    ...quoted("bytea", "binary"),
  },
  {
    words: words("enum"),
    column: () => 'write "{ type: text, one_of: [a, b] }"',
    field: () => 'write "{ type: string, enum: [a, b] }"',
  },
  { words: words("guid, uniqueidentifier, uuid4, uuidv4, uuidv7"), ...quoted("uuid", "uuid") },
  { words: words("id, ulid, cuid, objectid, nanoid()"), ...same('write "nanoid" or "uuid"') },
  {
    words: words("xml, inet, cidr, macaddr, ltree, tsvector, point, polygon, geometry, geography"),
    column: () => 'write "text", or "json" for what has parts',
    field: () => 'write "string", or "json" for what has parts',
  },
];

const byWord = new Map(equivalents.flatMap((one) => one.words.map((word) => [word, one] as const)));

function words(text: string): readonly string[] {
  return text.split(", ");
}

function isLength(length: string | undefined): length is string {
  return length !== undefined && /^\d+$/.test(length);
}

/** Advice for a type that mesh.yaml does not have; undefined for a word that no other tool has either. */
export function foreignColumnType(written: string): string | undefined {
  const { known, limits, isList } = lookUp(written);
  const advice = known?.column(limits);
  const [, element] = /^write "([^"]+)"$/.exec(advice ?? "") ?? [];
  if (advice === undefined || !isList) return advice;
  return element === undefined || parseColumnType(`${element}[]`) === undefined
    ? 'write "json", which holds lists'
    : `write "${element}[]"`;
}

export function foreignFieldType(written: string): string | undefined {
  const { known, limits } = lookUp(written);
  return known?.field(limits);
}

function decimalAdvice({ length = "12,2", isCut }: Limits): string {
  if (isCut) return `within braces a comma ends the word: write it in quotes, "numeric(${length},2)"`;
  const type = parseColumnType(`numeric(${length})`);
  return type === undefined
    ? 'a numeric has 1 to 1000 digits, of which no more than all are behind the point: write "numeric(12,2)"'
    : `write "${type}"`;
}

function lookUp(written: string) {
  const isList = /\[\d*\]$/.test(written);
  const bare = written
    .replace(/\[\d*\]$/, "")
    .trim()
    .toLowerCase()
    .replace(/\s+/g, " ");
  // `decimal(10,2)` in a flow mapping ends at its comma.
  const [, word = bare, length] = /^([a-z][\w -]*?) ?[(<]\s*([^)>]*)[)>]?/.exec(bare) ?? [];
  const isCut = bare.includes("(") && !bare.includes(")");
  return { known: byWord.get(word), limits: { length: length?.trim(), isCut }, isList };
}
