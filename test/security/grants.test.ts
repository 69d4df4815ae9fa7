import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { meshMigrations } from "../../runtime/schema/files.js";
import type { Migration } from "../../runtime/schema/index.js";
import { MAY, rightsOf, stateOf } from "../support/database-rights.js";
import {
  createRoledDatabase,
  giveRoles,
  grantsSql,
  migrateAs,
  type RoledDatabase,
  readRoles,
  tablesOf,
  withClient,
} from "../support/roles.js";
import { createDatabase } from "../support/servers.js";
import { findBareCalls } from "../support/sql-calls.js";

/*
 * The rights of a service's role, one by one: as the emitted files grant them, and as they become where somebody else
 * has made the database.
 */

describe.each(["owner", "superuser"] as const)("in a database that its %s migrated, the role", (migrator) => {
  let database: RoledDatabase;
  let admin: pg.Client;

  beforeAll(async () => {
    database = await createRoledDatabase(inject("postgres"), "sfs");
    await migrateAs(migrator === "owner" ? database.owner : database.admin, "sfs", database);
    admin = new pg.Client({ connectionString: database.admin });
    await admin.connect();
  });
  afterAll(() => admin.end());

  test("may do exactly this", async () => {
    expect(await rightsOf(admin, database.roles.service)).toEqual(MAY);
  });

  test("does not have what somebody has granted by default to everybody", async () => {
    const before = await stateOf(admin);
    const [role, owner] = [database.roles.service, database.roles.owner].map((name) =>
      admin.escapeIdentifier(name),
    );
    const maker = migrator === "owner" ? owner : "postgres";
    await admin.query(`ALTER DEFAULT PRIVILEGES FOR ROLE ${maker} GRANT ALL ON TABLES TO ${role}, PUBLIC;
      ALTER DEFAULT PRIVILEGES FOR ROLE ${maker} GRANT ALL ON FUNCTIONS TO ${role}`);
    await withClient(migrator === "owner" ? database.owner : database.admin, async (client) => {
      const { rows } = await client.query<{ text: string; triggers: string }>(
        `SELECT pg_get_functiondef('mesh.on_files'::regproc) AS text, string_agg(pg_get_triggerdef(oid), ';') AS triggers
         FROM pg_trigger WHERE tgfoid = 'mesh.on_files'::regproc`,
      );
      // As a migration makes a function, and the runtime a table of its own.
      await client.query(`DROP FUNCTION mesh.on_files() CASCADE;
        ${rows[0]?.text}; SELECT mesh.keep_private('mesh.on_files()');
        CREATE TABLE mesh.of_tomorrow (name TEXT)`);
      const made = await rightsOf(client, database.roles.service);
      expect(made.filter((line) => line.includes("on_files"))).toEqual([]);
      await client.query(grantsSql(database.grants));
      expect(await rightsOf(client, database.roles.service)).toEqual(MAY);
      await client.query(`DROP TABLE mesh.of_tomorrow; ${rows[0]?.triggers}`);
    });
    await admin.query(`ALTER DEFAULT PRIVILEGES FOR ROLE ${maker} REVOKE ALL ON TABLES FROM ${role}, PUBLIC;
      ALTER DEFAULT PRIVILEGES FOR ROLE ${maker} REVOKE ALL ON FUNCTIONS FROM ${role}`);
    expect(await stateOf(admin)).toEqual(before);
  });
});

test("rights are granted to no role but the service's: not to everybody, and not to the owner", async () => {
  const database = await createRoledDatabase(inject("postgres"), "sfs");
  await migrateAs(database.owner, "sfs", database);
  await withClient(database.owner, async (client) => {
    const before = await stateOf(client);
    for (const role of ["public", "nobody", database.roles.owner]) {
      await expect(client.query(grantsSql({ ...database.grants, role }))).rejects.toMatchObject({
        code: "42704",
        hint: "roles.sql, run by an administrator, makes the role that a service runs as.",
      });
    }
    expect(await stateOf(client)).toEqual(before);
  });
});

