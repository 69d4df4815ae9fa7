import { type ClientBase, DatabaseError, escapeIdentifier as quote } from "pg";
import { STATE } from "../database/database-errors.js";
import { isOwnName } from "../database/mesh-schema.js";
import { relationOf } from "../database/relation.js";
import type { TableDefinition } from "../definition/table-definition.js";
import { hasMeshTable, MigrationError } from "./ledger.js";
import { transact } from "./transact.js";

/** What is ours in a database that was there before the mesh. */
export interface DetachOptions {
  /** All tables of the service. */
  readonly tables: readonly Pick<TableDefinition, "name" | "at" | "existing" | "cacheOf">[];
  /** All views that it names. */
  readonly views?: readonly Pick<TableDefinition, "name" | "at">[];
  /** The service: nothing is done while it runs. */
  readonly service: string;
  /** The role that the service runs as: it loses what it was granted. */
  readonly role: string;
  /** Events that have not been published go, too. Default false: then nothing is done while there are any. */
  readonly dropEvents?: boolean;
  /** Tables that the mesh made, copies aside, go with their rows. Default false: then nothing is done while there are any. */
  readonly dropTables?: boolean;
}

/** What `detachDatabase` removed. */
export interface Detached {
  readonly triggers: number;
  readonly constraints: number;
  readonly indexes: number;
  readonly tables: readonly string[];
  /** Views, tables and sequences that SQL of the service's own has made: they stay. */
  readonly left: readonly string[];
}

const LOCK_TIMEOUT_MS = 2_000;

/**
 * Takes every trace of the mesh from a database, in one transaction: triggers, checks and indexes of ours on tables that
 * exist, copies, grants and schema `mesh`. Rows of existing tables stay as they are. Rejects with `MigrationError`, and
 * nothing is done, where events or rows would be lost without a word; with 55P03 where a table is in use too long.
 */
export async function detachDatabase(client: ClientBase, options: DetachOptions): Promise<Detached> {
  if (!(await hasMeshTable(client, "place")))
    return { triggers: 0, constraints: 0, indexes: 0, tables: [], left: [] };
  await requireStopped(client, options.service);
  return await transact(client, async () => {
    await client.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
    const triggers = await dropEach(client, TRIGGERS);
    await requireNothingLost(client, options);
    const constraints = await dropEach(client, CONSTRAINTS);
    const indexes = await dropEach(client, INDEXES);
    const made = options.tables.filter(({ existing }) => existing === undefined);
    for (const table of made)
      await client.query(`DROP TABLE IF EXISTS ${relationOf(table)}`).catch((cause: unknown) => {
        throw stillNeeded(table.name, cause);
      });
    const custom = await client.query<{ name: string }>(CUSTOM_RELATIONS);
    const left = custom.rows.map(({ name }) => name);
    await revoke(client, options, left);
    await client.query("DROP SCHEMA mesh CASCADE");
    return { triggers, constraints, indexes, tables: made.map(({ name }) => name), left };
  });
}

/** A view of the service's own SQL, mostly. */
function stillNeeded(table: string, cause: unknown): unknown {
  if (!(cause instanceof DatabaseError) || cause.code !== STATE.dependent_objects_still_exist) return cause;
  return new MigrationError(
    `${table} goes with the mesh, and is needed: ${cause.detail ?? cause.message}. Drop that first`,
    {
      cause,
    },
  );
}

const CUSTOM_RELATIONS =
  "SELECT name FROM mesh.custom_relation WHERE pg_catalog.to_regclass(name) IS NOT NULL ORDER BY name";

/** A service that runs would make schema mesh anew, or fail at each event. */
async function requireStopped(client: ClientBase, service: string): Promise<void> {
  const { rows } = await client.query<{ sessions: string }>(
    `SELECT count(*) AS sessions FROM pg_stat_activity
     WHERE datname = current_database() AND application_name ~ ('^meshwright ' || $1 || '( [0-9a-f]{8})?$')`,
    [service],
  );
  if (rows[0]?.sessions !== "0")
    throw new MigrationError(
      `${service} still runs, with ${rows[0]?.sessions} connections to this database: stop it first, all replicas of it`,
    );
}

