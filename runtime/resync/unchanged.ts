import type { PoolClient } from "pg";
import { idSql } from "../database/key.js";
import { relationOf } from "../database/relation.js";
import type { CacheModel, ConsumerModel } from "../inbox/consumer-model.js";
import { pause } from "../pause.js";
import { messageOf } from "../text/error-message.js";
import { wireExpression } from "../values/column-sql.js";
import { BEGIN_DIGESTS, type Digests, differences, digestSql, parseDigests } from "../values/digests.js";
import { memberFilling } from "../values/field.js";
import type { Run } from "./snapshot-run.js";
import { openSource, type Source } from "./snapshot-source.js";

/*
 * Whether the cache is as its source has it, found by digests on both sides: no row travels. An event that is on its way makes
 * its bucket differ, so buckets that differ are compared again, and one that was the same once is right: whatever was sent before the
 * snapshot began is in it. Where some differ each time, the rows are read.
 */

const ROUNDS = 3;
const AGAIN_MS = 200;

/** The number of rows where nothing is to be done; else the rows of the source, which it has begun to send, or undefined: ask for them. */
export async function findUnchanged(run: Run): Promise<number | Source | undefined> {
  const { sync } = run.model.definition;
  const { cache } = run.model;
  if (sync === undefined || cache === undefined || !(await mayBeUnchanged(run, cache))) return undefined;
  const digestsOf = digested(cache).map(memberFilling);
  let left: ReadonlySet<number> | undefined;
  for (let round = 1; round <= ROUNDS; round += 1) {
    const source = await openSource({ sync, env: run.env, signal: run.signal, digestsOf });
    if (!source.hasDigests) return source;
    try {
      const { theirs, ours } = await readBoth(run, cache, source);
      const differing = differences(theirs, ours);
      const before = left;
      left =
        before === undefined ? differing : new Set([...before].filter((bucket) => differing.has(bucket)));
      if (left.size === 0) return [...theirs.values()].reduce((sum, { rows }) => sum + rows, 0);
      // Events on their way are few: where most differ, rows do.
      if (left.size * 2 > theirs.size) return undefined;
    } catch (error) {
      run.logger.debug({ error: messageOf(error) }, "no digests: all rows are read");
      return undefined;
    }
    if (round < ROUNDS) await pause(AGAIN_MS, run.signal);
  }
  return undefined;
}

/** At the same time, so that few events come in between. */
async function readBoth(
  { client, model }: Run,
  cache: CacheModel,
  source: Source,
): Promise<{ readonly theirs: Digests; readonly ours: Digests }> {
  const [theirs, ours] = await Promise.allSettled([readText(source.bytes), readOurs(client, model, cache)]);
  if (theirs.status === "rejected") throw theirs.reason;
  if (ours.status === "rejected") throw ours.reason;
  return { theirs: parseDigests(theirs.value), ours: parseDigests(ours.value) };
}

async function readText(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of bytes) parts.push(part);
  return Buffer.concat(parts).toString("utf8");
}

/**
 * Not the first snapshot, whose rows are new. Not where the source is to be trusted over versions that are known here, or hooks have still
 * to hear of events: that takes the rows. Nor for a partial cache, whose source does not know which rows belong to it.
 */
async function mayBeUnchanged(
  { client, model, trustSource }: Run,
  { conditions }: CacheModel,
): Promise<boolean> {
  if (trustSource === true || conditions.length > 0) return false;
  const { rows } = await client.query<{ may: boolean }>(
    `SELECT snapshot_at IS NOT NULL AND NOT EXISTS (SELECT FROM mesh.unheard WHERE entity = $2) AS may
FROM mesh.subscription WHERE durable = $1`,
    [model.definition.durable, model.scope],
  );
  return rows[0]?.may === true;
}

/** The columns that a snapshot fills. */
function digested({ key, columns, stamps }: CacheModel): CacheModel["columns"] {
  return [...key, ...columns.filter((_, index) => !stamps.has(index))];
}

/** Of the rows and of all entities that are alive here: one without a row, or a row without a living entity, is the same as nothing. */
async function readOurs(client: PoolClient, { scope }: ConsumerModel, cache: CacheModel): Promise<string> {
  const id = idSql(cache.key, '"$row"');
  const values = digested(cache).map((column) =>
    wireExpression(column, `"$row".${client.escapeIdentifier(column.name)}`),
  );
  const text = digestSql({
    id: `coalesce(${id}, "$state".entity_id)`,
    values,
    version: '"$state".version',
    from: `${relationOf(cache.table)} AS "$row" FULL JOIN (
    SELECT entity_id, CASE WHEN versioned THEN version END AS version FROM mesh.applied
    WHERE entity = $1 AND NOT deleted AND (version IS NOT NULL OR stream_seq IS NOT NULL)) AS "$state" ON "$state".entity_id = ${id}`,
  });
  await client.query(BEGIN_DIGESTS);
  const { rows } = await client.query<{ digests: string }>(text, [scope]);
  await client.query("COMMIT");
  return rows[0]?.digests ?? "";
}