test("a table in a schema that somebody else made is the owner's, and granted with its schema", async () => {
  const table = '"Sales Data"."Order Lines"';
  const url = await createDatabase(inject("postgres"), "schemas");
  const name = new URL(url).pathname.slice(1);
  const sql = readRoles("sfs", name).replaceAll("ARRAY['files'", `ARRAY['${table}', 'files'`);
  const grants = { role: `${name}_service`, tables: [table, ...tablesOf("sfs")] };
  await withClient(url, async (client) => {
    await client.query(`CREATE SCHEMA "Sales Data"; CREATE TABLE ${table} (id TEXT PRIMARY KEY)`);
    await client.query(sql);
    await client.query(`ALTER ROLE "${name}_owner" PASSWORD 'x'; ALTER ROLE "${name}_service" PASSWORD 'x'`);
  });
  const as = (role: string) => Object.assign(new URL(url), { username: role, password: "x" }).href;
  expect(await migrateAs(as(`${name}_owner`), "sfs", { grants })).toMatchObject({ granted: true });
  await withClient(as(`${name}_owner`), (client) => client.query(`CREATE INDEX ON ${table} (id)`));
  await withClient(as(`${name}_service`), async (client) => {
    await client.query(`INSERT INTO ${table} VALUES ('a')`);
    await expect(client.query('CREATE TABLE "Sales Data".mine ()')).rejects.toMatchObject({ code: "42501" });
  });
});

test("roles.sql refuses a database that is not of the mesh", async () => {
  const url = await createDatabase(inject("postgres"), "stranger");
  await withClient(url, async (client) => {
    await expect(client.query(readRoles("sfs", "sfs_db"))).rejects.toMatchObject({
      message: `"${new URL(url).pathname.slice(1)}" is no database of this mesh`,
      hint: expect.stringMatching(
        /^Connect to one of: auth_db, compute_db, gateway_db, sfs_db; if this is one of them: sed /,
      ),
    });
  });
});

test("the runtime writes only what it is granted", () => {
  const folder = fileURLToPath(new URL("../../runtime/", import.meta.url));
  // Migrations are the owner's.
  const sources = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
    (path) => path.endsWith(".ts") && !/^(dist|schema)\//.test(path),
  );
  const text = sources.map((path) => readFileSync(`${folder}/${path}`, "utf8")).join("\n");
  const needed = new Set([
    ...[...text.matchAll(/(INSERT) INTO mesh\.(\w+)/g)].map(([, verb, table]) => `${table} ${verb}`),
    ...[...text.matchAll(/(DELETE) FROM mesh\.(\w+)/g)].map(([, verb, table]) => `${table} ${verb}`),
    ...[...text.matchAll(/(UPDATE) mesh\.(\w+)/g)].map(([, verb, table]) => `${table} ${verb}`),
    ...[...text.matchAll(/(?:FROM|JOIN) mesh\.(\w+)\b(?!\()/g)].map(([, table]) => `${table} SELECT`),
    ...[...text.matchAll(/mesh\.(\w+)\(\$/g)].map(([, name]) => `${name} EXECUTE`),
  ]);
  expect(needed.size).toBeGreaterThan(30);
  const granted = new Set(
    MAY.flatMap((line) => {
      const [kind, name = "", ...verbs] = line
        .replaceAll(/ \([^)]*\)| AS OWNER$/g, "")
        .split(/ |\((?=.*\)$)/);
      const bare = name.replace(/^mesh\./, "");
      return kind === "function" ? [`${bare} EXECUTE`] : verbs.map((verb) => `${bare} ${verb}`);
    }),
  );
  expect([...needed].filter((need) => !granted.has(need))).toEqual([]);
});

/** Better matches for our arguments than PostgreSQL's own functions, which take any array or element. */
const SHADOWS = ["text[]", "name[]", "bigint[]"].map(
  (type) => (body: string) =>
    `CREATE FUNCTION public.unnest(${type}) RETURNS SETOF ${type.slice(0, -2)} LANGUAGE plpgsql AS $$ BEGIN ${body}; END $$`,
);

/** unnest of arrays whose number is that of columns: one is called by its schema, several are syntax. */
const ALLOWED = [
  "runtime/database/key.ts: unnest(",
  "runtime/inbox/row-statements.ts: unnest(",
  // Types.
  "runtime/values/column-types.ts: varchar(",
  "runtime/values/column-types.ts: numeric(",
  "runtime/values/column-types.ts: char(",
];

