import pg from "pg";
import type { Logger, ServiceDefinition } from "../../runtime/definition.js";
import { migrate } from "../../runtime/schema/index.js";

/*
 * The databases of a simulated world: real ones, migrated once, emptied before each schedule, and looked at
 * from outside of it.
 */

/**
 * For a server of which schedules have the sole use. Durability is of no use to a database that lives for minutes;
 * what a server does in the background would come at other moments each time; and a deadlock is found at once, by
 * whoever closes it.
 */
export const SERVER_SETTINGS: Readonly<Record<string, string>> = {
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  autovacuum: "off",
  deadlock_timeout: "1ms",
  max_wal_size: "4GB",
};

export interface SimulatedDatabase {
  readonly name: string;
  readonly url: string;
  /** Outside of the schedule: sees what is committed. */
  query<Row extends object>(sql: string, values?: readonly unknown[]): Promise<readonly Row[]>;
  /** Empties it. */
  reset(): Promise<void>;
  /** Keeps what it holds now, in place of the backup before. */
  backUp(): Promise<void>;
  /** Brings the backup back. Nobody may be connected. */
  restore(): Promise<void>;
  /** What its `now()` says from here on. */
  setClock(ms: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * `now()` is the world's time: this schema stands before pg_catalog in the search path. The functions of the mesh have a path
 * of their own and keep the server's: what they take it for, `metadata.timestamp`, decides nothing. The mesh's tables come last
 * in the path, as they do by default: one called `text` is a type, too.
 */
const PRELUDE = `
CREATE SCHEMA mesh_sim;
CREATE TABLE mesh_sim."$clock" (now timestamptz NOT NULL) WITH (fillfactor = 10);
INSERT INTO mesh_sim."$clock" VALUES (pg_catalog.now());
CREATE FUNCTION mesh_sim.now() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT now FROM mesh_sim."$clock"';
CREATE FUNCTION mesh_sim.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT now FROM mesh_sim."$clock"';
ALTER TABLE mesh.cascade_task ALTER COLUMN next_at SET DEFAULT mesh_sim.now();
ALTER TABLE mesh.attempt ALTER COLUMN next_at SET DEFAULT mesh_sim.now();
CREATE TABLE mesh_sim."$effect" (
    place BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, durable TEXT NOT NULL, origin TEXT NOT NULL, event_id TEXT NOT NULL,
    entity_id TEXT NOT NULL, version BIGINT, action TEXT NOT NULL, change TEXT NOT NULL
);
CREATE TABLE mesh_sim."$known" (
    place BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, source TEXT NOT NULL, entity_id TEXT NOT NULL,
    version BIGINT, deleted BOOLEAN NOT NULL, stream_seq BIGINT NOT NULL
);
CREATE FUNCTION mesh_sim.remember() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO mesh_sim."$known" (source, entity_id, version, deleted, stream_seq)
  VALUES (NEW.source, NEW.entity_id, NEW.version, NEW.deleted, NEW.stream_seq);
  RETURN NULL;
END $$;
CREATE TRIGGER remember AFTER INSERT OR UPDATE ON mesh.applied FOR EACH ROW EXECUTE FUNCTION mesh_sim.remember();
`;

export async function prepareDatabase(
  definition: ServiceDefinition,
  url: string,
  logger: Logger,
): Promise<SimulatedDatabase> {
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  await migrate(pool, { service: definition.name, migrations: definition.database.migrations, logger });
  await pool.end();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { name } = definition.database;
  const database = client.escapeIdentifier(new URL(url).pathname.slice(1));
  await client.query(PRELUDE);
  await client.query(`ALTER DATABASE ${database} SET search_path = mesh_sim, pg_catalog, public`);
  await client.query(`ALTER DATABASE ${database} SET timezone = 'UTC'`);
  await client.query("SET timezone = 'UTC'");
  const tables = await listTables(client);
  await client.query(backupTables(tables));
  let clock = Number.NaN;
  return {
    name,
    url,
    query: async <Row extends object>(sql: string, values: readonly unknown[] = []) =>
      (await client.query<Row>(sql, [...values])).rows,
    reset: async () => {
      // Listed anew: hooks may have made tables.
      await client.query(cleaning(await listTables(client), await listSequences(client)));
    },
    backUp: async () => {
      await client.query(copying(tables, { from: own, to: kept }) + KEEP_SEQUENCES);
    },
    restore: async () => {
      await client.query(copying(tables, { from: kept, to: own }) + RESTORE_SEQUENCES);
    },
    async setClock(ms) {
      if (ms === clock) return;
      clock = ms;
      await client.query('UPDATE mesh_sim."$clock" SET now = to_timestamp($1 / 1000.0)', [ms]);
    },
    close: () => client.end(),
  };
}

interface Table {
  readonly schema: string;
  readonly name: string;
}

/** Those of the service and of the mesh, and what hooks made for themselves. Ledger and clock stay. */
async function listTables(client: pg.Client): Promise<readonly Table[]> {
  const { rows } = await client.query<Table>(
    `SELECT schemaname AS schema, tablename AS name FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'mesh_backup')
  AND NOT (schemaname = 'mesh' AND tablename = 'migration') AND NOT (schemaname = 'mesh_sim' AND tablename = '$clock')
ORDER BY 1, 2`,
  );
  return rows;
}

async function listSequences(client: pg.Client): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    "SELECT quote_ident(schemaname) || '.' || quote_ident(sequencename) AS name FROM pg_sequences ORDER BY 1",
  );
  return rows.map(({ name }) => name);
}

const quote = (identifier: string) => `"${identifier.replaceAll('"', '""')}"`;
const own = ({ schema, name }: Table) => `${quote(schema)}.${quote(name)}`;
const kept = ({ schema, name }: Table) => `mesh_backup.${quote(`${schema}.${name}`)}`;

/** No trigger fires and no foreign key is checked: the rows go as if they had never been. */
const QUIETLY = "SET session_replication_role = replica;";
const LOUDLY = "SET session_replication_role = origin;";

const KEEP_SEQUENCES = `DELETE FROM mesh_backup.sequence; INSERT INTO mesh_backup.sequence
SELECT quote_ident(schemaname) || '.' || quote_ident(sequencename), last_value FROM pg_sequences;`;
const RESTORE_SEQUENCES =
  "SELECT setval(name::regclass, coalesce(value, 1), value IS NOT NULL) FROM mesh_backup.sequence;";

function cleaning(tables: readonly Table[], sequences: readonly string[]): string {
  return [
    QUIETLY,
    ...tables.map((table) => `DELETE FROM ${own(table)};`),
    ...sequences.map((name) => `ALTER SEQUENCE ${name} RESTART;`),
    "INSERT INTO mesh.broker DEFAULT VALUES; INSERT INTO mesh.relay DEFAULT VALUES;",
    LOUDLY,
  ].join("\n");
}

function backupTables(tables: readonly Table[]): string {
  return [
    "CREATE SCHEMA mesh_backup; CREATE TABLE mesh_backup.sequence (name TEXT, value BIGINT);",
    ...tables.map((table) => `CREATE TABLE ${kept(table)} (LIKE ${own(table)});`),
  ].join("\n");
}

function copying(
  tables: readonly Table[],
  { from, to }: { readonly from: (table: Table) => string; readonly to: (table: Table) => string },
): string {
  return [
    QUIETLY,
    ...tables.flatMap((table) => [
      `DELETE FROM ${to(table)};`,
      `INSERT INTO ${to(table)} OVERRIDING SYSTEM VALUE SELECT * FROM ${from(table)};`,
    ]),
    LOUDLY,
  ].join("\n");
}
