import { escapeIdentifier } from "pg";
import { idSql, presence, sameKey } from "../database/key.js";
import { relationOf } from "../database/relation.js";
import type { CacheModel } from "../inbox/consumer-model.js";
import type { Upsert } from "../inbox/plan-batch.js";
import { cellArrays, conflictClause, type ShapedColumns, shapeColumns } from "../inbox/row-statements.js";
import { arrayLiteral } from "../values/array-literal.js";
import { exactExpression } from "../values/column-sql.js";
import { aheadSql } from "./source-trust.js";

export interface MergeRows {
  readonly cache: CacheModel;
  readonly entity: string;
  readonly shape: string;
  /** All of one snapshot: their seq is the noted one. */
  readonly rows: readonly (Upsert & { readonly version: number | null })[];
}

/** Two ways to write the same rows with their guard; the values serve both. */
export interface Merge {
  /** Fails with a unique violation unless all rows are new: neither known to the guard nor cached. */
  readonly insert: string;
  readonly merge: string;
  readonly values: readonly unknown[];
}

/** Rows of a snapshot, with their guard, in one statement, which also notes their ids in `"$snapshot"`. */
export function mergeStatements({ cache, entity, shape, rows }: MergeRows): Merge {
  const shaped = shapeColumns(cache, shape, 4);
  const versions = arrayLiteral(rows.map((row) => row.version));
  return {
    insert: insertNewText(cache, shaped),
    merge: mergeText(cache, shaped),
    values: [entity, rows[0]?.seq ?? 0, versions, ...cellArrays(cache, rows, shaped.indexes)],
  };
}

const VERSIONS = { arrays: "$3::bigint[]", names: '"$version"' };

/**
 * Entities that a partial cache does not have: their guard is written as that of any other, and rows that they may still have
 * in the cache are removed.
 */
export function outsideStatements({ cache, entity, rows }: Omit<MergeRows, "shape">): Merge {
  const shaped = shapeColumns(cache, "", 4);
  const text = `${guardedText(cache, shaped, `${presence(cache.key, '"$old"')} IS NULL`)}
DELETE FROM ${relationOf(cache.table)} AS "$row"
USING "$changed" JOIN "$fresh" ON "$fresh".entity_id = ${idSql(cache.key, '"$changed"')} WHERE ${sameKey(cache.key, '"$row"', '"$changed"')}`;
  const versions = arrayLiteral(rows.map((row) => row.version));
  return {
    insert: text,
    merge: text,
    values: [entity, rows[0]?.seq ?? 0, versions, ...cellArrays(cache, rows, shaped.indexes)],
  };
}

function insertNewText(cache: CacheModel, { source, names, namesOf }: ShapedColumns): string {
  const id = idSql(cache.key, '"$given"');
  return `WITH "$given" AS (
  SELECT * FROM ${source('"$given"', VERSIONS)}
), "$fresh" AS (
  INSERT INTO mesh.applied (entity, entity_id, version, versioned, deleted, stream_seq)
  SELECT $1, ${id}, "$given"."$version", "$given"."$version" IS NOT NULL, false, $2 FROM "$given"
), "$noted" AS (
  INSERT INTO "$snapshot" (entity_id) SELECT ${id} FROM "$given"
)
INSERT INTO ${relationOf(cache.table)} AS "$row" (${names}) SELECT ${namesOf('"$given"')} FROM "$given"`;
}

function mergeText(cache: CacheModel, shaped: ShapedColumns): string {
  const same = shaped.indexes
    .flatMap((index) => cache.columns[index] ?? [])
    .map((column) => {
      const exact = (row: string) => exactExpression(column, `${row}.${escapeIdentifier(column.name)}`);
      return ` AND ${exact('"$old"')} IS NOT DISTINCT FROM ${exact('"$given"')}`;
    })
    .join("");
  return `${guardedText(cache, shaped, `${presence(cache.key, '"$old"')} IS NOT NULL${same}`)}
INSERT INTO ${relationOf(cache.table)} AS "$row" (${shaped.names})
SELECT ${shaped.namesOf('"$changed"')} FROM "$changed" JOIN "$fresh" ON "$fresh".entity_id = ${idSql(cache.key, '"$changed"')}
${conflictClause(cache, shaped)}`;
}

/**
 * Writes the guard of those rows that are news, as `"$fresh"`. Skips rows that are already as the snapshot has them (`unchanged`):
 * a periodic check of a million rows must not leave two million dead ones. OFFSET 0 makes the planner look rows up one by one:
 * reading the tables whole for each chunk would make the snapshot quadratic.
 */
function guardedText(cache: CacheModel, shaped: ShapedColumns, unchanged: string): string {
  const [given, changed] = [idSql(cache.key, '"$given"'), idSql(cache.key, '"$changed"')];
  return `WITH "$given" AS (
  SELECT * FROM ${shaped.source('"$given"', VERSIONS)}
), "$noted" AS (
  INSERT INTO "$snapshot" (entity_id) SELECT ${given} FROM "$given"
), "$changed" AS (
  SELECT "$given".*, state.version AS "$known", state.versioned AS "$versioned", state.deleted AS "$dead", state.stream_seq AS "$at" FROM "$given"
  LEFT JOIN LATERAL (
    SELECT * FROM mesh.applied WHERE entity = $1 AND entity_id = ${given} OFFSET 0) AS state ON true
  LEFT JOIN LATERAL (
    SELECT * FROM ${relationOf(cache.table)} AS "$row" WHERE ${sameKey(cache.key, '"$row"', '"$given"')} OFFSET 0) AS "$old" ON true
  WHERE NOT coalesce(
    state.version = "$given"."$version" AND state.versioned AND NOT state.deleted AND ${unchanged}, false)
), "$beyond" AS (
  INSERT INTO "$ahead" (entity_id, version, source_version)
  SELECT ${changed}, state.version, "$changed"."$version" FROM "$changed"
  CROSS JOIN LATERAL (SELECT "$known" AS version, "$versioned" AS versioned, "$dead" AS deleted, "$at" AS stream_seq) AS state
  WHERE ${aheadSql("state", '"$changed"."$version"', "$2")}
), "$fresh" AS (
  INSERT INTO mesh.applied AS state (entity, entity_id, version, versioned, deleted, stream_seq)
  SELECT $1, ${changed}, "$changed"."$version", "$changed"."$version" IS NOT NULL, false, $2 FROM "$changed"
  ORDER BY ${changed} COLLATE "C"
  ON CONFLICT (entity, entity_id) DO UPDATE SET version = greatest(state.version, excluded.version),
    versioned = excluded.versioned, deleted = false, stream_seq = greatest(state.stream_seq, excluded.stream_seq)
  WHERE CASE
    WHEN excluded.version < state.version THEN false
    WHEN excluded.version > state.version AND state.versioned THEN true
    WHEN excluded.version = state.version AND state.versioned THEN NOT state.deleted
    ELSE coalesce(state.stream_seq, 0) <= excluded.stream_seq
  END
  RETURNING state.entity_id
)`;
}
