import { escapeIdentifier } from "pg";
import { arrayLiteral, arrayType, columnOf, DEFAULT } from "../database/columns.js";
import type { CascadeDefinition } from "../definition.js";
import { aheadSql } from "../resync/source-trust.js";
import { exactExpression } from "../values/column-types.js";
import type { CacheModel } from "./consumer-model.js";
import { freshSql } from "./order.js";
import type { Upsert } from "./plan-batch.js";

/*
 * The SQL of applying, set-based: one array per column. None of it is a named statement: a plan kept
 * for reuse assumes ten elements per array and joins thousands with nested loops; planning anew
 * costs a fraction of a millisecond per batch.
 *
 * Where a table of the mesh is in sight, every other name holds a `$`, which no name of mesh.yaml may: a column
 * or table of any name means what it says.
 */

export interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
}

export const READ_STATES = `SELECT entity_id, version, versioned, deleted, stream_seq FROM mesh.applied
WHERE entity = $1 AND entity_id = ANY ($2::text[]) ORDER BY entity_id`;

/** Existing states, locked in order of id, so that two replicas cannot lock each other out. */
export const LOCK_STATES = `${READ_STATES} FOR UPDATE`;

/**
 * New states of a round, $1 the entity. Counts the rows that were not there before, by xmax, which is
 * 0 in a row that was inserted and our own id in one that was locked for the update.
 */
export const WRITE_STATES = `WITH written AS (
  INSERT INTO mesh.applied AS state (entity, entity_id, version, versioned, deleted, stream_seq)
  SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::boolean[], $5::boolean[], $6::bigint[])
  ON CONFLICT (entity, entity_id) DO UPDATE SET version = excluded.version, versioned = excluded.versioned,
    deleted = excluded.deleted, stream_seq = excluded.stream_seq
  RETURNING (state.xmax = 0) AS added
) SELECT count(*) FILTER (WHERE added)::integer AS added FROM written`;

/** Events without a version are told from their duplicates by id. Gives those never seen before. */
export const REMEMBER_EVENTS = `INSERT INTO mesh.seen (event_id) SELECT unnest($1::text[])
ON CONFLICT DO NOTHING RETURNING event_id`;

/** How a row is written: per column v(alue), d(efault) or - (left alone). Rows of one shape share a statement. */
export function shapeOf(upsert: Upsert): string {
  let shape = upsert.whole ? "+" : "?";
  for (const cell of upsert.cells) shape += cell === undefined ? "-" : cell === DEFAULT ? "d" : "v";
  return shape;
}

interface ShapedColumns {
  /** Places of the columns that come with values. */
  readonly places: readonly number[];
  readonly casts: string;
  readonly names: string;
  /** The same, of one relation of a query. */
  readonly namesOf: (relation: string) => string;
  /** SET list of an update, values taken from `from`. */
  readonly assignments: (from: string) => string;
}

function shapeColumns(cache: CacheModel, shape: string, firstParameter: number): ShapedColumns {
  const codes = shape.slice(1);
  const places = cache.columns.flatMap((_, place) => (codes[place] === "v" ? [place] : []));
  const columns = places.map((place) => cache.columns[place]).filter((column) => column !== undefined);
  const arrays = [cache.key, ...columns].map(
    (column, place) => `$${firstParameter + place}::${arrayType(column)}`,
  );
  const names = [cache.key, ...columns].map((column) => escapeIdentifier(column.name));
  const assignments = (from: string) =>
    cache.columns
      .flatMap(({ name }, place) => {
        if (codes[place] === "v") return [`${escapeIdentifier(name)} = ${from}.${escapeIdentifier(name)}`];
        const reset = codes[place] === "d" || cache.stamps.has(place);
        return reset ? [`${escapeIdentifier(name)} = DEFAULT`] : [];
      })
      .join(", ");
  return {
    places,
    casts: arrays.join(", "),
    names: names.join(", "),
    namesOf: (relation) => names.map((name) => `${relation}.${name}`).join(", "),
    assignments,
  };
}

function conflictClause(cache: CacheModel, shaped: ShapedColumns): string {
  const changes = shaped.assignments("excluded");
  const key = escapeIdentifier(cache.key.name);
  return `ON CONFLICT (${key}) DO ${changes === "" ? "NOTHING" : `UPDATE SET ${changes}`}`;
}