test("an owner's functions, views and casts become no superuser's by roles.sql, which is run again", async () => {
  const database = await createRoledDatabase(inject("postgres"), "sfs");
  await migrateAs(database.owner, "sfs", database);
  const { owner } = database.roles;
  const rise = `EXECUTE 'ALTER ROLE "${owner}" SUPERUSER'`;
  await withClient(database.owner, async (client) => {
    for (const shadow of SHADOWS) await client.query(shadow(rise));
    await client.query(`
      CREATE FUNCTION public.format(text, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN ${rise}; RETURN $1; END $$;
      CREATE FUNCTION public.rise() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN ${rise}; RETURN true; END $$;
      CREATE DOMAIN public.oid AS pg_catalog.oid CHECK (public.rise());
      CREATE DOMAIN public.bool AS pg_catalog.bool CHECK (public.rise());
      DROP TABLE mesh.custom_relation;
      CREATE VIEW mesh.custom_relation AS SELECT 'public.files'::text AS name WHERE public.rise();
      ALTER DATABASE "${database.name}" SET search_path = public, pg_catalog`);
  });
  await withClient(database.admin, async (client) => {
    await client.query(readRoles("sfs", database.name));
    const { rows } = await client.query("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = $1", [
      owner,
    ]);
    expect(rows).toEqual([{ rolsuper: false }]);
  });
});

test("an owner gets no table of another by naming it among what its own SQL has made", async () => {
  const database = await createRoledDatabase(inject("postgres"), "sfs");
  await migrateAs(database.owner, "sfs", database);
  await withClient(database.admin, async (client) => {
    await client.query("CREATE TABLE public.foreign_rows (id TEXT)");
    await client.query("INSERT INTO mesh.custom_relation VALUES ('public.foreign_rows')");
    await client.query(readRoles("sfs", database.name));
    const { rows } = await client.query(
      "SELECT relowner::regrole::text AS owner FROM pg_class WHERE relname = 'foreign_rows'",
    );
    expect(rows).toEqual([{ owner: "postgres" }]);
  });
});

test("nor is its service granted what is another's, where a superuser calls mesh.grant_service", async () => {
  const database = await createRoledDatabase(inject("postgres"), "sfs");
  await migrateAs(database.owner, "sfs", database);
  await withClient(database.admin, async (client) => {
    await client.query("CREATE TABLE public.foreign_rows (id TEXT); CREATE TABLE public.own_rows (id TEXT)");
    await client.query(`ALTER TABLE public.own_rows OWNER TO "${database.roles.owner}"`);
    await client.query(
      "INSERT INTO mesh.custom_relation VALUES ('public.foreign_rows'), ('public.own_rows')",
    );
    await client.query("SELECT mesh.grant_service($1, '{}')", [database.roles.service]);
    const { rows } = await client.query(
      "SELECT has_table_privilege($1, 'foreign_rows', 'SELECT') AS foreign, has_table_privilege($1, 'own_rows', 'SELECT') AS own",
      [database.roles.service],
    );
    expect(rows).toEqual([{ foreign: false, own: true }]);
  });
});

test("a schema is closed to the service's role with the last table that is released in it", async () => {
  const database = await createRoledDatabase(inject("postgres"), "sfs");
  await migrateAs(database.owner, "sfs", database);
  const { service } = database.roles;
  await withClient(database.owner, async (client) => {
    await client.query(
      "CREATE SCHEMA far; CREATE TABLE far.a (id TEXT); CREATE TABLE far.b (id TEXT); INSERT INTO mesh.place VALUES ('far', 'a', true), ('far', 'b', true)",
    );
    await client.query("SELECT mesh.grant_service($1, '{far.a,far.b}')", [service]);
    const isOpen = async () =>
      (await client.query("SELECT has_schema_privilege($1, 'far', 'USAGE') AS is", [service])).rows[0]?.is;
    expect(await isOpen()).toBe(true);
    await client.query("SELECT mesh.forget_place('far', 'a')");
    expect(await isOpen()).toBe(true);
    await client.query("DROP TABLE far.b; SELECT mesh.forget_place('far', 'b')");
    expect(await isOpen()).toBe(false);
  });
});

