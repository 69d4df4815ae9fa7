import { kindOf } from "@meshwright/runtime/column-types";
import { deletionSql, idSql, livingRows, relationOf } from "@meshwright/runtime/simulation";
import pg, { escapeIdentifier as quote } from "pg";
import { tableName } from "./coverage.js";
import type { ForeignOwner } from "./foreign-owners.js";
import type { RowName } from "./history.js";
import { isForeign, type OwnedTable, type SimulatedService } from "./mesh.js";
import { KEYS, type Write } from "./plan.js";
import { SimulatedSocket } from "./postgres/socket.js";
import type { Actor } from "./schedule.js";
import { publishUnimplied } from "./unimplied-events.js";
import { keyOf } from "./values.js";
import type { World } from "./world.js";
import { insertion, livingValue, updatedValues } from "./written-values.js";

/*
 * Writes to owned tables with plain SQL, as an application or a person at psql would, without any service. Statements
 * that the database refuses are left out.
 */

/** Performs the writes one after the other. Never rejects for what a write runs into. */
export async function runWriter(world: World, name: string, writes: readonly Write[]): Promise<void> {
  const actor: Actor = { name, alive: true, frozen: false, weight: 2 };
  const clients = new Map<SimulatedService, pg.Client>();
  for (const write of writes) {
    if (write.pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, write.pauseMs));
    const { tables, unimplied } = world.mesh;
    const at = write.table % (tables.length + world.foreign.length + unimplied.length);
    const foreign = world.foreign[at - tables.length];
    if (foreign !== undefined) writeForeign(world, foreign, write);
    const owned = tables[at];
    const spoken = unimplied[at - tables.length - world.foreign.length];
    const service = owned?.service ?? spoken?.service;
    if (service === undefined) continue;
    try {
      const client = clients.get(service) ?? (await connect(world, actor, service));
      clients.set(service, client);
      if (owned !== undefined) await perform(client, { world, owned, write });
      else if (spoken !== undefined) await publishUnimplied(client, { world, spoken, write });
    } catch (error) {
      const { message } = error as Error;
      world.note(actor, `${write.kind} ${owned?.table.name ?? spoken?.entity}: ${message}`);
      if (owned !== undefined && error instanceof pg.DatabaseError && isRefusal(error))
        world.coverage.countRefusal(tableName(owned), message);
      const usable = error instanceof pg.DatabaseError && (await rollBack(clients.get(service)));
      if (!usable) clients.delete(service);
    }
  }
  await Promise.all([...clients.values()].map((client) => client.end().catch(() => undefined)));
}

function writeForeign(world: World, { entity, write: perform }: ForeignOwner, write: Write): void {
  world.note({ name: entity.service }, `${write.kind} ${entity.entity} ${keyOf(entity, write.key)}`);
  for (const key of perform(write))
    world.history.recordDeletion(
      { service: entity.service, table: entity.entity, key },
      world.schedule.steps,
    );
}