function cellArrays(upserts: readonly Upsert[], places: readonly number[]): string[] {
  const ids = arrayLiteral(upserts.map((upsert) => upsert.id));
  return [ids, ...places.map((place) => arrayLiteral(upserts.map((upsert) => upsert.cells[place])))];
}

/** Writes rows of one shape, whether they are there or not. Gives the number that were not, as `added`. */
export function upsertRows(cache: CacheModel, shape: string, upserts: readonly Upsert[]): Statement {
  const shaped = shapeColumns(cache, shape, 1);
  const text = `WITH "$written" AS (
  INSERT INTO ${escapeIdentifier(cache.table.name)} AS "$row" (${shaped.names}) SELECT * FROM unnest(${shaped.casts})
  ${conflictClause(cache, shaped)} RETURNING ("$row".xmax = 0) AS added
) SELECT count(*) FILTER (WHERE added)::integer AS added FROM "$written"`;
  return { text, values: cellArrays(upserts, shaped.places) };
}

/** Changes the rows of one shape that are there. */
export function updateRows(cache: CacheModel, shape: string, upserts: readonly Upsert[]): Statement {
  const shaped = shapeColumns(cache, shape, 1);
  const key = escapeIdentifier(cache.key.name);
  const text = `UPDATE ${escapeIdentifier(cache.table.name)} AS "$row" SET ${shaped.assignments('"$new"')}
FROM unnest(${shaped.casts}) AS "$new" (${shaped.names}) WHERE "$row".${key} = "$new".${key}`;
  return { text, values: cellArrays(upserts, shaped.places) };
}

/** A partial row may be inserted when whatever it lacks has a default or may be NULL. */
export function canInsert(cache: CacheModel, shape: string): boolean {
  return cache.columns.every(
    (column, place) => shape[place + 1] === "v" || column.nullable === true || column.defaulted === true,
  );
}

export interface VersionedUpsert extends Upsert {
  readonly version: number;
  /** Of the first event in it; all between are in it, too, where gaps count. */
  readonly first: number;
  /** Taken for new: where it is there after all, the whole statement is refused as a unique clash. */
  readonly born: boolean;
}

export interface PlainChanges {
  readonly cache: CacheModel;
  readonly entity: string;
  readonly shape: string;
  readonly rows: readonly VersionedUpsert[];
  /** Writes nothing of an entity that is known here, and of which versions in between are missing. */
  readonly withoutGap: boolean;
}

/**
 * Guard and effect of plain changes in one statement and one round trip, where there is nothing to
 * decide between. Writes those that are beyond doubt (as "update" asks most of a tombstone); gives the
 * number of those written that were not taken for new, so that the caller can look closer at the rest.
 */
export function applyPlain({ cache, entity, shape, rows: upserts, withoutGap }: PlainChanges): Statement {
  const shaped = shapeColumns(cache, shape, 5);
  const place = { version: "excluded.version", change: "'update'", seq: "excluded.stream_seq" };
  const key = escapeIdentifier(cache.key.name);
  const table = escapeIdentifier(cache.table.name);
  const { names, casts, namesOf } = shaped;
  const state = `INSERT INTO mesh.applied AS state (entity, entity_id, version, versioned, deleted, stream_seq)
  SELECT $1, "$event".${key}::text, "$event"."$version", true, false, "$event"."$seq" FROM "$event"`;
  // Locked in order of id, as everywhere: else two replicas lock each other out.
  const inOrder = `ORDER BY "$event".${key}::text COLLATE "C"`;
  const merged = upserts.filter(({ first, version }) => first < version);
  const noGap = withoutGap
    ? ` AND ${noGapSql(merged.length === 0 ? undefined : 5 + 1 + shaped.places.length)}`
    : "";
  // PostgreSQL runs "$arrived", which nothing reads, last: a name that a change frees is mostly free for it.
  const text = `WITH "$event" AS (
  SELECT * FROM unnest($2::bigint[], $3::bigint[], $4::boolean[], ${casts}) AS "$event" ("$version", "$seq", "$born", ${names})
), "$first" AS (
  ${state} WHERE "$event"."$born" ${inOrder}
), "$fresh" AS (
  ${state} WHERE NOT "$event"."$born" ${inOrder}
  ON CONFLICT (entity, entity_id) DO UPDATE SET version = excluded.version, versioned = true, deleted = false,
    stream_seq = greatest(state.stream_seq, excluded.stream_seq)
  WHERE ${freshSql("state", place)}${noGap}
  RETURNING state.entity_id
), "$arrived" AS (
  INSERT INTO ${table} AS "$row" (${names}) SELECT ${namesOf('"$event"')} FROM "$event" WHERE "$event"."$born" ORDER BY "$event"."$seq"
)
INSERT INTO ${table} AS "$row" (${names})
SELECT ${namesOf('"$event"')} FROM "$event" JOIN "$fresh" ON "$fresh".entity_id = "$event".${key}::text WHERE NOT "$event"."$born"
ORDER BY "$event"."$seq"
${conflictClause(cache, shaped)}`;
  const versions = arrayLiteral(upserts.map((upsert) => upsert.version));
  const seqs = arrayLiteral(upserts.map((upsert) => upsert.seq));
  const born = arrayLiteral(upserts.map((upsert) => upsert.born));
  const firsts = Object.fromEntries(merged.map(({ id, first }) => [id, first]));
  return {
    text,
    values: [
      entity,
      versions,
      seqs,
      born,
      ...cellArrays(upserts, shaped.places),
      ...(withoutGap && merged.length > 0 ? [JSON.stringify(firsts)] : []),
    ],
  };
}

