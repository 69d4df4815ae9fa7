import { escapeIdentifier } from "pg";
import { arrayType } from "../database/columns.js";
import { relationOf } from "../database/relation.js";
import type { Tx } from "../definition.js";
import { kindOf } from "../values/column-types.js";
import type { CacheModel, ConsumerModel } from "./consumer-model.js";
import type { Upsert } from "./plan-batch.js";

/*
 * Unique conflicts. Two entities claim one value of a unique column. At their source they never held it together: one
 * gave it up in an event that is not here yet (another replica has it, it was lost, or the two swapped). The later claim
 * wins; the other row holds a placeholder value until its own event or a snapshot says what became of it.
 */

/** What a row holds in a unique text column in place of a value that a later event of another entity claims. */
export function placeholderValue(id: string): string {
  return `superseded:${id}`;
}

/** Gives the rows as they can be written now; a row in the table that has to make way gets a placeholder value. */
export async function settleUniqueConflicts(
  tx: Tx,
  model: ConsumerModel,
  upserts: readonly Upsert[],
): Promise<readonly Upsert[]> {
  const { cache } = model;
  if (cache === undefined) return upserts;
  const indexes = cache.columns.flatMap((column, index) => (column.unique === true ? [index] : []));
  const settled: Upsert[] = [];
  for (const upsert of upserts) {
    let row = upsert;
    for (const index of indexes) {
      if (await holdsLaterClaim({ tx, model, cache, index, upsert })) row = replaceCell(cache, row, index);
    }
    settled.push(row);
  }
  return settled;
}

interface Claim {
  readonly tx: Tx;
  readonly model: ConsumerModel;
  readonly cache: CacheModel;
  readonly index: number;
  readonly upsert: Upsert;
}

/** True when another row holds the value by a later event; one that holds it by an earlier event gets a placeholder value. */
async function holdsLaterClaim({ tx, model, cache, index, upsert }: Claim): Promise<boolean> {
  const column = cache.columns[index];
  const value = upsert.cells[index];
  if (column === undefined || value === null || value === undefined || typeof value === "symbol")
    return false;
  const [table, name, key] = [
    relationOf(cache.table),
    escapeIdentifier(column.name),
    escapeIdentifier(cache.key.name),
  ];
  const type = arrayType(column).slice(0, -2);
  const { rows } = await tx.query<{ id: string }>(
    `SELECT "$row".${key}::text AS id FROM ${table} AS "$row" WHERE "$row".${name} = $1::${type} AND "$row".${key}::text <> $2`,
    [value, upsert.id],
  );
  const holder = rows[0];
  if (holder === undefined) return false;
  // Locked: another replica may be applying a later claim of the holder to this very value, and a placeholder would undo that.
  const { rows: states } = await tx.query<{ seq: string }>(
    "SELECT stream_seq AS seq FROM mesh.applied WHERE entity = $1 AND entity_id = $2 FOR UPDATE",
    [model.definition.entity, holder.id],
  );
  if (Number(states[0]?.seq ?? 0) > upsert.seq) return true;
  // The value again in the condition: the holder may have been renamed meanwhile, and must keep that name.
  await tx.query(`UPDATE ${table} SET ${name} = $1 WHERE ${key}::text = $2 AND ${name} = $3::${type}`, [
    placeholderFor(cache, index, holder.id),
    holder.id,
    value,
  ]);
  return false;
}

function replaceCell(cache: CacheModel, upsert: Upsert, index: number): Upsert {
  const cells = upsert.cells.map((cell, at) =>
    at === index ? placeholderFor(cache, index, upsert.id) : cell,
  );
  return { ...upsert, cells };
}

function placeholderFor(cache: CacheModel, index: number, id: string): string | null {
  const column = cache.columns[index];
  if (column !== undefined && kindOf(column.type) === "text") return placeholderValue(id);
  if (column?.nullable === true) return null;
  throw new Error(
    `${cache.table.name}.${column?.name} is unique and neither text nor nullable: a unique conflict cannot be settled`,
  );
}
