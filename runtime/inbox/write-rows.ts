import type { PoolClient } from "pg";
import type { CascadeDefinition } from "../definition/consumer-definition.js";
import { plural } from "../text/plural.js";
import { cascade } from "./cascade-statement.js";
import { type ConsumerModel, cascadesOf } from "./consumer-model.js";
import { membershipOf } from "./membership.js";
import type { Upsert } from "./plan-batch.js";
import { canInsert, removeRows, run, shapeOf, updateRows, upsertRows } from "./row-statements.js";

/*
 * Writes what a batch plan says of rows: deletions with their cascades, and the rows of the cache, one statement per shape.
 */

/** The cascades in the order of mesh.yaml, each after its `before`, then the rows of the cache. `causes`: see `cascade`. */
export async function removeEntities(
  client: PoolClient,
  model: ConsumerModel,
  ids: readonly string[],
  { causes, before }: RemovalOptions = {},
): Promise<void> {
  for (const rule of cascadesOf(model)) {
    await before?.(rule);
    await run(client, cascade(rule, model.definition.entity, ids, { causes }));
  }
  if (model.cache !== undefined) await run(client, removeRows(model.cache, ids));
}

export interface RemovalOptions {
  readonly causes?: readonly string[];
  readonly before?: (rule: CascadeDefinition) => Promise<void>;
}

/** Removes the rows that leave a partial cache; nothing that names them changes. Gives the rest. */
export async function removeOutside(
  client: PoolClient,
  { cache }: ConsumerModel,
  upserts: readonly Upsert[],
): Promise<readonly Upsert[]> {
  if (cache === undefined || cache.conditions.length === 0) return upserts;
  const rest: Upsert[] = [];
  const outside: string[] = [];
  for (const upsert of upserts) {
    if (membershipOf(cache, upsert.cells) === "outside") outside.push(upsert.id);
    else rest.push(upsert);
  }
  if (outside.length > 0) await run(client, removeRows(cache, outside));
  return rest;
}

/** Marks the shape of rows of which an event does not tell whether they are in a partial cache. */
const UNKNOWN = "*";

/** Gives the reasons why rows lack columns that no event here carried. */
export async function writeRows(
  client: PoolClient,
  model: ConsumerModel,
  upserts: readonly Upsert[],
): Promise<readonly string[]> {
  const { cache } = model;
  if (cache === undefined || upserts.length === 0) return [];
  const shapes = new Map<string, Upsert[]>();
  for (const upsert of [...upserts].sort((a, b) => a.seq - b.seq)) {
    const shape = `${membershipOf(cache, upsert.cells) === "inside" ? "" : UNKNOWN}${shapeOf(upsert)}`;
    const rows = shapes.get(shape);
    if (rows === undefined) shapes.set(shape, [upsert]);
    else rows.push(upsert);
  }
  const gaps: string[] = [];
  for (const [shape, rows] of shapes) {
    if (shape.startsWith(UNKNOWN)) {
      // A row that is not there does not belong there: an event that changes that tells the whole condition.
      await run(client, updateRows(cache, shape.slice(UNKNOWN.length), rows));
      continue;
    }
    const whole = shape.startsWith("+");
    if (whole || canInsert(cache, shape)) {
      const { rows: counts } = await run(client, upsertRows(cache, shape, rows));
      const added = Number(counts[0]?.added ?? 0);
      if (!whole && added > 0) gaps.push(`${plural(added, "new row")} of ${cache.table.name} came in part`);
    } else {
      const { rowCount } = await run(client, updateRows(cache, shape, rows));
      const missing = rows.length - (rowCount ?? 0);
      if (missing > 0) gaps.push(`${plural(missing, "missing row")} of ${cache.table.name} came in part`);
    }
  }
  return gaps;
}