/** Behind the triggers, so that no event comes after it was asked. */
async function requireNothingLost(client: ClientBase, options: DetachOptions): Promise<void> {
  const { rows } = await client.query<{ events: string }>("SELECT count(*) AS events FROM mesh.outbox");
  if (options.dropEvents !== true && rows[0]?.events !== "0")
    throw new MigrationError(
      `events that have not been published: ${rows[0]?.events}. Let the service run until they are, or say --drop-events`,
    );
  const own = options.tables.filter(
    ({ existing, cacheOf }) => existing === undefined && cacheOf === undefined,
  );
  if (options.dropTables !== true && own.length > 0)
    throw new MigrationError(
      `the mesh made ${own.map(({ name }) => name).join(", ")}, which would go with their rows: say --drop-tables`,
    );
}

const TRIGGERS = `
SELECT pg_catalog.format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass) AS statement
FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND p.pronamespace = 'mesh'::regnamespace AND
  (SELECT relnamespace FROM pg_class WHERE oid = t.tgrelid) <> 'mesh'::regnamespace`;

const OURS = `JOIN pg_class AS c ON c.oid = x.relation JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN mesh.place ON schema_name = n.nspname AND table_name = c.relname AND existing
WHERE ${isOwnName("x.name", "c.relname")}`;

const CONSTRAINTS = `
SELECT pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I', x.relation::regclass, x.name) AS statement
FROM (SELECT conname AS name, conrelid AS relation FROM pg_constraint WHERE contype = 'c') AS x ${OURS}`;

const INDEXES = `
SELECT pg_catalog.format('DROP INDEX %s', x.index::regclass) AS statement
FROM (SELECT relname AS name, indrelid AS relation, indexrelid AS index FROM pg_index JOIN pg_class ON oid = indexrelid) AS x ${OURS}`;

async function dropEach(client: ClientBase, query: string): Promise<number> {
  const { rows } = await client.query<{ statement: string }>(query);
  for (const { statement } of rows) await client.query(statement);
  return rows.length;
}

/** The role itself belongs to the whole server, and stays. */
async function revoke(
  client: ClientBase,
  { views = [], role }: DetachOptions,
  left: readonly string[],
): Promise<void> {
  const found = await client.query("SELECT FROM pg_roles WHERE rolname = $1 AND rolname <> current_user", [
    role,
  ]);
  if (found.rowCount === 0) return;
  for (const view of views) {
    const known = await client.query("SELECT FROM pg_class WHERE oid = pg_catalog.to_regclass($1)", [
      relationOf(view),
    ]);
    if (known.rowCount !== 0) await client.query(`REVOKE ALL ON ${relationOf(view)} FROM ${quote(role)}`);
  }
  // What the model has no more and the database has not released yet, too.
  const places = await client.query<{ relation: string }>(
    `SELECT pg_catalog.to_regclass(pg_catalog.format('%I.%I', schema_name, table_name))::text AS relation FROM mesh.place
     WHERE existing AND pg_catalog.to_regclass(pg_catalog.format('%I.%I', schema_name, table_name)) IS NOT NULL`,
  );
  for (const { relation } of places.rows) await client.query(`REVOKE ALL ON ${relation} FROM ${quote(role)}`);
  for (const name of left) await client.query(`REVOKE ALL ON ${name} FROM ${quote(role)}`);
  // Also of schemas where a view lies, or what SQL of the service's own has made. What an administrator has granted is theirs to take.
  const { rows } = await client.query<{ statement: string }>(
    `SELECT pg_catalog.format('REVOKE ALL ON SCHEMA %I FROM %I', nspname, $1::text) AS statement FROM pg_namespace
     WHERE EXISTS (SELECT FROM pg_catalog.aclexplode(nspacl) AS held JOIN pg_roles ON pg_roles.oid = held.grantee
       WHERE rolname = $1 AND pg_catalog.pg_has_role(held.grantor, 'USAGE'))
     UNION ALL SELECT pg_catalog.format('REVOKE ALL ON DATABASE %I FROM %I', current_database(), $1::text)
     WHERE pg_catalog.has_database_privilege(current_user, current_database(), 'CONNECT WITH GRANT OPTION')`,
    [role],
  );
  for (const { statement } of rows) await client.query(statement);
}
