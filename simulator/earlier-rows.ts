import { idSql, livingRows, relationOf } from "@meshwright/runtime/simulation";
import pg, { escapeLiteral } from "pg";
import { type Copy, isForeign, isSynced, type OwnedTable, type SimulatedMesh } from "./mesh.js";
import { isLossy, KEYS } from "./plan.js";
import type { Outcome } from "./world.js";
import { insertion } from "./written-values.js";

/*
 * Rows that tables had before the mesh: written before any process starts, and adopted by the statements with which the service's
 * migrations adopt what they find. Of the rows that live on since, creation hooks run for all or for none.
 */

/** The first key, which is written most, and the last, which has to be encoded in a subject. */
const EARLIER_KEYS = [0, KEYS - 1];

/** Before any process of the mesh runs. */
export async function writeEarlierRows(mesh: SimulatedMesh): Promise<void> {
  for (const { definition, database } of mesh.services) {
    const existing = mesh.tables.filter(
      ({ service, table }) => service.definition === definition && table.existing !== undefined,
    );
    if (existing.length === 0) continue;
    await database.setClock(Date.now());
    // Twice: by then what they refer to is there.
    for (const owned of [...existing, ...existing])
      for (const key of EARLIER_KEYS) await insertUnlessRefused(owned, key);
    await database.query(forgetWrites(definition.name));
    for (const statement of database.adoption) await database.query(statement);
    for (const { table, key } of existing)
      await database.query(
        `INSERT INTO mesh__sim."$earlier" SELECT $1, $2, ${idSql(key, '"$row"')} FROM ${relationOf(table)} AS "$row" WHERE ${["true", ...livingRows(table, '"$row"')].join(" AND ")}`,
        [definition.name, table.name],
      );
  }
}

async function insertUnlessRefused(owned: OwnedTable, key: number): Promise<void> {
  const [sql, values] = insertion(owned, { key, value: key, column: 1 });
  try {
    await owned.service.database.query(`${sql} ON CONFLICT DO NOTHING`, values);
  } catch (refused) {
    if (!(refused instanceof pg.DatabaseError)) throw refused;
  }
}

/** SQL: the mesh has noted nothing of the rows that are there; of moments the past ones are told by nobody. */
function forgetWrites(service: string): string {
  const name = escapeLiteral(service);
  return `DELETE FROM mesh.outbox; DELETE FROM mesh.entity_version; DELETE FROM mesh.moment; DELETE FROM mesh.applied;
DELETE FROM mesh__sim."$known" WHERE service = ${name};
DELETE FROM mesh__sim."$moment" USING mesh__sim."$clock" WHERE split_part(event, '.', 1) = ${name} AND (told OR at <= now);`;
}

/** Ids of the owner's earlier rows that live on, and whether creation hooks run for them. */
export async function readEarlierRows({ owner }: Pick<Copy, "owner">): Promise<ReadonlySet<string>> {
  if (isForeign(owner) || owner.table.existing === undefined) return new Set();
  const { definition, database } = owner.service;
  const rows = await database.query<{ id: string }>(
    'SELECT id FROM mesh__sim."$earlier" WHERE service = $1 AND "table" = $2',
    [definition.name, owner.table.name],
  );
  return new Set(rows.map(({ id }) => id));
}

/**
 * The creation hook of a subscriber ran for each earlier row that lives on where the file says so (`backfill: hooks`), and for none
 * where it does not, or where no snapshot brings their columns.
 */
export async function checkEarlierRows({ world }: Outcome, copy: Copy): Promise<readonly string[]> {
  const { consumer, owner, service } = copy;
  const { durable, events, cache } = consumer;
  if (!world.plan.effects || isForeign(owner) || !events.some(({ event }) => event.change === "create"))
    return [];
  const backfills = (world.mesh.backfilled[owner.service.definition.name] ?? []).includes(owner.table.name);
  const expected = backfills && cache !== undefined && isSynced(world.mesh, consumer) ? 1 : 0;
  const effects = await service.database.query<{ id: string; times: number }>(
    `SELECT entity_id AS id, count(*)::integer AS times FROM mesh__sim."$effect" WHERE durable = $1 AND change = 'create' GROUP BY 1`,
    [durable],
  );
  const ran = new Map(effects.map(({ id, times }) => [id, times]));
  return [...(await readEarlierRows(copy))].flatMap((id) => {
    const times = ran.get(id) ?? 0;
    // A consumer whose database was restored, or that heard of a deletion which a restore undid, is told again.
    if (times === expected || (expected > 0 && times > expected && isLossy(world.plan))) return [];
    return [
      `${durable}: the creation hook ran ${times} times for ${JSON.stringify(id)}, which was there before the mesh, and ${expected} was expected`,
    ];
  });
}
