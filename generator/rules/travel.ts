import { type ColumnType, factsOf, kindOf, wholeRange } from "@meshwright/runtime/column-types";
import type { Column, Field, Mesh, Table } from "../model/mesh.js";
import { SCHEMA_MARK } from "../quote/sql.js";
import { fieldsShowing, ownerOf } from "./emitted.js";

/*
 * What a column may hold so that messages can carry its values: JSON has no NaN and no infinity, ISO 8601 no year beyond
 * 9999, and a JSON number beyond 2^53 is another number to most of its readers; where a column may be NULL, null
 * means that and not the JSON value. PostgreSQL holds all of these, so the row itself has to be refused, whoever writes
 * it. A column that never leaves its table may hold what it likes.
 */

/** Largest whole number up to which every reader of JSON sees the same. */
const SAFE = Number.MAX_SAFE_INTEGER;

/** The condition on a column of the table, as SQL over `value`; undefined where messages can carry each of its values. */
export function travelRule(
  column: Column,
  table: Table,
  mesh: Mesh,
): ((value: string) => string) | undefined {
  const form = formOf(column);
  if (form === undefined) return undefined;
  const { fields, served } = journeys(column, table, mesh);
  if (fields.length === 0 && !served) return undefined;
  return column.wide === true ? undefined : form;
}

/** SQL: whether a message can carry a value of the column. */
function formOf({ type, nullable, anyJson }: Column): ((value: string) => string) | undefined {
  const { kind, bits, precision, element } = factsOf(type);
  switch (kind) {
    case "text":
    case "uuid":
    case "boolean":
    case "bytes":
      return undefined;
    case "whole number":
      return wholeRange(bits).maximum < SAFE ? undefined : (value) => `${value} BETWEEN -${SAFE} AND ${SAFE}`;
    case "number":
      return (value) => `${value} > '-Infinity' AND ${value} < 'Infinity'`;
    case "moment":
      return withinCalendar;
    case "day":
      return (value) => `${value} BETWEEN '0001-01-01' AND '9999-12-31'`;
    case "decimal":
      return precision === undefined ? finiteText : (value) => `${value} <> 'NaN'`;
    case "list":
      return element === undefined ? undefined : (value) => listRule(element, value);
    case "document":
      if (anyJson === true) return (value) => `${SCHEMA_MARK}.is_document(${value}, ${!nullable})`;
      return nullable ? notNull : undefined;
    default:
      return kind satisfies never;
  }
}

/** PostgreSQL 13 has no infinite numeric to compare with. */
function finiteText(value: string): string {
  return `${value}::text !~ '[NI]'`;
}

/** A JSON list has one dimension, begins nowhere else than at its beginning, and here none holds null. */
function listRule(element: ColumnType, value: string): string {
  return [`${SCHEMA_MARK}.is_list(${value})`, ...elementRules(element, value)].join(" AND ");
}

function elementRules(element: ColumnType, value: string): readonly string[] {
  const kind = kindOf(element);
  if (kind === "number" || kind === "decimal") return [`pg_catalog.array_to_string(${value}, ' ') !~ '[NI]'`];
  return kind === "day" ? [`'0001-01-01' <= ALL (${value})`, `'9999-12-31' >= ALL (${value})`] : [];
}

function notNull(value: string): string {
  return `pg_catalog.jsonb_typeof(${value}) <> 'null'`;
}

/** The zone counts for a timestamptz and is passed over for a timestamp, which is UTC. */
function withinCalendar(value: string): string {
  return `${value} >= '0001-01-01T00:00:00Z' AND ${value} < '10000-01-01T00:00:00Z'`;
}

interface Journeys {
  /** The payload fields that carry it. */
  readonly fields: readonly Field[];
  /** A REST resource, and so the snapshots of its copies, shows it. */
  readonly served: boolean;
}

function journeys(column: Column, table: Table, mesh: Mesh): Journeys {
  const owner = ownerOf(table, mesh);
  const http = mesh.services.find(({ name }) => name === owner)?.http;
  return {
    fields: fieldsShowing(column, table, mesh),
    served:
      column.private !== true && http?.resources.some((resource) => resource.table === table.name) === true,
  };
}
