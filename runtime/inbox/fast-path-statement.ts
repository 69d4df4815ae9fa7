import { idSql } from "../database/key.js";
import { relationOf } from "../database/relation.js";
import { arrayLiteral } from "../values/array-literal.js";
import type { CacheModel } from "./consumer-model.js";
import { freshSql } from "./order.js";
import type { Upsert } from "./plan-batch.js";
import { cellArrays, conflictClause, type Statement, shapeColumns } from "./row-statements.js";

export interface FastPathRow extends Upsert {
  /** Null where no event of the batch carries one. */
  readonly version: number | null;
  /** Of the first event in it. Where order matters, all versions from here to `version` are in it. */
  readonly first: number | null;
  /** Inserted as new: if its row exists after all, the whole statement fails with a unique violation. */
  readonly isNew: boolean;
}

export interface FastPathRows {
  readonly cache: CacheModel;
  readonly entity: string;
  readonly shape: string;
  readonly rows: readonly FastPathRow[];
  /** Of events without versions, by what a redelivered one is known: see `identityOf`. Undefined where all carry one. */
  readonly identities?: readonly string[] | undefined;
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
  /** False where nothing was written: the durable is not quiet, or of events without versions one may be no news. */
  readonly written: boolean;
}

const LEADING = {
  arrays: "$2::bigint[], $3::bigint[], $4::boolean[]",
  names: '"$version", "$seq", "$new"',
};

/**
 * Guard and effect in one statement and one round trip. Writes the rows that are certainly fresh: each is guarded as an
 * update, which a tombstone refuses first. Gives `FastPathCounts`, so that the caller knows whether any was left out.
 *
 * Without versions it writes all or nothing, since the ids that it notes are of events which had their effect: fails with a unique
 * violation where one of them is noted already.
 */
export function fastPathStatement(rows: FastPathRows): Statement {
  const { cache, entity, rows: upserts, identities, withoutGap, provided } = rows;
  const merged = withoutGap ? upserts.filter(({ first, version }) => first !== version) : [];
  const { text, indexes, name } = textFor(rows, merged.length > 0);
  const values: unknown[] = [
    entity,
    arrayLiteral(upserts.map((upsert) => upsert.version)),
    arrayLiteral(upserts.map((upsert) => upsert.seq)),
    arrayLiteral(upserts.map((upsert) => upsert.isNew)),
    ...cellArrays(cache, upserts, indexes),
  ];
  if (provided !== undefined) values.push(provided.durable, provided.offset);
  if (identities !== undefined) {
    const known = upserts.filter(({ isNew }) => !isNew);
    values.push(
      arrayLiteral(identities),
      arrayLiteral(known.map(({ id }) => id)),
      arrayLiteral(known.map(({ seq }) => seq)),
    );
  }
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
  const { cache, shape, identities, withoutGap, provided } = rows;
  let known = texts.get(cache);
  if (known === undefined) {
    known = new Map();
    texts.set(cache, known);
  }
  const key = `${shape} ${identities === undefined} ${withoutGap} ${provided !== undefined} ${hasMerged}`;
  let made = known.get(key);
  if (made === undefined) {
    made = makeText(rows, hasMerged);
    known.set(key, made);
  }
  return made;
}

function makeText(
  { cache, shape, identities, withoutGap, provided }: FastPathRows,
  hasMerged: boolean,
): FastPathText {
  const shaped = shapeColumns(cache, shape, 5);
  const event = { version: "excluded.version", change: "'update'", seq: "excluded.stream_seq" };
  const id = idSql(cache.key, '"$event"');
  const table = relationOf(cache.table);
  const { names, namesOf, indexes } = shaped;
  let last = 4 + cache.key.length + indexes.length;
  const next = () => {
    last += 1;
    return `$${last}`;
  };
  const conditions = provided === undefined ? [] : [quietSql(next(), next())];
  const unversioned = identities === undefined ? undefined : unversionedSql(next(), next(), next());
  if (unversioned !== undefined) conditions.push(unversioned.allFresh);
  const provisos = conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`;
  const noGap = withoutGap ? ` AND ${noGapSql(hasMerged ? next() : undefined)}` : "";
  const state = `INSERT INTO mesh.applied AS state (entity, entity_id, version, versioned, deleted, stream_seq)
  SELECT $1, ${id}, "$event"."$version", "$event"."$version" IS NOT NULL, false, "$event"."$seq" FROM "$event"`;
  // Locked in order of id, as everywhere: else two replicas lock each other out.
  const inOrder = `ORDER BY ${id} COLLATE "C"`;
  // PostgreSQL runs "$arrived", which nothing reads, last: a name that a change frees is mostly free for it.
  const text = `WITH ${unversioned?.known ?? ""}"$event" AS (
  SELECT * FROM ${shaped.source('"$event"', LEADING)}${provisos}
), ${unversioned?.seen ?? ""}"$first" AS (
  ${state} WHERE "$event"."$new" ${inOrder}
), "$fresh" AS (
  ${state} WHERE NOT "$event"."$new" ${inOrder}
  ON CONFLICT (entity, entity_id) DO UPDATE SET version = coalesce(excluded.version, state.version),
    versioned = excluded.versioned, deleted = false, stream_seq = greatest(state.stream_seq, excluded.stream_seq)
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
SELECT (SELECT count(*) FROM "$changed")::integer AS changed, EXISTS (SELECT FROM "$event") AS written`;
  return { text, indexes, name: nameOf(text) };
}

/**
 * What events without versions need besides. `known`, with `seqs`, are the entities that are not new: each must live here, by an earlier
 * event or a snapshot. Their states are locked ahead of those that are new, as everywhere.
 */
function unversionedSql(identities: string, known: string, seqs: string) {
  return {
    known: `"$known" AS (
  SELECT entity_id, stream_seq FROM mesh.applied WHERE entity = $1 AND entity_id = ANY (${known}::text[]) AND NOT deleted
  ORDER BY entity_id FOR UPDATE
), `,
    allFresh: `(SELECT count(*) FROM "$known" JOIN unnest(${known}::text[], ${seqs}::bigint[]) AS "$later" ("$id", "$seq")
    ON "$known".entity_id = "$later"."$id" AND "$known".stream_seq < "$later"."$seq") = pg_catalog.cardinality(${known}::text[])`,
    seen: `"$seen" AS (
  INSERT INTO mesh.seen (event_id) SELECT pg_catalog.unnest(${identities}::text[]) WHERE EXISTS (SELECT FROM "$event")
), `,
  };
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
