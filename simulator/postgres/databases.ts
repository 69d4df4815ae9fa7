import { createPool, type Logger, migrate, type ServiceDefinition } from "@meshwright/runtime";
import { createMutex, inMeshSchema, relationOf } from "@meshwright/runtime/simulation";
import pg, { escapeLiteral, escapeIdentifier as quote } from "pg";
import { EARLIER_ROWS, observeEarlierRows, readAdoption } from "./adoption.js";
import { existingTablesSql, standInView } from "./existing-tables.js";
import { OBSERVERS, observe, observeCauses } from "./observers.js";

/*
 * The databases of a simulated world: real ones, migrated once, emptied before each schedule.
 */

/**
 * Settings for a server that only the simulator uses. Databases that live for minutes need no durability. Work in the
 * background would come at other moments in each run; so would the server's own search for deadlocks, which `Backends` does.
 */
export const SERVER_SETTINGS: Readonly<Record<string, string>> = {
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  autovacuum: "off",
  deadlock_timeout: "1h",
  max_wal_size: "4GB",
};

export interface SimulatedDatabase {
  readonly name: string;
  readonly url: string;
  /** Not a step of the schedule: sees what is committed. */
  query<Row extends object>(sql: string, values?: readonly unknown[]): Promise<readonly Row[]>;
  /** What the service's migrations do with rows that they find. */
  readonly adoption: readonly string[];
  /** Deletes all rows. */
  reset(): Promise<void>;
  /** Copies all rows, in place of an earlier backup. */
  backUp(): Promise<void>;
  /** Replaces all rows with those of the backup. No transaction may be open. */
  restore(): Promise<void>;
  /** Sets what its `now()` says from here on. */
  setClock(ms: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * Makes `now()` the world's virtual time: `mesh__sim` stands before pg_catalog in the search path. No database can be called
 * such that the mesh's own schema of it has that name, since names begin with a letter. The functions of `mesh`
 * have a search path of their own and keep the server's time; they use it for `metadata.timestamp`, which decides nothing. The
 * clock by which moments come is replaced.
 * `public` comes last, as by default, since a table called `text` is also a type.
 */
const PRELUDE = `
CREATE SCHEMA mesh__sim;
CREATE TABLE mesh__sim."$clock" (now timestamptz NOT NULL) WITH (fillfactor = 10);
INSERT INTO mesh__sim."$clock" VALUES (pg_catalog.now());
CREATE FUNCTION mesh__sim.now() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT now FROM mesh__sim."$clock"';
CREATE FUNCTION mesh__sim.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT now FROM mesh__sim."$clock"';
CREATE TABLE mesh__sim."$effect" (
    ordinal BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, durable TEXT NOT NULL, origin TEXT NOT NULL, event_id TEXT NOT NULL,
    entity TEXT NOT NULL, entity_id TEXT NOT NULL, version BIGINT, action TEXT NOT NULL, change TEXT NOT NULL,
    transaction BIGINT NOT NULL DEFAULT pg_catalog.txid_current()
);
CREATE TABLE mesh__sim."$known" (
    ordinal BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, service TEXT NOT NULL, entity TEXT NOT NULL, entity_id TEXT NOT NULL,
    version BIGINT, versioned BOOLEAN NOT NULL, deleted BOOLEAN NOT NULL, stream_seq BIGINT,
    transaction BIGINT NOT NULL DEFAULT pg_catalog.txid_current()
);
CREATE FUNCTION mesh__sim.remember() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO mesh__sim."$known" (service, entity, entity_id, version, versioned, deleted, stream_seq)
  VALUES (TG_ARGV[0], NEW.entity, NEW.entity_id, NEW.version, NEW.versioned, NEW.deleted, NEW.stream_seq);
  RETURN NULL;
END $$;
`;

/** In the mesh's own tables of one service. */
const preludeOf = (service: string) => `
CREATE OR REPLACE FUNCTION mesh.clock() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT now FROM mesh__sim."$clock"';
ALTER TABLE mesh.cascade_task ALTER COLUMN next_at SET DEFAULT mesh__sim.now();
ALTER TABLE mesh.attempt ALTER COLUMN next_at SET DEFAULT mesh__sim.now();
CREATE TRIGGER remember AFTER INSERT OR UPDATE ON mesh.applied FOR EACH ROW EXECUTE FUNCTION mesh__sim.remember(${escapeLiteral(service)});
${observeCauses(service)}`;

/** What PostgreSQL calls the database of a service. */
export function databaseName({ name, database }: ServiceDefinition): string {
  if (database === undefined) throw new Error(`${name} has no database to simulate`);
  return database.shared?.with ?? database.name;
}

/** The one database of these services, as each of them sees it: all but `query` is of the whole. */
export async function prepareDatabase(
  definitions: readonly ServiceDefinition[],
  url: string,
  logger: Logger,
): Promise<ReadonlyMap<ServiceDefinition, SimulatedDatabase>> {
  for (const definition of definitions) await migrateService(definition, url, logger);
  const schemas = definitions.map(({ database }) => database?.shared?.schema ?? "mesh");
  const client = new pg.Client({ connectionString: url });
  // What a lost connection means for a statement, the statement says.
  client.on("error", () => undefined);
  await client.connect();
  await client.query(PRELUDE + OBSERVERS + EARLIER_ROWS);
  for (const [index, definition] of definitions.entries()) {
    await client.query(inMeshSchema(preludeOf(definition.name), schemas[index] ?? ""));
    await client.query(observe(definition) + observeEarlierRows(definition));
  }
  const database = client.escapeIdentifier(new URL(url).pathname.slice(1));
  await client.query(`ALTER DATABASE ${database} SET search_path = mesh__sim, pg_catalog, public`);
  await client.query(`ALTER DATABASE ${database} SET timezone = 'UTC'`);
  await client.query("SET timezone = 'UTC'");
  const tables = await listTables(client);
  await client.query(backupTables(tables));
  const adoptions = await Promise.all(definitions.map(readAdoption));
  // Checks of several copies read the same database, and a client takes one query at a time.
  const oneByOne = createMutex();
  let clock = Number.NaN;
  const whole = {
    name: definitions.map(databaseName)[0] ?? "",
    url,
    reset: async () => {
      // Hooks may have created tables since.
      await client.query(cleaning(await listTables(client), await listSequences(client), schemas));
    },
    backUp: async () => {
      await client.query(copying(tables, { from: original, to: backup }) + KEEP_SEQUENCES);
    },
    restore: async () => {
      await client.query(copying(tables, { from: backup, to: original }) + RESTORE_SEQUENCES);
    },
    async setClock(ms: number) {
      if (ms === clock) return;
      clock = ms;
      await client.query('UPDATE mesh__sim."$clock" SET now = to_timestamp($1 / 1000.0)', [ms]);
    },
    close: () => client.end(),
  };
  return new Map(
    definitions.map((definition, index) => [
      definition,
      {
        ...whole,
        adoption: adoptions[index] ?? [],
        query: async <Row extends object>(sql: string, values: readonly unknown[] = []) => {
          const text = inMeshSchema(sql, schemas[index] ?? "");
          return (await oneByOne(() => client.query<Row>(text, [...values]))).rows;
        },
      },
    ]),
  );
}

async function migrateService(definition: ServiceDefinition, url: string, logger: Logger): Promise<void> {
  const { name, database } = definition;
  if (database === undefined) return;
  const pool = createPool({ url, service: name, max: 1, meshSchema: database.shared?.schema, logger });
  const existing = existingTablesSql(definition.tables);
  if (existing !== "") await pool.query(existing);
  await migrate(pool, { ...database, service: name, logger });
  for (const view of definition.views ?? []) {
    const found = await pool.query("SELECT to_regclass($1) IS NOT NULL AS there", [relationOf(view)]);
    if (found.rows[0]?.there !== true) await pool.query(standInView(view));
  }
  await pool.end();
}

interface Table {
  readonly schema: string;
  readonly name: string;
}

/** The tables of the services, of the mesh and of hooks, without the list of migrations and the clock. */
async function listTables(client: pg.Client): Promise<readonly Table[]> {
  const { rows } = await client.query<Table>(
    `SELECT schemaname AS schema, tablename AS name FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'mesh__backup')
  AND NOT (schemaname ~ '^mesh' AND tablename = 'migration') AND NOT (schemaname = 'mesh__sim' AND tablename = '$clock')
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

const original = ({ schema, name }: Table) => `${quote(schema)}.${quote(name)}`;
const backup = ({ schema, name }: Table) => `mesh__backup.${quote(`${schema}.${name}`)}`;

/** Triggers do not fire and foreign keys are not checked. */
const TRIGGERS_OFF = "SET session_replication_role = replica;";
const TRIGGERS_ON = "SET session_replication_role = origin;";

const KEEP_SEQUENCES = `DELETE FROM mesh__backup.sequence; INSERT INTO mesh__backup.sequence
SELECT quote_ident(schemaname) || '.' || quote_ident(sequencename), last_value FROM pg_sequences;`;
const RESTORE_SEQUENCES =
  "SELECT setval(name::regclass, coalesce(value, 1), value IS NOT NULL) FROM mesh__backup.sequence;";

function cleaning(
  tables: readonly Table[],
  sequences: readonly string[],
  schemas: readonly string[],
): string {
  return [
    TRIGGERS_OFF,
    ...tables.map((table) => `DELETE FROM ${original(table)};`),
    ...sequences.map((name) => `ALTER SEQUENCE ${name} RESTART;`),
    ...schemas.map(
      (schema) => `INSERT INTO ${schema}.broker DEFAULT VALUES; INSERT INTO ${schema}.relay DEFAULT VALUES;`,
    ),
    TRIGGERS_ON,
  ].join("\n");
}

function backupTables(tables: readonly Table[]): string {
  return [
    "CREATE SCHEMA mesh__backup; CREATE TABLE mesh__backup.sequence (name TEXT, value BIGINT);",
    ...tables.map((table) => `CREATE TABLE ${backup(table)} (LIKE ${original(table)});`),
  ].join("\n");
}

function copying(
  tables: readonly Table[],
  { from, to }: { readonly from: (table: Table) => string; readonly to: (table: Table) => string },
): string {
  return [
    TRIGGERS_OFF,
    ...tables.flatMap((table) => [
      `DELETE FROM ${to(table)};`,
      `INSERT INTO ${to(table)} OVERRIDING SYSTEM VALUE SELECT * FROM ${from(table)};`,
    ]),
    TRIGGERS_ON,
  ].join("\n");
}
