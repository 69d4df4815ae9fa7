import { randomUUID } from "node:crypto";
import pg from "pg";
import { inject } from "vitest";
import { authService } from "../../generated/auth/service.js";
import { type SfsHooks, sfsService } from "../../generated/sfs/service.js";
import type { ServiceDefinition } from "../../runtime/definition/service-definition.js";
import { requestResync } from "../../runtime/operate/request-resync.js";
import { type RunningService, startService } from "../../runtime/service/start.js";
import { compile, readMesh } from "./compile.js";
import { referenceKeys } from "./keys.js";
import { recordingLogger } from "./loggers.js";
import { startMeshBroker } from "./mesh-broker.js";
import { createRoledDatabase, migrateAs } from "./roles.js";
import { createDatabase, freePort, type TestNats, waitFor } from "./servers.js";

/*
 * An owner and a copy of it: Auth and SFS of the reference mesh, whole services, in this process. Broker and
 * databases are real, and each can be stopped, cut and put back to what it was.
 */

export type Name = "auth" | "sfs";

export interface User {
  readonly user_id: string;
  readonly username: string;
}

export interface Pair {
  readonly nats: TestNats;
  /** The test's own connections, not the services'. */
  readonly pools: Readonly<Record<Name, pg.Pool>>;
  start(name: Name): Promise<void>;
  stop(name: Name): Promise<void>;
  /** Runs SQL in the owner's database. */
  write(sql: string, ...values: readonly unknown[]): Promise<void>;
  source(): Promise<readonly User[]>;
  cache(): Promise<readonly User[]>;
  /** Resolves when the cache equals its source. */
  converged(timeoutMs?: number): Promise<void>;
  /** Resolves when the owner's outbox is empty. */
  published(): Promise<void>;
  /** As `mesh resync sfs`. */
  resync(): Promise<void>;
  /** Backs the service's database up. The returned function restores it; the service must be stopped by then. */
  backUp(name: Name): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

export interface PairOptions {
  readonly hooks?: SfsHooks;
  /** Changes a definition before the service runs it, such as periods that are too long for a test. */
  readonly tune?: (definition: ServiceDefinition) => ServiceDefinition;
}

export async function openPair({ hooks, tune = (same) => same }: PairOptions = {}): Promise<Pair> {
  const broker = await startMeshBroker({
    mesh: compile(readMesh("mesh.yaml")),
    permissions: readMesh("generated/nats.conf"),
  });
  await broker.keepProvisioned();
  const postgres = inject("postgres");
  const made = {
    auth: await createRoledDatabase(postgres, "auth"),
    sfs: await createRoledDatabase(postgres, "sfs"),
  };
  for (const name of ["auth", "sfs"] as const) await migrateAs(made[name].owner, name, made[name]);
  const urls = { auth: made.auth.admin, sfs: made.sfs.admin };
  const pools = { auth: openPool(urls.auth), sfs: openPool(urls.sfs) };
  const ports = { auth: await freePort(), sfs: await freePort() };
  const key = randomUUID();
  const running = new Map<Name, RunningService>();
  const env = {
    ...referenceKeys(key),
    AUTH_DB_URL: made.auth.service,
    SFS_DB_URL: made.sfs.service,
    AUTH_SERVICE_URL: `http://127.0.0.1:${ports.auth}`,
  };
  const definitions = { auth: () => authService(), sfs: () => sfsService(hooks) };
  const stop = async (name: Name) => {
    await running.get(name)?.stop();
    running.delete(name);
  };
  const source = () => read(pools.auth, "SELECT user_id, username FROM users ORDER BY user_id");
  const cache = () => read(pools.sfs, "SELECT user_id, username FROM user_cache ORDER BY user_id");
  return {
    nats: broker.nats,
    pools,
    async start(name) {
      const options = { logger: recordingLogger() };
      const service = await startService(
        tune(definitions[name]()),
        { ...env, ...broker.environment(name), PORT: String(ports[name]) },
        options,
      );
      running.set(name, service);
      await service.ready;
    },
    stop,
    async write(sql, ...values) {
      await pools.auth.query(sql, [...values]);
    },
    source,
    cache,
    async converged(timeoutMs = 15_000) {
      let sides = "";
      const equal = async () => {
        const [there, here] = [JSON.stringify(await source()), JSON.stringify(await cache())];
        sides = `source ${there}, cache ${here}`;
        return there === here;
      };
      await waitFor(equal, { timeoutMs, what: "the cache to equal its source" }).catch((cause: Error) => {
        throw new Error(`${cause.message}; ${sides}`, { cause });
      });
    },
    async published() {
      const left = () => pools.auth.query("SELECT FROM mesh.outbox");
      await waitFor(async () => (await left()).rowCount === 0, { what: "an empty outbox" });
    },
    async resync() {
      const [result] = await requestResync({ url: `http://127.0.0.1:${ports.sfs}`, operatorKey: key });
      if (result?.report === undefined) throw new Error(`no snapshot: ${result?.error}`);
    },
    backUp: (name) => backUp(postgres, urls[name]),
    async close() {
      await Promise.all([stop("auth"), stop("sfs")]);
      await Promise.all([pools.auth.end(), pools.sfs.end()]);
      await broker.remove();
    },
  };
}

function openPool(url: string): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max: 4 });
  // Databases are dropped and created while the pool is open.
  pool.on("error", () => undefined);
  return pool;
}

async function read(pool: pg.Pool, sql: string): Promise<readonly User[]> {
  return (await pool.query<User>(sql)).rows;
}

/** Copies a database. The returned function replaces the database by the copy, as restoring a backup does. */
async function backUp(postgres: string, url: string): Promise<() => Promise<void>> {
  const name = new URL(url).pathname.slice(1);
  const kept = new URL(await createDatabase(postgres, "backup")).pathname.slice(1);
  await replaceDatabase(postgres, { name: kept, by: name });
  return () => replaceDatabase(postgres, { name, by: kept });
}

async function replaceDatabase(
  postgres: string,
  { name, by }: { readonly name: string; readonly by: string },
): Promise<void> {
  const admin = new pg.Client({ connectionString: postgres });
  await admin.connect();
  try {
    await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
    // A template database must have no sessions, and terminated ones reconnect.
    await waitFor(async () => {
      await admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", [by]);
      return await admin.query(`CREATE DATABASE ${name} TEMPLATE ${by}`);
    });
  } finally {
    await admin.end();
  }
}