/** `leavesGap`, turned round. Where events were merged, the versions of their first ones are in the parameter, by id. */
function noGapSql(parameter: number | undefined): string {
  const first =
    parameter === undefined
      ? "excluded.version"
      : `coalesce(($${parameter}::jsonb ->> excluded.entity_id)::bigint, excluded.version)`;
  return `${first} <= coalesce(state.version, 0) + 1`;
}

export interface MergeRows {
  readonly cache: CacheModel;
  readonly entity: string;
  readonly shape: string;
  /** All of one snapshot: their seq is the noted one. */
  readonly rows: readonly (Upsert & { readonly version: number | null })[];
}

/** Two ways to write the same rows with their guard; the values serve both. */
export interface Merge {
  /** Refused, as a unique clash, unless all of them are new: neither heard of nor cached. */
  readonly insert: string;
  readonly merge: string;
  readonly values: readonly unknown[];
}

/** Rows of a snapshot, with their guard, in one statement, which also notes their ids in `"$told"`. */
export function mergeStatements({ cache, entity, shape, rows }: MergeRows): Merge {
  const shaped = shapeColumns(cache, shape, 4);
  const versions = arrayLiteral(rows.map((row) => row.version));
  return {
    insert: insertNewText(cache, shaped),
    merge: mergeText(cache, shaped),
    values: [entity, rows[0]?.seq ?? 0, versions, ...cellArrays(rows, shaped.places)],
  };
}

function insertNewText(cache: CacheModel, { casts, names, namesOf }: ShapedColumns): string {
  const key = `"$given".${escapeIdentifier(cache.key.name)}::text`;
  return `WITH "$given" AS (
  SELECT * FROM unnest($3::bigint[], ${casts}) AS "$given" ("$version", ${names})
), "$fresh" AS (
  INSERT INTO mesh.applied (entity, entity_id, version, versioned, deleted, stream_seq)
  SELECT $1, ${key}, "$given"."$version", "$given"."$version" IS NOT NULL, false, $2 FROM "$given"
), "$heard" AS (
  INSERT INTO "$told" (entity_id) SELECT ${key} FROM "$given"
)
INSERT INTO ${escapeIdentifier(cache.table.name)} AS "$row" (${names}) SELECT ${namesOf('"$given"')} FROM "$given"`;
}

/**
 * A row that is already as the snapshot has it is not written: a periodic check of a million rows must
 * not leave two million dead ones. Looked up row by row (OFFSET 0 is the planner's fence): reading the
 * tables whole for each chunk would make the snapshot quadratic.
 */