async function connect(world: World, actor: Actor, { database }: SimulatedService): Promise<pg.Client> {
  const stream = () => new SimulatedSocket(actor, database.name, world.databaseNetwork);
  const client = new pg.Client({ connectionString: "postgres://writer@127.0.0.1/simulated", stream });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

async function rollBack(client: pg.Client | undefined): Promise<boolean> {
  try {
    await client?.query("ROLLBACK");
    return client !== undefined;
  } catch {
    return false;
  }
}

/** By a constraint or a trigger, not by a lock or a broken connection. */
function isRefusal({ code = "" }: pg.DatabaseError): boolean {
  return code.startsWith("22") || code.startsWith("23") || code.startsWith("P0");
}

interface Task {
  readonly world: World;
  readonly owned: OwnedTable;
  readonly write: Write;
}

/** What one write changed: keys of rows. */
interface Committed {
  readonly written?: readonly string[];
  readonly deleted?: readonly string[];
  /** Step of the commit; the present step if absent. */
  readonly step?: number;
}

function rowName({ service, table }: OwnedTable, key: string): RowName {
  return { service: service.definition.name, table: table.name, key };
}

async function perform(client: pg.Client, task: Task): Promise<void> {
  const { world, owned, write } = task;
  const row = (key: string) => rowName(owned, key);
  const {
    written = [],
    deleted = [],
    step = world.schedule.steps,
  } = await PERFORM[write.kind](client, task).catch((error: unknown) => {
    // An error from the database means that nothing was written; a lost answer does not.
    if (!(error instanceof pg.DatabaseError))
      for (const key of touched(task)) world.history.recordUnknown(row(key));
    throw error;
  });
  for (const key of deleted) world.history.recordDeletion(row(key), step);
  for (const key of written) {
    // Held, so that how long the query takes does not decide what comes next.
    const unknown = await world.schedule.hold(() => refersToUnknown(owned, key));
    if (unknown) world.history.recordUnknown(row(key));
    else world.history.recordWrite(row(key), step);
  }
}

/** The row refers to an entity of which nothing was applied here yet: to which of its incarnations is not known. */
async function refersToUnknown({ service, table, key, refersTo }: OwnedTable, id: string): Promise<boolean> {
  for (const [column, { service: other }] of refersTo) {
    if (other === service) continue;
    const [found] = await service.database.query<{ known: boolean }>(
      `SELECT EXISTS (SELECT FROM mesh.applied AS state JOIN ${relationOf(table)} AS "$row" ON state.entity_id = "$row".${quote(column)}::text
WHERE ${idSql(key, '"$row"')} = $1 AND (state.version IS NOT NULL OR state.stream_seq IS NOT NULL)) AS known`,
      [id],
    );
    if (found?.known !== true) return true;
  }
  return false;
}

function touched({ owned, write }: Task): readonly string[] {
  if (write.kind !== "insert all" && write.kind !== "delete all") return [keyOf(owned, write.key)];
  return Array.from({ length: KEYS }, (_, number) => keyOf(owned, number));
}

const PERFORM: Readonly<Record<Write["kind"], (client: pg.Client, task: Task) => Promise<Committed>>> = {
  async insert(client, task) {
    const { world, owned, write } = task;
    await insertWithReferences(client, task);
    world.coverage.count("row inserted", tableName(owned));
    return { written: [keyOf(owned, write.key)] };
  },
  "insert all": insertAll,
  update,
  async delete(client, task) {
    const ids = [keyOf(task.owned, task.write.key)];
    const done = await deletion(client, task, ids);
    if (done.deleted?.length !== 0 || task.write.value % 2 === 1) return done;
    // Else rows to which few writes go are never deleted.
    await insertWithReferences(client, task);
    task.world.coverage.count("row inserted", tableName(task.owned));
    return await deletion(client, task, ids);
  },
  "delete all": (client, task) => deletion(client, task, touched(task)),
  recreate,
  async "recreate and update"(client, task) {
    const done = await recreate(client, task);
    const { write } = task;
    // Their events may overtake the new incarnation's `created` event.
    for (const step of [1, 2])
      await update(client, {
        ...task,
        write: { ...write, column: write.column + step, value: write.value + step },
      });
    return done;
  },
  async swap(client, task) {
    await swap(client, task);
    return {};
  },
};

async function update(client: pg.Client, task: Task): Promise<Committed> {
  const { owned, write } = task;
  const { world } = task;
  const column = owned.columns[write.column % owned.columns.length];
  if (column === undefined) return {};
  const id = keyOf(owned, write.key);
  const values = updatedValues(owned, column, write);
  const set = values.map(([name], index) => `${quote(name)} = $${index + 2}`).join(", ");
  const sql = `UPDATE ${relationOf(owned.table)} SET ${set} WHERE ${idSql(owned.key)} = $1`;
  const parameters = [id, ...values.map(([, value]) => value)];
  let { rowCount } = await client.query(sql, parameters);
  const isMissing = rowCount === 0;
  if (isMissing) {
    await insertWithReferences(client, task);
    world.coverage.count("row inserted", tableName(owned));
    ({ rowCount } = await client.query(sql, parameters));
  }
  world.coverage.count("row updated", tableName(owned), rowCount ?? 0);
  // Only a change of a reference counts as a write: other updates leave the row with the entity it refers to.
  return isMissing || (rowCount === 1 && owned.refersTo.has(column.name)) ? { written: [id] } : {};
}

/** Deletes and creates in one transaction: a new incarnation under the same id. */
async function recreate(client: pg.Client, task: Task): Promise<Committed> {
  const { owned } = task;
  const id = keyOf(owned, task.write.key);
  await client.query("BEGIN");
  const { deleted = [] } = await deletion(client, task, [id]);
  await insertOrRestore(client, task);
  await client.query("COMMIT");
  task.world.coverage.count("row inserted", tableName(owned));
  return { deleted, written: [id], step: task.world.schedule.steps };
}

async function deletion(
  client: pg.Client,
  { world, owned, write }: Task,
  ids: readonly string[],
): Promise<Committed> {
  for (const id of ids) world.recordWriterDeletion(owned, id);
  const { table } = owned;
  const { softDelete: _, ...forGood } = table;
  const key = idSql(owned.key, '"$t"');
  // Of a table that deletes softly, two of three; a row that is softly deleted already may go for good, and nobody is told.
  const isSoft = write.value % 3 !== 0;
  const sql = deletionSql(isSoft ? table : forGood, [`${key} = ANY ($1)`]);
  const lives = isSoft ? ["true"] : ["true", ...livingRows(table, '"$t"')];
  const { rows } = await client.query<{ key: string; lived: boolean }>(
    `${sql} RETURNING ${key} AS key, ${lives.join(" AND ")} AS lived`,
    [ids],
  );
  const deleted = rows.flatMap((row) => (row.lived ? [row.key] : []));
  world.coverage.count("row deleted", tableName(owned), deleted.length);
  return { deleted };
}

/** A row that is softly deleted comes back with another value, in one update: that is its creation. */
async function insertOrRestore(client: pg.Client, { owned, write }: Task): Promise<void> {
  const { table, key, columns } = owned;
  const living = livingRows(table, '"$t"');
  const column = columns[write.column % columns.length];
  if (living.length > 0) {
    const values = [
      ...livingValue(table),
      ...(column === undefined ? [] : updatedValues(owned, column, write)),
    ];
    const set = values.map(([name], index) => `${quote(name)} = $${index + 2}`).join(", ");
    const { rowCount } = await client.query(
      `UPDATE ${relationOf(table)} AS "$t" SET ${set} WHERE ${idSql(key, '"$t"')} = $1 AND NOT (${living.join(" AND ")})`,
      [keyOf(owned, write.key), ...values.map(([, value]) => value)],
    );
    if (rowCount === 1) return;
  }
  await client.query(...insertion(owned, write));
}

/** Where a row that it refers to is missing, inserts that one before: chains of references are rarely met by chance. */
async function insertWithReferences(client: pg.Client, task: Task): Promise<void> {
  const { world, owned, write } = task;
  try {
    await insertOrRestore(client, task);
  } catch (error) {
    const isMissing = error instanceof pg.DatabaseError && error.code === "23503";
    const parents = [...owned.refersTo.values()].filter(
      (target): target is OwnedTable =>
        !isForeign(target) && target !== owned && target.service === owned.service,
    );
    if (!isMissing || parents.length === 0) throw error;
    for (const parent of parents)
      for (let key = 0; key < KEYS; key += 1)
        await insertParent(client, { world, owned: parent, write: { ...write, key, value: key } });
    await insertOrRestore(client, task);
  }
}

/** One that is there already is refused, and as good. */
async function insertParent(client: pg.Client, task: Task): Promise<void> {
  const { owned, write, world } = task;
  try {
    await insertWithReferences(client, task);
    world.coverage.count("row inserted", tableName(owned));
    world.history.recordUnknown(rowName(owned, keyOf(owned, write.key)));
  } catch (refused) {
    if (!(refused instanceof pg.DatabaseError)) throw refused;
  }
}

/** Inserts a row for every key in one transaction, each with other values. */
async function insertAll(client: pg.Client, { world, owned, write }: Task): Promise<Committed> {
  const written: string[] = [];
  await client.query("BEGIN");
  for (let key = 0; key < KEYS; key += 1) {
    const [sql, values] = insertion(owned, { ...write, key, value: (write.value + key) % 5 });
    const { rowCount } = await client.query(`${sql} ON CONFLICT DO NOTHING`, values);
    if (rowCount === 1) written.push(keyOf(owned, key));
  }
  await client.query("COMMIT");
  world.coverage.count("row inserted", tableName(owned), written.length);
  return { written };
}

/** Two rows exchange a unique value in one transaction, by way of a third value. */
async function swap(client: pg.Client, { owned, write }: Task): Promise<void> {
  const column = owned.columns.find(({ unique, type }) => unique === true && kindOf(type) === "text");
  if (column === undefined) return;
  const table = relationOf(owned.table);
  const [name, id] = [quote(column.name), idSql(owned.key)];
  const ids = [keyOf(owned, write.key), keyOf(owned, write.key + 1 + (write.value % (KEYS - 1)))];
  await client.query("BEGIN");
  const { rows } = await client.query<{ id: string; value: string }>(
    `SELECT ${id} AS id, ${name} AS value FROM ${table} WHERE ${id} = ANY ($1) ORDER BY 1 FOR UPDATE`,
    [ids],
  );
  const [one, other] = rows;
  if (one !== undefined && other !== undefined) {
    const set = `UPDATE ${table} SET ${name} = $1 WHERE ${id} = $2`;
    await client.query(set, [`swap of ${one.id}`, one.id]);
    await client.query(set, [one.value, other.id]);
    await client.query(set, [other.value, one.id]);
  }
  await client.query("COMMIT");
}
