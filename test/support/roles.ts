import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { type Grants, type MigrationReport, migrate } from "../../runtime/schema/index.js";
import { silent } from "./loggers.js";
import { createDatabase } from "./servers.js";

/*
 * Databases as the emitted roles.sql makes them: an owner, and a role that the service runs as.
 */

const GENERATED = fileURLToPath(new URL("../../generated/", import.meta.url));

export interface RoledDatabase {
  readonly name: string;
  /** Superuser. */
  readonly admin: string;
  readonly owner: string;
  readonly service: string;
  readonly roles: { readonly owner: string; readonly service: string };
  readonly grants: Grants;
}

export interface RolesOptions {
  /** Folder of the generated files. */
  readonly generated?: string;
  /** The emitted role names instead of names from the database's name. Roles are server-wide, and tests share a server. */
  readonly namesAsEmitted?: boolean;
}

/** The emitted roles.sql for a database of another name. */
export function readRoles(
  service: string,
  database: string,
  { generated = GENERATED, namesAsEmitted = false }: RolesOptions = {},
): string {
  const sql = readFileSync(join(generated, "roles.sql"), "utf8").replaceAll(
    `'${service}_db'`,
    `'${database}'`,
  );
  if (namesAsEmitted) return sql;
  return sql
    .replaceAll(`'${service}_owner'`, `'${database}_owner'`)
    .replaceAll(`'${service}_service'`, `'${database}_service'`);
}

/** What the service's migrations make for it to read and write. */
export function tablesOf(service: string, { generated = GENERATED }: RolesOptions = {}): readonly string[] {
  const row = readFileSync(join(generated, "roles.sql"), "utf8")
    .split("\n")
    .find((line) => line.includes(`'${service}_db'`) && line.includes("ARRAY["));
  return [...(/ARRAY\[([^\]]*)\]/.exec(row ?? "")?.[1] ?? "").matchAll(/'(\w+)'/g)].map(
    ([, name = ""]) => name,
  );
}

/** As the owner grants the service's role what it needs. */
export function grantsSql({ role, tables }: Grants): string {
  return `SELECT mesh.grant_service('${role}', ARRAY[${tables.map((name) => `'${name}'`).join(", ")}])`;
}

/** A new, empty database with the roles of one of the reference mesh's services. */
export async function createRoledDatabase(
  adminUrl: string,
  service: string,
  options: RolesOptions = {},
): Promise<RoledDatabase> {
  return await giveRoles(await createDatabase(adminUrl, `${service}_db`), service, options);
}

/** The same for an existing database, given by a superuser's URL. */
export async function giveRoles(
  admin: string,
  service: string,
  options: RolesOptions = {},
): Promise<RoledDatabase> {
  const name = new URL(admin).pathname.slice(1);
  const called = options.namesAsEmitted === true ? service : name;
  const roles = { owner: `${called}_owner`, service: `${called}_service` };
  const password = randomBytes(9).toString("base64url");
  const shared = new URL(admin);
  shared.pathname = "/postgres";
  // Each call closes the same two databases. Advisory locks are per database, so all take this one in one database.
  await withClient(shared.href, async (lock) => {
    await lock.query("SELECT pg_advisory_lock(1919905395)");
    await withClient(admin, async (client) => {
      await client.query(readRoles(service, name, options));
      for (const role of Object.values(roles))
        await client.query(`ALTER ROLE ${client.escapeIdentifier(role)} PASSWORD '${password}'`);
    });
  });
  return {
    name,
    admin,
    owner: withLogin(admin, roles.owner, password),
    service: withLogin(admin, roles.service, password),
    roles,
    grants: { role: roles.service, tables: tablesOf(service, options) },
  };
}

export interface MigrateAsOptions {
  readonly grants?: Grants;
  readonly generated?: string;
}

/** As `mesh migrate`: applies the files, then the grants. */
export async function migrateAs(
  url: string,
  service: string,
  { grants, generated = GENERATED }: MigrateAsOptions = {},
): Promise<MigrationReport> {
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  pool.on("error", () => undefined);
  const migrations = join(generated, service, "migrations");
  try {
    return await migrate(pool, { service, migrations, logger: silent, ...(grants && { grants }) });
  } finally {
    await pool.end();
  }
}

export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

function withLogin(url: string, user: string, password: string): string {
  const changed = new URL(url);
  changed.username = encodeURIComponent(user);
  changed.password = password;
  return changed.href;
}