function mergeText(cache: CacheModel, shaped: ShapedColumns): string {
  const key = escapeIdentifier(cache.key.name);
  const same = shaped.places
    .flatMap((place) => cache.columns[place] ?? [])
    .map(({ name, type }) => {
      const exact = (row: string) => exactExpression({ type }, `${row}.${escapeIdentifier(name)}`);
      return ` AND ${exact('"$old"')} IS NOT DISTINCT FROM ${exact('"$given"')}`;
    })
    .join("");
  return `WITH "$given" AS (
  SELECT * FROM unnest($3::bigint[], ${shaped.casts}) AS "$given" ("$version", ${shaped.names})
), "$heard" AS (
  INSERT INTO "$told" (entity_id) SELECT "$given".${key}::text FROM "$given"
), "$changed" AS (
  SELECT "$given".*, state.version AS "$known", state.versioned AS "$versioned", state.deleted AS "$dead", state.stream_seq AS "$at" FROM "$given"
  LEFT JOIN LATERAL (
    SELECT * FROM mesh.applied WHERE entity = $1 AND entity_id = "$given".${key}::text OFFSET 0) AS state ON true
  LEFT JOIN LATERAL (
    SELECT * FROM ${escapeIdentifier(cache.table.name)} AS "$row" WHERE "$row".${key} = "$given".${key} OFFSET 0) AS "$old" ON true
  WHERE NOT coalesce(
    state.version = "$given"."$version" AND state.versioned AND NOT state.deleted AND "$old".${key} IS NOT NULL${same}, false)
), "$beyond" AS (
  INSERT INTO "$ahead" (entity_id, version, told)
  SELECT "$changed".${key}::text, state.version, "$changed"."$version" FROM "$changed"
  CROSS JOIN LATERAL (SELECT "$known" AS version, "$versioned" AS versioned, "$dead" AS deleted, "$at" AS stream_seq) AS state
  WHERE ${aheadSql("state", '"$changed"."$version"', "$2")}
), "$fresh" AS (
  INSERT INTO mesh.applied AS state (entity, entity_id, version, versioned, deleted, stream_seq)
  SELECT $1, "$changed".${key}::text, "$changed"."$version", "$changed"."$version" IS NOT NULL, false, $2 FROM "$changed"
  ORDER BY "$changed".${key}::text COLLATE "C"
  ON CONFLICT (entity, entity_id) DO UPDATE SET version = greatest(state.version, excluded.version),
    versioned = excluded.versioned, deleted = false, stream_seq = greatest(state.stream_seq, excluded.stream_seq)
  WHERE CASE
    WHEN excluded.version < state.version THEN false
    WHEN excluded.version > state.version AND state.versioned THEN true
    WHEN excluded.version = state.version AND state.versioned THEN NOT state.deleted
    ELSE coalesce(state.stream_seq, 0) <= excluded.stream_seq
  END
  RETURNING state.entity_id
)
INSERT INTO ${escapeIdentifier(cache.table.name)} AS "$row" (${shaped.names})
SELECT ${shaped.namesOf('"$changed"')} FROM "$changed" JOIN "$fresh" ON "$fresh".entity_id = "$changed".${key}::text
${conflictClause(cache, shaped)}`;
}

export function removeRows(cache: CacheModel, ids: readonly string[]): Statement {
  const key = escapeIdentifier(cache.key.name);
  return {
    text: `DELETE FROM ${escapeIdentifier(cache.table.name)} WHERE ${key} = ANY ($1::${arrayType(cache.key)})`,
    values: [arrayLiteral(ids)],
  };
}

/**
 * What becomes of the rows that refer to deleted entities. With a hook before it, they are put down for the worker; a task
 * for an earlier row of the same key, which has named another entity, is this row's from now on.
 */
export function cascade(rule: CascadeDefinition, entity: string, ids: readonly string[]): Statement {
  const table = escapeIdentifier(rule.table.name);
  const column = escapeIdentifier(rule.column);
  const matches = `${column} = ANY ($1::${arrayType(columnOf(rule.table, rule.column))})`;
  const values = [arrayLiteral(ids)];
  switch (rule.action) {
    case "set_null":
      return { text: `UPDATE ${table} SET ${column} = NULL WHERE ${matches}`, values };
    case "delete":
      break;
    default:
      return rule.action satisfies never;
  }
  if (rule.before === undefined) return { text: `DELETE FROM ${table} WHERE ${matches}`, values };
  return {
    text: `INSERT INTO mesh.cascade_task AS task (entity, entity_id, rule, table_name, row_key)
SELECT $2, ${column}::text, $3, $4, ${escapeIdentifier(rule.table.key)}::text FROM ${table} WHERE ${matches}
ON CONFLICT (rule, table_name, row_key) DO UPDATE SET entity = excluded.entity, entity_id = excluded.entity_id,
  attempts = 0, last_error = NULL, next_at = excluded.next_at
WHERE (task.entity, task.entity_id) <> (excluded.entity, excluded.entity_id)`,
    values: [...values, entity, rule.before.name, rule.table.name],
  };
}
