/*
 * What becomes of a column's values when its type changes, between SQL types as migrations print them.
 */

export interface Cast {
  /** Expression after USING; `column` is already quoted. */
  readonly using: (column: string) => string;
  /** Every value survives and can be told apart from every other. */
  readonly lossless: boolean;
}

/** From one SQL type to another. Where values may be lost or refused the cast still exists: it is for the caller to refuse it. */
export function castBetween(from: string, to: string): Cast {
  const [held, wanted] = [readType(from), readType(to)];
  if (held.isList || wanted.isList) return castLists(held, wanted);
  const cast = castNames(held.name, wanted.name);
  return { using: cast.using, lossless: cast.lossless && isWideEnough(held, wanted) };
}

/** Whether every value stays as it lies there: PostgreSQL only notes the new type, and releases of before read and write what they know. */
export function keepsForm({ from, to }: { readonly from: string; readonly to: string }): boolean {
  const [old, now] = [readType(from), readType(to)];
  if (old.isList || now.isList || old.name !== now.name || !castBetween(from, to).lossless) return false;
  if (old.name === "TEXT") return true;
  return old.name === "NUMERIC" && (now.limits.length === 0 || scaleOf(now) === scaleOf(old));
}

function scaleOf({ limits: [precision, scale = 0] }: TypeParts): number | undefined {
  return precision === undefined ? undefined : scale;
}

interface TypeParts {
  /** Without limits; a VARCHAR is a TEXT, a CHAR a BPCHAR. An explicit cast to limits would cut and round, an assignment refuses what is too long. */
  readonly name: string;
  readonly limits: readonly number[];
  readonly isList: boolean;
}

