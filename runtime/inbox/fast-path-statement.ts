import { idSql } from "../database/key.js";
import { relationOf } from "../database/relation.js";
import { arrayLiteral } from "../values/array-literal.js";
import type { CacheModel } from "./consumer-model.js";
import { freshSql } from "./order.js";
import type { Upsert } from "./plan-batch.js";
import { cellArrays, conflictClause, type Statement, shapeColumns } from "./row-statements.js";

export interface VersionedUpsert extends Upsert {
  readonly version: number;
  /** Of the first event in it. Where order matters, all versions from here to `version` are in it. */
  readonly first: number;
  /** Inserted as new: if its row exists after all, the whole statement fails with a unique violation. */
  readonly isNew: boolean;
}

export interface FastPathRows {
  readonly cache: CacheModel;
  readonly entity: string;
  readonly shape: string;
  readonly rows: readonly VersionedUpsert[];
  /** Skips an entity that is known here, and of which versions in between are missing. */
  readonly withoutGap: boolean;
  /** Writes nothing unless this holds. Default: it is known to. */
  readonly provided?: QuietDurable | undefined;
}

/** No event of this durable is a pending retry, and all replicas agree on this sequence offset. */
export interface QuietDurable {
  readonly durable: string;
  readonly offset: number;
}

/** The one row of the statement's result. */
export interface FastPathCounts {
  /** Rows written that were not inserted as new. */
  readonly changed: number;
  /** False where the durable is not quiet: nothing was written. */
  readonly quiet: boolean;
}

const LEADING = {
  arrays: "$2::bigint[], $3::bigint[], $4::boolean[]",
  names: '"$version", "$seq", "$new"',
};

/**
 * Guard and effect in one statement and one round trip. Writes the rows that are certainly fresh: each is guarded as an
 * update, which a tombstone refuses first. Gives `FastPathCounts`, so that the caller knows whether any was left out.
 */
export function fastPathStatement(rows: FastPathRows): Statement {
  const { cache, entity, rows: upserts, withoutGap, provided } = rows;
  const merged = withoutGap ? upserts.filter(({ first, version }) => first < version) : [];
  const { text, indexes, name } = textFor(rows, merged.length > 0);
  const values: unknown[] = [
    entity,
    arrayLiteral(upserts.map((upsert) => upsert.version)),
    arrayLiteral(upserts.map((upsert) => upsert.seq)),
    arrayLiteral(upserts.map((upsert) => upsert.isNew)),
    ...cellArrays(cache, upserts, indexes),
  ];
  if (provided !== undefined) values.push(provided.durable, provided.offset);
  if (merged.length > 0)
    values.push(JSON.stringify(Object.fromEntries(merged.map(({ id, first }) => [id, first]))));
  return { text, values, ...(upserts.length <= FEW && { name }) };
}

/** A plan that is kept assumes ten rows: for so many it is as good as any, and planning takes longer than to run it. */
const FEW = 50;

interface FastPathText {
  readonly text: string;
  readonly name: string;
  /** Of the columns that come with values. */
  readonly indexes: readonly number[];
}

/** By cache, then by what else makes a text: making one takes a tenth of a millisecond. */
const texts = new WeakMap<CacheModel, Map<string, FastPathText>>();

function textFor(rows: FastPathRows, hasMerged: boolean): FastPathText {
  const { cache, shape, withoutGap, provided } = rows;
  let known = texts.get(cache);
  if (known === undefined) {
    known = new Map();
    texts.set(cache, known);
  }
  const key = `${shape} ${withoutGap} ${provided !== undefined} ${hasMerged}`;
  let made = known.get(key);
  if (made === undefined) {
    made = makeText(rows, hasMerged);
    known.set(key, made);
  }
  return made;
}

function makeText({ cache, shape, withoutGap, provided }: FastPathRows, hasMerged: boolean): FastPathText {
  const shaped = shapeColumns(cache, shape, 5);
  const event = { version: "excluded.version", change: "'update'", seq: "excluded.stream_seq" };
  const id = idSql(cache.key, '"$event"');
  const table = relationOf(cache.table);
  const { names, namesOf, indexes } = shaped;
  const state = `INSERT INTO mesh.applied AS state (entity, entity_id, version, versioned, deleted, stream_seq)
  SELECT $1, ${id}, "$event"."$version", true, false, "$event"."$seq" FROM "$event"`;
  // Locked in order of id, as everywhere: else two replicas lock each other out.
  const inOrder = `ORDER BY ${id} COLLATE "C"`;
  const next = 5 + cache.key.length + indexes.length;
  const ifQuiet = provided === undefined ? "" : ` WHERE ${quietSql(`$${next}`, `$${next + 1}`)}`;
  const firsts = hasMerged ? `$${provided === undefined ? next : next + 2}` : undefined;
  const noGap = withoutGap ? ` AND ${noGapSql(firsts)}` : "";
  // PostgreSQL runs "$arrived", which nothing reads, last: a name that a change frees is mostly free for it.
  const text = `WITH "$event" AS (
  SELECT * FROM ${shaped.source('"$event"', LEADING)}${ifQuiet}
), "$first" AS (
  ${state} WHERE "$event"."$new" ${inOrder}
), "$fresh" AS (
  ${state} WHERE NOT "$event"."$new" ${inOrder}
  ON CONFLICT (entity, entity_id) DO UPDATE SET version = excluded.version, versioned = true, deleted = false,
    stream_seq = greatest(state.stream_seq, excluded.stream_seq)
  WHERE ${freshSql("state", event)}${noGap}
  RETURNING state.entity_id
), "$arrived" AS (
  INSERT INTO ${table} AS "$row" (${names}) SELECT ${namesOf('"$event"')} FROM "$event" WHERE "$event"."$new" ORDER BY "$event"."$seq"
), "$changed" AS (
  INSERT INTO ${table} AS "$row" (${names})
  SELECT ${namesOf('"$event"')} FROM "$event" JOIN "$fresh" ON "$fresh".entity_id = ${id} WHERE NOT "$event"."$new"
  ORDER BY "$event"."$seq"
  ${conflictClause(cache, shaped)} RETURNING true
)
SELECT (SELECT count(*) FROM "$changed")::integer AS changed, EXISTS (SELECT FROM "$event") AS quiet`;
  return { text, indexes, name: nameOf(text) };
}

const names = new Map<string, string>();

/** One for each text, of which there are as many as shapes of rows. */
function nameOf(text: string): string {
  const name = names.get(text) ?? `mesh-fast-path-${names.size + 1}`;
  names.set(text, name);
  return name;
}
/** Not `hasVersionGap`. Where events were merged, the versions of their first ones are in the parameter, by id. */
function noGapSql(parameter: string | undefined): string {
  const first =
    parameter === undefined
      ? "excluded.version"
      : `coalesce((${parameter}::jsonb ->> excluded.entity_id)::bigint, excluded.version)`;
  return `${first} <= coalesce(state.version, 0) + 1`;
}

function quietSql(durable: string, offset: string): string {
  return `EXISTS (SELECT FROM mesh.subscription AS "$s" WHERE "$s".durable = ${durable} AND "$s".seq_offset = ${offset})
    AND NOT EXISTS (SELECT FROM mesh.attempt AS "$a" WHERE "$a".durable = ${durable})`;
}
