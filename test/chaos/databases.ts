import pg from "pg";
import { giveRoles, migrateAs, type RoledDatabase } from "../support/roles.js";
import { startPostgres, type TestPostgres } from "../support/servers.js";
import { SERVICES, type ServiceName } from "./project.js";

/** One PostgreSQL with the four databases, and an operator's connections to them, past all proxies. */
export interface Databases {
  readonly server: TestPostgres;
  readonly port: number;
  readonly pools: Readonly<Record<ServiceName, pg.Pool>>;
  /** As the service reaches it through a port of its own, under the role that the emitted files give it. */
  url(service: ServiceName, port: number): string;
  /** From now on records each change of `mesh.applied`, with its time. */
  keepHistory(): Promise<void>;
  /** The recorded states of an entity, the newest last. */
  history(service: ServiceName, source: string, id: string): Promise<readonly object[]>;
  /** Copies a database. Closes it to connections meanwhile. */
  backUp(service: ServiceName): Promise<void>;
  /** Replaces the database by the copy, and drops the copy. */
  restore(service: ServiceName): Promise<void>;
  now(): Promise<Date>;
  stop(): Promise<void>;
}

/**
 * Loses nothing when its processes are killed: what is committed was given to the operating system.
 * `synchronous_commit: off` would not do, for it keeps commits in the server's own memory for a moment.
 */
const SETTINGS = {
  fsync: "off",
  full_page_writes: "off",
  synchronous_commit: "on",
  max_connections: "200",
  shared_buffers: "64MB",
};

const HISTORY = `CREATE TABLE chaos_history (LIKE mesh.applied,
  place bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL DEFAULT clock_timestamp(),
  backend text NOT NULL DEFAULT concat(pg_backend_pid(), ' ', current_setting('application_name'), ' in ', pg_current_xact_id()));
CREATE FUNCTION chaos_remember() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
  INSERT INTO public.chaos_history (entity, entity_id, version, versioned, deleted, stream_seq)
  VALUES (NEW.entity, NEW.entity_id, NEW.version, NEW.versioned, NEW.deleted, NEW.stream_seq);
  RETURN NULL;
END $$;
CREATE TRIGGER chaos_remember AFTER INSERT OR UPDATE ON mesh.applied FOR EACH ROW EXECUTE FUNCTION chaos_remember()`;

/** `generated`: of the project whose services are to run on them. Their owners have migrated them. */
export async function startDatabases(generated: string): Promise<Databases> {
  const server = await startPostgres(SETTINGS);
  const roled = new Map<ServiceName, RoledDatabase>();
  for (const service of SERVICES) {
    const database = await giveRoles(await server.createDatabase(nameOf(service)), service, { generated });
    await migrateAs(database.owner, service, { ...database, generated });
    roled.set(service, database);
  }
  const url = (service: ServiceName, port: number) => {
    const target = new URL(roled.get(service)?.service ?? "");
    target.port = String(port);
    return target.href;
  };
  const port = Number(new URL(server.url).port);
  const pools = Object.fromEntries(
    SERVICES.map((service) => [service, openPool(roled.get(service)?.admin ?? "")]),
  ) as Record<ServiceName, pg.Pool>;
  const admin = <T>(work: (client: pg.Client) => Promise<T>) => asAdmin(server.url, work);
  return {
    server,
    port,
    pools,
    url,
    async keepHistory() {
      for (const service of SERVICES) await pools[service].query(HISTORY);
    },
    async history(service, source, id) {
      const { rows } = await pools[service].query<object>(
        `SELECT to_char(at, 'HH24:MI:SS.MS') AS at, backend, version, versioned, deleted, stream_seq FROM chaos_history
         WHERE entity = $1 AND entity_id = $2 ORDER BY place DESC LIMIT 12`,
        [source, id],
      );
      return rows.reverse();
    },
    backUp: (service) =>
      admin((client) =>
        whileClosed(client, nameOf(service), async () => {
          await client.query(`DROP DATABASE IF EXISTS ${copyOf(service)}`);
          await client.query(`CREATE DATABASE ${copyOf(service)} TEMPLATE ${nameOf(service)}`);
        }),
      ),
    restore: (service) =>
      admin((client) =>
        whileClosed(client, nameOf(service), async () => {
          await client.query(`DROP DATABASE ${nameOf(service)}`);
          await client.query(`CREATE DATABASE ${nameOf(service)} TEMPLATE ${copyOf(service)}`);
          await client.query(`DROP DATABASE ${copyOf(service)}`);
        }),
      ),
    now: async () => {
      const { rows } = await pools.auth.query<{ now: Date }>("SELECT clock_timestamp()::timestamptz AS now");
      return rows[0]?.now ?? new Date();
    },
    async stop() {
      await Promise.all(Object.values(pools).map((pool) => pool.end().catch(() => undefined)));
      await server.remove();
    },
  };
}

function nameOf(service: ServiceName): string {
  return `${service}_db`;
}

function copyOf(service: ServiceName): string {
  return `${service}_backup`;
}

function openPool(connectionString: string): pg.Pool {
  const pool = new pg.Pool({
    connectionString,
    max: 4,
    connectionTimeoutMillis: 5_000,
    options: "-c TimeZone=UTC -c statement_timeout=10000",
  });
  // Connections break as often as the server is killed.
  pool.on("error", () => undefined);
  pool.on("connect", (client) => client.on("error", () => undefined));
  return pool;
}

async function asAdmin<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function whileClosed(client: pg.Client, database: string, work: () => Promise<void>): Promise<void> {
  await client.query(`ALTER DATABASE ${database} ALLOW_CONNECTIONS false`);
  try {
    // Terminated backends take a moment to end.
    for (let tries = 0; tries < 200; tries += 1) {
      const { rowCount } = await client.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1",
        [database],
      );
      if (rowCount === 0) break;
      await new Promise((wake) => setTimeout(wake, 25));
    }
    await work();
  } finally {
    await client.query(`ALTER DATABASE ${database} ALLOW_CONNECTIONS true`);
  }
}