/** `NUMERIC(12,2)[]` */
function readType(type: string): TypeParts {
  const [, name = type, limits, list] = /^([^([]+)(?:\(([\d,]+)\))?(\[\])?$/.exec(type) ?? [];
  return {
    name: UNLIMITED[name] ?? name,
    limits: limits === undefined ? [] : limits.split(",").map(Number),
    isList: list !== undefined,
  };
}

const UNLIMITED: Readonly<Record<string, string>> = { VARCHAR: "TEXT", CHAR: "BPCHAR" };

function castNames(from: string, to: string): Cast {
  const plain = (column: string) => `${column}::${to}`;
  const key = `${from} > ${to}`;
  if (from === to) return { using: (column) => column, lossless: true };
  if (LOSSLESS.has(key)) return { using: plain, lossless: true };
  if (KEPT[key] !== undefined) return { using: KEPT[key], lossless: true };
  if (to === "JSONB") return { using: (column) => `pg_catalog.to_jsonb(${column})`, lossless: true };
  if (VIA[key] !== undefined) return { using: VIA[key], lossless: false };
  return { using: DIRECT.has(key) || from === "TEXT" ? plain : throughText(to), lossless: false };
}

/** A list becomes its JSON, a value a list of one, and the elements of a list are cast one by one. */
function castLists(from: TypeParts, to: TypeParts): Cast {
  if (!to.isList) {
    const { using, lossless } = castNames("JSONB", to.name);
    return {
      using: (column) => using(`pg_catalog.to_jsonb(${column})`),
      lossless: lossless && to.limits.length === 0,
    };
  }
  // A document may hold a list, or not: no cast of PostgreSQL takes it apart.
  if (from.name === "JSONB") return { using: throughText(`${to.name}[]`), lossless: false };
  const each = castNames(from.name, to.name);
  const lossless = each.lossless && isWideEnough(from, to);
  const isDirect = from.name === to.name || each.using("") === `::${to.name}`;
  if (from.isList)
    return { using: (column) => `${column}::${isDirect ? "" : "TEXT[]::"}${to.name}[]`, lossless };
  const one = (column: string) => `CASE WHEN ${column} IS NOT NULL THEN ARRAY[${each.using(column)}] END`;
  return { using: one, lossless };
}

/** Whether the limits of a type hold every value of another, as far as the cast between their names keeps it. */
function isWideEnough(from: TypeParts, to: TypeParts): boolean {
  const [most, scale = 0] = to.limits;
  if (most === undefined) return true;
  if (to.name === "TEXT" || to.name === "BPCHAR")
    return (LONGEST[from.name] ?? from.limits[0] ?? Number.POSITIVE_INFINITY) <= most;
  const [precision, ownScale = 0] = DIGITS[from.name] ?? from.limits;
  return precision !== undefined && precision - ownScale <= most - scale && ownScale <= scale;
}

/** Characters of a value as text. */
const LONGEST: Readonly<Record<string, number>> = {
  SMALLINT: 6,
  INTEGER: 11,
  BIGINT: 20,
  BOOLEAN: 5,
  UUID: 36,
  DATE: 10,
};
const DIGITS: Readonly<Record<string, readonly number[]>> = { SMALLINT: [5], INTEGER: [10], BIGINT: [19] };

function throughText(to: string): Cast["using"] {
  return (column) => `${column}::TEXT::${to}`;
}

/** Lossy casts that PostgreSQL has; all others but those from TEXT go through text, which at least tries. */
const DIRECT: ReadonlySet<string> = new Set([
  "BIGINT > INTEGER",
  "INTEGER > SMALLINT",
  "BIGINT > SMALLINT",
  "BIGINT > DOUBLE PRECISION",
  "NUMERIC > SMALLINT",
  "NUMERIC > INTEGER",
  "NUMERIC > BIGINT",
  "NUMERIC > DOUBLE PRECISION",
  "DOUBLE PRECISION > NUMERIC",
  "DOUBLE PRECISION > SMALLINT",
  "DOUBLE PRECISION > INTEGER",
  "DOUBLE PRECISION > BIGINT",
  "INTEGER > BOOLEAN",
  "TIMESTAMP > DATE",
  "BIGINT > REAL",
  "INTEGER > REAL",
  "NUMERIC > REAL",
  "DOUBLE PRECISION > REAL",
  "REAL > SMALLINT",
  "REAL > INTEGER",
  "REAL > BIGINT",
  "JSONB > REAL",
  "JSONB > SMALLINT",
  "JSONB > NUMERIC",
  "JSONB > INTEGER",
  "JSONB > BIGINT",
  "JSONB > DOUBLE PRECISION",
  "JSONB > BOOLEAN",
]);

/** BIGINT to DOUBLE PRECISION is not among them: past 2^53 neighbours fall together. JSONB to TEXT is: it prints all it holds. */
const LOSSLESS: ReadonlySet<string> = new Set([
  "SMALLINT > INTEGER",
  "SMALLINT > BIGINT",
  "SMALLINT > NUMERIC",
  "SMALLINT > DOUBLE PRECISION",
  "SMALLINT > REAL",
  "SMALLINT > TEXT",
  "INTEGER > NUMERIC",
  "BIGINT > NUMERIC",
  "NUMERIC > TEXT",
  "DATE > TEXT",
  "INTEGER > BIGINT",
  "INTEGER > DOUBLE PRECISION",
  "BOOLEAN > INTEGER",
  "UUID > TEXT",
  "BPCHAR > TEXT",
  "REAL > TEXT",
  "INTEGER > TEXT",
  "BIGINT > TEXT",
  "DOUBLE PRECISION > TEXT",
  "BOOLEAN > TEXT",
  "TIMESTAMP > TEXT",
  "JSONB > TEXT",
]);

/**
 * A plain timestamp is UTC, and a day begins there: casts between them say so, whatever the session's time zone. A real keeps its digits: 0.1
 * stays 0.1, where PostgreSQL's own cast would make it 0.10000000149011612.
 */
const KEPT: Readonly<Record<string, (column: string) => string>> = {
  "TIMESTAMP > TIMESTAMPTZ": (column) => `${column} AT TIME ZONE 'UTC'`,
  "TIMESTAMPTZ > TIMESTAMP": (column) => `${column} AT TIME ZONE 'UTC'`,
  "REAL > DOUBLE PRECISION": (column) => `${column}::TEXT::DOUBLE PRECISION`,
  "DATE > TIMESTAMP": (column) => `${column}::TIMESTAMP`,
  "DATE > TIMESTAMPTZ": (column) => `${column}::TIMESTAMP AT TIME ZONE 'UTC'`,
  "BYTEA > TEXT": (column) => `pg_catalog.translate(pg_catalog.encode(${column}, 'base64'), E'\\n', '')`,
  "TIMESTAMPTZ > TEXT": (column) => `(${column} AT TIME ZONE 'UTC')::TEXT || '+00'`,
};

/** What the pair means, where no cast says it. */
const VIA: Readonly<Record<string, (column: string) => string>> = {
  "TEXT > BYTEA": (column) => `pg_catalog.decode(${column}, 'base64')`,
  "TIMESTAMPTZ > DATE": (column) => `(${column} AT TIME ZONE 'UTC')::DATE`,
  "BOOLEAN > SMALLINT": (column) => `${column}::INTEGER::SMALLINT`,
  "BOOLEAN > NUMERIC": (column) => `${column}::INTEGER::NUMERIC`,
  "SMALLINT > BOOLEAN": (column) => `${column} <> 0`,
  "NUMERIC > BOOLEAN": (column) => `${column} <> 0`,
  "BOOLEAN > BIGINT": (column) => `${column}::INTEGER::BIGINT`,
  "BOOLEAN > REAL": (column) => `${column}::INTEGER::REAL`,
  "REAL > BOOLEAN": (column) => `${column} <> 0`,
  "BOOLEAN > DOUBLE PRECISION": (column) => `${column}::INTEGER::DOUBLE PRECISION`,
  "BIGINT > BOOLEAN": (column) => `${column} <> 0`,
  "DOUBLE PRECISION > BOOLEAN": (column) => `${column} <> 0`,
  "INTEGER > TIMESTAMP": (column) => `pg_catalog.to_timestamp(${column}) AT TIME ZONE 'UTC'`,
  "BIGINT > TIMESTAMP": (column) => `pg_catalog.to_timestamp(${column}) AT TIME ZONE 'UTC'`,
  "DOUBLE PRECISION > TIMESTAMP": (column) => `pg_catalog.to_timestamp(${column}) AT TIME ZONE 'UTC'`,
  "TEXT > TIMESTAMP": (column) => `${column}::TIMESTAMPTZ AT TIME ZONE 'UTC'`,
  "INTEGER > TIMESTAMPTZ": (column) => `pg_catalog.to_timestamp(${column})`,
  "BIGINT > TIMESTAMPTZ": (column) => `pg_catalog.to_timestamp(${column})`,
  "DOUBLE PRECISION > TIMESTAMPTZ": (column) => `pg_catalog.to_timestamp(${column})`,
  "TIMESTAMPTZ > INTEGER": (column) => `extract(epoch FROM ${column})::INTEGER`,
  "TIMESTAMPTZ > BIGINT": (column) => `extract(epoch FROM ${column})::BIGINT`,
  "TIMESTAMPTZ > DOUBLE PRECISION": (column) => `extract(epoch FROM ${column})::DOUBLE PRECISION`,
  "TIMESTAMP > INTEGER": (column) => `extract(epoch FROM ${column})::INTEGER`,
  "TIMESTAMP > BIGINT": (column) => `extract(epoch FROM ${column})::BIGINT`,
  "TIMESTAMP > DOUBLE PRECISION": (column) => `extract(epoch FROM ${column})::DOUBLE PRECISION`,
};