test("functions of the name of PostgreSQL's, which were there before, hinder neither roles.sql nor migrations", async () => {
  const url = await createDatabase(inject("postgres"), "legacy");
  await withClient(url, async (client) => {
    for (const shadow of SHADOWS.filter((_, index) => index === 0)) await client.query(shadow("RETURN"));
    await client.query(`
      CREATE FUNCTION public.quote_ident(name) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'captured'; END $$;
      CREATE FUNCTION public.make_interval(secs integer) RETURNS interval LANGUAGE plpgsql AS $$ BEGIN RAISE 'captured'; END $$`);
  });
  const database = await giveRoles(url, "sfs");
  expect(await migrateAs(database.owner, "sfs", database)).toMatchObject({ granted: true });
  await withClient(database.service, async (client) => {
    await client.query("INSERT INTO namespaces (namespace_id, name) VALUES ('n', 'N')");
    const { rows } = await client.query("SELECT subject FROM mesh.outbox");
    expect(rows).toEqual([{ subject: "sfs.namespace.n.created" }]);
  });
});

test("the SQL of runtime and templates calls PostgreSQL's functions by their schema", async () => {
  const names = await withClient(inject("postgres"), (client) =>
    client.query<{ name: string }>(
      "SELECT DISTINCT proname AS name FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace",
    ),
  );
  const found = findBareCalls(new Set(names.rows.map(({ name }) => name)));
  expect(found.filter((call) => !ALLOWED.some((allowed) => call.startsWith(allowed)))).toEqual([]);
  expect(ALLOWED.filter((allowed) => !found.some((call) => call.startsWith(allowed)))).toEqual([]);
});

describe("a database that was made by somebody else than its owner", () => {
  /** To a role that no roles.sql names. */
  const grantAll = (role: string) => `CREATE ROLE ${role} LOGIN PASSWORD 'x';
    GRANT USAGE ON SCHEMA public, mesh TO ${role};
    GRANT SELECT, INSERT, UPDATE, DELETE ON namespaces, files, user_cache TO ${role};
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA mesh TO ${role};
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA mesh TO ${role}`;

  async function openOld(): Promise<{ readonly url: string; readonly role: string }> {
    const url = await createDatabase(inject("postgres"), "old");
    await migrateAs(url, "sfs");
    const role = `${new URL(url).pathname.slice(1)}_role`;
    await withClient(url, (client) => client.query(grantAll(role)));
    return { url, role };
  }

  test("is migrated by nobody who does not own it, and says what is to be done", async () => {
    const { url, role } = await openOld();
    await withClient(url, (client) => client.query(`GRANT ALL ON SCHEMA mesh, public TO ${role}`));
    const former = new URL(url);
    [former.username, former.password] = [role, "x"];
    await withClient(url, (client) => client.query(`GRANT ALL ON ALL TABLES IN SCHEMA mesh TO ${role}`));
    const next = {
      name: "mesh/0002_next",
      path: "mesh/0002_next",
      text: "ALTER TABLE mesh.seen ADD COLUMN x INTEGER;",
    };
    (meshMigrations as Migration[]).push(next);
    await expect(
      migrateAs(former.href, "sfs").finally(() => (meshMigrations as Migration[]).pop()),
    ).rejects.toThrow(
      /mesh\/0002_next failed and was rolled back: must be owner of .*roles\.sql, run by an administrator, gives it to the owner/,
    );
  });

  test("becomes the owner's by roles.sql, which may be run again", async () => {
    const { url } = await openOld();
    const name = new URL(url).pathname.slice(1);
    const sql = readRoles("sfs", name);
    await withClient(url, async (client) => {
      await client.query(sql);
      const state = await stateOf(client);
      await client.query(sql);
      expect(await stateOf(client)).toEqual(state);
      const { rows } = await client.query(
        `SELECT DISTINCT owner::regrole::text FROM (
           SELECT relowner FROM pg_class WHERE relnamespace = 'mesh'::regnamespace OR oid = 'namespaces'::regclass
           UNION SELECT proowner FROM pg_proc WHERE pronamespace = 'mesh'::regnamespace
           UNION SELECT datdba FROM pg_database WHERE datname = current_database()) AS owners (owner)`,
      );
      expect(rows).toEqual([{ owner: `${name}_owner` }]);
      await client.query(`ALTER ROLE "${name}_owner" PASSWORD 'x'`);
    });
    const owner = new URL(url);
    [owner.username, owner.password] = [`${name}_owner`, "x"];
    const grants = { role: `${name}_service`, tables: tablesOf("sfs") };
    expect(await migrateAs(owner.href, "sfs", { grants })).toMatchObject({ granted: true });
    await withClient(url, async (client) => {
      expect(await rightsOf(client, `${name}_service`)).toEqual(MAY);
    });
  });
});
