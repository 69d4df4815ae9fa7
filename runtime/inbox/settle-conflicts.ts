import { escapeIdentifier } from "pg";
import { idSql } from "../database/key.js";
import { relationOf } from "../database/relation.js";
import type { Tx } from "../definition/hook-definition.js";
import { factsOf } from "../values/column-types.js";
import type { CacheModel, ConsumerModel } from "./consumer-model.js";
import type { Upsert } from "./plan-batch.js";
import { type Claim, claimsOf, placeholderOf, withPlaceholder, yielding } from "./unique-conflict.js";

/** Gives the rows as they can be written now; a row in the table that has to make way gets a placeholder value. */
export async function settleUniqueConflicts(
  tx: Tx,
  model: ConsumerModel,
  upserts: readonly Upsert[],
): Promise<readonly Upsert[]> {
  const { cache } = model;
  if (cache === undefined) return upserts;
  const settled: Upsert[] = [];
  for (const upsert of upserts) {
    let row = upsert;
    for (const claim of claimsOf(cache, upsert))
      if (await yields(tx, { model, cache, upsert, claim })) row = withPlaceholder(cache, row, claim.index);
    settled.push(row);
  }
  return settled;
}

interface Claimed {
  readonly model: ConsumerModel;
  readonly cache: CacheModel;
  readonly upsert: Upsert;
  readonly claim: Claim;
}

/** True when another row keeps the value; one that holds it and yields gets its placeholder value here. */
async function yields(tx: Tx, { model, cache, upsert, claim }: Claimed): Promise<boolean> {
  const { index, value } = claim;
  const column = cache.columns[index];
  if (column === undefined) return false;
  const [table, name] = [relationOf(cache.table), escapeIdentifier(column.name)];
  const id = idSql(cache.key, '"$row"');
  const type = factsOf(column.type).cast;
  const { rows } = await tx.query<{ id: string }>(
    `SELECT ${id} AS id FROM ${table} AS "$row" WHERE "$row".${name} = $1::${type} AND ${id} <> $2`,
    [value, upsert.id],
  );
  const holder = rows[0];
  if (holder === undefined) return false;
  // Locked: another replica may be applying a later claim of the holder to this very value, and a placeholder would undo that.
  const { rows: states } = await tx.query<{ seq: string | null }>(
    "SELECT stream_seq AS seq FROM mesh.applied WHERE entity = $1 AND entity_id = $2 FOR UPDATE",
    [model.scope, holder.id],
  );
  const seq = states[0]?.seq ?? null;
  if (yielding(seq === null ? null : Number(seq), upsert.seq) === "claimant") return true;
  // The value again in the condition: the holder may have been renamed meanwhile, and must keep that name.
  await tx.query(`UPDATE ${table} AS "$row" SET ${name} = $1 WHERE ${id} = $2 AND ${name} = $3::${type}`, [
    placeholderOf(cache, index, holder.id),
    holder.id,
    value,
  ]);
  return false;
}
