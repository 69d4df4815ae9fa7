import { type ColumnType, factsOf, isWideElement } from "./column-types.js";

/*
 * SQL over the values of a column, by its type. Pure: the compiler reads it too.
 */

/** A column, as far as SQL over its values depends on it. */
interface TypedColumn {
  readonly type: ColumnType;
  /** Its whole numbers travel as decimal strings. */
  readonly wide?: true | undefined;
  /** It may be of `json` in place of `jsonb`, which keeps the text, and has no equality: its value is that of jsonb. */
  readonly anyJson?: true | undefined;
}

/** To the microsecond, in UTC. Says nothing of the session's time zone or DateStyle. */
const ISO_8601 = `'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'`;

/** SQL: the column's value such that PostgreSQL's JSON of it is its form on the wire. */
export function wireExpression({ type, wide, anyJson }: TypedColumn, value: string): string {
  const { kind, zoned, element, padded } = factsOf(type);
  switch (kind) {
    case "moment":
      return `pg_catalog.to_char(${value}${zoned ? " AT TIME ZONE 'UTC'" : ""}, ${ISO_8601})`;
    case "day":
      return `pg_catalog.to_char(${value}, 'YYYY-MM-DD')`;
    case "whole number":
      return wide ? `${value}::text` : value;
    // PostgreSQL prints all digits of the scale, and never an exponent.
    case "decimal":
      return `${value}::text`;
    // PostgreSQL breaks lines after 76 characters.
    case "bytes":
      return `pg_catalog.translate(pg_catalog.encode(${value}, 'base64'), E'\\n', '')`;
    case "list":
      return element === undefined ? value : wireList(element, value);
    // As text it has no blanks at its end, as JSON it has.
    case "text":
      return padded ? `${value}::text` : value;
    case "document":
      return anyJson ? `${value}::jsonb` : value;
    case "uuid":
    case "number":
    case "boolean":
      return value;
    default:
      return kind satisfies never;
  }
}

/** SQL: the column's value as text, as the id of an entity has it. */
export function textExpression({ type }: TypedColumn, value: string): string {
  const { kind, padded } = factsOf(type);
  return kind === "text" && !padded ? value : `${value}::text`;
}

/** SQL: a text, that of a column's value, as the column is compared with. */
export function fromTextExpression({ type }: TypedColumn, text: string): string {
  const { kind, padded, cast } = factsOf(type);
  return kind === "text" && !padded ? text : `${text}::${cast}`;
}

/** SQL: whether a row lives, by the column that its table deletes softly by. Never NULL. */
export function livesExpression({ type }: TypedColumn, value: string): string {
  return factsOf(type).kind === "boolean" ? `${value} IS NOT TRUE` : `${value} IS NULL`;
}

/** SQL: what a deletion sets the column to. One without a time zone holds UTC. */
export function deletionExpression({ type }: TypedColumn): string {
  const { kind, zoned } = factsOf(type);
  if (kind === "boolean") return "true";
  return zoned ? "now()" : "now() AT TIME ZONE 'UTC'";
}

function wireList(type: ColumnType, value: string): string {
  const { kind, bits, padded } = factsOf(type);
  if (kind === "decimal" || padded || isWideElement(kind, bits)) return `${value}::text[]`;
  const each = wireExpression({ type }, "item");
  if (each === "item") return value;
  const items = `SELECT ${each} FROM pg_catalog.unnest(${value}) WITH ORDINALITY AS items (item, place) ORDER BY place`;
  return `CASE WHEN ${value} IS NOT NULL THEN ARRAY(${items}) END`;
}

/** SQL: the id of an entity whose key columns have these values, as `joinId` makes it of their texts. `mesh`: the schema of the mesh. */
export function idExpression(
  parts: readonly (TypedColumn & { readonly value: string })[],
  mesh = "mesh",
): string {
  const texts = parts.map(({ type, value }) =>
    parts.length > 1 && factsOf(type).kind === "text" ? `${mesh}.id_part(${value}::text)` : `${value}::text`,
  );
  // Columns of one key may have several collations.
  return texts.length === 1 ? (texts[0] ?? "") : `(${texts.join(" || ':' || ")} COLLATE "C")`;
}

/** SQL: the value such that only the very same one is equal: PostgreSQL takes 1.1 and 1.10 within jsonb, 0 and -0, for one. */
export function exactExpression({ type, anyJson }: TypedColumn, value: string): string {
  const { kind, element, precision } = factsOf(type);
  switch (kind) {
    case "document":
      return `${wireExpression({ type, anyJson }, value)}::text`;
    case "number":
      return `pg_catalog.float8send(${value})`;
    case "decimal":
      return precision === undefined ? `pg_catalog.numeric_send(${value})` : value;
    case "list":
      return element !== undefined && exactExpression({ type: element }, "") !== ""
        ? `pg_catalog.array_send(${value})`
        : value;
    case "text":
    case "uuid":
    case "whole number":
    case "boolean":
    case "moment":
    case "day":
    case "bytes":
      return value;
    default:
      return kind satisfies never;
  }
}
