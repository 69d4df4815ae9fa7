/*
 * The types of SQL dialects, languages and schema formats, and what stands for them in mesh.yaml: whoever
 * comes from elsewhere writes `varchar(50)` or `int` first.
 */

/** What to write instead, as a column and as a payload field. `length`: what stood in brackets. */
interface Equivalent {
  readonly words: readonly string[];
  readonly column: (length: string | undefined) => string;
  readonly field: (length: string | undefined) => string;
}

const same = (text: string) => ({ column: () => text, field: () => text });
const quoted = (column: string, field: string) => ({
  column: () => `write "${column}"`,
  field: () => `write "${field}"`,
});

const equivalents: readonly Equivalent[] = [
  {
    words: words(
      "string, str, text, char, varchar, character, nchar, nvarchar, varchar2, bpchar, citext, clob, tinytext, mediumtext, longtext, character varying, fixedstring, email, url, uri, hostname",
    ),
    column: (length) =>
      isLength(length)
        ? `write "text"; the payload may limit it: "{ type: string, maxLength: ${length} }"`
        : 'write "text"',
    field: (length) =>
      isLength(length) ? `write "{ type: string, maxLength: ${length} }"` : 'write "string"',
  },
  {
    words: words(
      "int, int2, int4, int16, int32, uint, uint16, uint32, smallint, tinyint, mediumint, short, byte, counter",
    ),
    ...quoted("integer", "integer"),
  },
  {
    words: words(
      "bigint, biginteger, int8, int64, uint64, long, bigint unsigned, int unsigned, int128, hugeint",
    ),
    column: () => 'write "bigint"',
    field: () => 'write "bigint", which travels as a decimal text, or "integer" within ±(2^53-1)',
  },
  {
    words: words(
      "serial, serial4, serial8, bigserial, smallserial, identity, autoincrement, auto_increment, sequence, rowid",
    ),
    column: () =>
      'no column counts by itself: write "nanoid" for a key that the API draws, or "bigint" for numbers of your own',
    field: () => 'write "integer"',
  },
  {
    words: words(
      "float, float4, float8, float16, float32, float64, double, real, double precision, f32, f64",
    ),
    ...quoted("number", "number"),
  },
  {
    words: words("decimal, numeric, dec, money, smallmoney, currency, bigdecimal, decimal128, fixed point"),
    column: () => '"bigint" in the smallest unit (cents) or "text" hold it exactly; "number" rounds',
    field: () =>
      '"integer" or "bigint" in the smallest unit (cents), or "string", hold it exactly; "number" rounds',
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
    words: words(
      "date, time, timetz, year, interval, duration, time with time zone, time without time zone, localdate",
    ),
    column: () => 'write "text" for a day, a time or an interval ("2026-01-31"), or "timestamp" for a moment',
    field: () =>
      'write "string" for a day, a time or an interval ("2026-01-31"), or "timestamp" for a moment',
  },
  {
    words: words(
      "jsonb, object, map, record, struct, dict, hstore, document, any, unknown, mixed, variant, super",
    ),
    ...quoted("json", "json"),
  },
  {
    words: words("array, list, set, tuple, vector"),
    column: () => 'write "json"',
    field: () => 'write "string[]", or another type and "[]"',
  },
  {
    words: words("bytea, blob, binary, varbinary, bytes, buffer, tinyblob, mediumblob, longblob, image, raw"),
    column: () => 'write "text" and encode it (base64), or keep it elsewhere and its place here',
    field: () => 'write "string" and encode it (base64), or keep it elsewhere and its place here',
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
  const { known, length, isList } = lookUp(written);
  if (known !== undefined && isList) return 'write "json", which holds lists';
  return known?.column(length);
}

export function foreignFieldType(written: string): string | undefined {
  const { known, length } = lookUp(written);
  return known?.field(length);
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
  return { known: byWord.get(word), length: length?.trim(), isList };
}
