import { kindOf } from "@meshwright/runtime/column-types";
import { idSql, relationOf } from "@meshwright/runtime/simulation";
import pg, { escapeIdentifier as quote } from "pg";
import { keyOf, keyParts, type OwnedTable, type SimulatedService, valueFor } from "./mesh.js";
import { KEYS, type Write } from "./plan.js";
import { SimulatedSocket } from "./postgres/socket.js";
import type { Actor } from "./schedule.js";
import type { World } from "./world.js";

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
    const owned = world.mesh.tables[write.table % world.mesh.tables.length];
    if (owned === undefined) return;
    try {
      const client = clients.get(owned.service) ?? (await connect(world, actor, owned.service));
      clients.set(owned.service, client);
      await perform(client, { world, owned, write });
    } catch (error) {
      world.note(actor, `${write.kind} ${owned.table.name}: ${(error as Error).message}`);
      const client = clients.get(owned.service);
      const usable = error instanceof pg.DatabaseError && (await rollBack(client));
      if (!usable) clients.delete(owned.service);
    }
  }
  await Promise.all([...clients.values()].map((client) => client.end().catch(() => undefined)));
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

async function perform(client: pg.Client, task: Task): Promise<void> {
  const { world, owned, write } = task;
  const row = (key: string) => ({
    service: owned.service.definition.name,
    table: owned.table.name,
    key,
  });
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
  async insert(client, { owned, write }) {
    await client.query(...insertion(owned, write));
    return { written: [keyOf(owned, write.key)] };
  },
  "insert all": insertAll,
  update,
  delete: (client, task) => deletion(client, task, [keyOf(task.owned, task.write.key)]),
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

async function update(client: pg.Client, { owned, write }: Task): Promise<Committed> {
  const column = owned.columns[write.column % owned.columns.length];
  if (column === undefined) return {};
  const id = keyOf(owned, write.key);
  const sql = `UPDATE ${relationOf(owned.table)} SET ${quote(column.name)} = $1 WHERE ${idSql(owned.key)} = $2`;
  const { rowCount } = await client.query(sql, [valueFor(owned, column, write.value), id]);
  // Only a change of a reference counts as a write: other updates leave the row with the entity it refers to.
  return rowCount === 1 && owned.refersTo.has(column.name) ? { written: [id] } : {};
}

/** Deletes and creates in one transaction: a new incarnation under the same id. */
async function recreate(client: pg.Client, task: Task): Promise<Committed> {
  const { owned, write } = task;
  const id = keyOf(owned, write.key);
  await client.query("BEGIN");
  const { deleted = [] } = await deletion(client, task, [id]);
  await client.query(...insertion(owned, write));
  await client.query("COMMIT");
  return { deleted, written: [id], step: task.world.schedule.steps };
}

async function deletion(
  client: pg.Client,
  { world, owned }: Task,
  ids: readonly string[],
): Promise<Committed> {
  for (const id of ids) world.recordWriterDeletion(owned, id);
  const { rows } = await client.query<{ key: string }>(
    `DELETE FROM ${relationOf(owned.table)} WHERE ${idSql(owned.key)} = ANY ($1) RETURNING ${idSql(owned.key)} AS key`,
    [ids],
  );
  return { deleted: rows.map(({ key }) => key) };
}

function insertion(owned: OwnedTable, write: Pick<Write, "key" | "value" | "column">): [string, unknown[]] {
  const columns = owned.columns.filter(({ type, defaulted }) => !(defaulted && kindOf(type) === "moment"));
  const names = [...owned.key, ...columns].map(({ name }) => name);
  const values = [
    ...keyParts(owned, write.key),
    ...columns.map((column, index) => valueFor(owned, column, (write.value + index * write.column) % 5)),
  ];
  const parameters = values.map((_, index) => `$${index + 1}`).join(", ");
  return [
    `INSERT INTO ${relationOf(owned.table)} (${names.map(quote).join(", ")}) VALUES (${parameters})`,
    values,
  ];
}

/** Inserts a row for every key in one transaction, each with other values. */
async function insertAll(client: pg.Client, { owned, write }: Task): Promise<Committed> {
  const written: string[] = [];
  await client.query("BEGIN");
  for (let key = 0; key < KEYS; key += 1) {
    const [sql, values] = insertion(owned, { ...write, key, value: (write.value + key) % 5 });
    const { rowCount } = await client.query(`${sql} ON CONFLICT DO NOTHING`, values);
    if (rowCount === 1) written.push(keyOf(owned, key));
  }
  await client.query("COMMIT");
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
