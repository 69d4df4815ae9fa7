import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { stateOf } from "../support/database-rights.js";
import {
  createRoledDatabase,
  grantsSql,
  migrateAs,
  type RoledDatabase,
  withClient,
} from "../support/roles.js";

/*
 * What somebody can do who has the password of a service's role: read and write the service's rows, and no more. On a
 * real server, under the emitted roles.sql and the grants of a migration; migrated by the owner, as it should be, and by a superuser.
 */

const DENIED = "42501";
const WRONG_TABLE = "39P01";

/** A type whose cast to json, which every emitting function makes, runs as whoever casts. */
const TRAP = `
CREATE TYPE pg_temp.trap AS ENUM ('x');
CREATE FUNCTION pg_temp.spring(pg_temp.trap) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE 'ALTER TABLE public.files DISABLE TRIGGER USER';
  EXECUTE 'CREATE TABLE public.pwned AS SELECT current_user::text AS who';
  RETURN 'null';
END $$;
CREATE CAST (pg_temp.trap AS json) WITH FUNCTION pg_temp.spring(pg_temp.trap);
`;

/** A table with the real one's name and columns, but another type for the payload's column. */
const BAIT = `
CREATE TEMPORARY TABLE namespaces (LIKE public.namespaces);
ALTER TABLE pg_temp.namespaces ALTER name TYPE pg_temp.trap USING 'x'::pg_temp.trap;
`;

const FIRE = "INSERT INTO pg_temp.namespaces VALUES ('n', 'x', 'o', 'private', now())";

function trigger(routine: string): string {
  return `CREATE TRIGGER bait AFTER INSERT ON pg_temp.namespaces REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION ${routine}`;
}

describe.each(["owner", "superuser"] as const)(
  "the service's role in a database that its %s migrated",
  (migrator) => {
    let database: RoledDatabase;
    let other: RoledDatabase;
    let admin: pg.Client;
    let role = "";
    let owner = "";

    beforeAll(async () => {
      database = await createRoledDatabase(inject("postgres"), "sfs");
      other = await createRoledDatabase(inject("postgres"), "auth");
      await migrateAs(migrator === "owner" ? database.owner : database.admin, "sfs", database);
      admin = new pg.Client({ connectionString: database.admin });
      await admin.connect();
      role = admin.escapeIdentifier(database.roles.service);
      owner = admin.escapeIdentifier(database.roles.owner);
    });
    afterAll(() => admin.end());

    const asRole = <T>(work: (client: pg.Client) => Promise<T>) => withClient(database.service, work);

    const codeOf = (attempt: Promise<unknown>) =>
      attempt.then(
        () => "done",
        (error: { readonly code?: string }) => error.code,
      );

    async function definers(): Promise<readonly string[]> {
      const { rows } = await admin.query<{ name: string }>(
        `SELECT oid::regprocedure::text AS name FROM pg_proc
       WHERE prosecdef AND pronamespace = 'mesh'::regnamespace AND prorettype = 'trigger'::regtype ORDER BY 1`,
      );
      return rows.map(({ name }) => name);
    }

    test("no function that runs as its owner can be made a trigger of the role's own table", async () => {
      const routines = await definers();
      expect(routines).toEqual(["mesh.guard_update()", "mesh.on_files()", "mesh.on_namespaces()"]);
      await asRole(async (client) => {
        await client.query(TRAP + BAIT);
        for (const routine of routines) {
          expect(await codeOf(client.query(trigger(routine))), routine).toBe(DENIED);
          const perRow = `CREATE TRIGGER bait AFTER INSERT OR UPDATE ON pg_temp.namespaces FOR EACH ROW EXECUTE FUNCTION ${routine}`;
          expect(await codeOf(client.query(perRow)), routine).toBe(DENIED);
        }
      });
    });

    test("where somebody grants them all the same, they work for their own table alone", async () => {
      const before = await stateOf(admin);
      await admin.query(`GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA mesh TO ${role}`);
      for (const routine of await definers()) {
        await asRole(async (client) => {
          await client.query(`${TRAP + BAIT}; ${trigger(routine)}`);
          expect(await codeOf(client.query(FIRE)), routine).toBe(WRONG_TABLE);
        });
      }
      // Also fired for their own kind of rows, under another name and in another schema.
      await admin.query(`BEGIN; CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.namespaces (LIKE public.namespaces);
      CREATE TRIGGER bait AFTER INSERT ON elsewhere.namespaces REFERENCING NEW TABLE AS new_rows
        FOR EACH STATEMENT EXECUTE FUNCTION mesh.on_namespaces()`);
      const fired = admin.query("INSERT INTO elsewhere.namespaces VALUES ('n', 'n', 'o', 'private', now())");
      expect(await codeOf(fired)).toBe(WRONG_TABLE);
      await admin.query("ROLLBACK");
      await admin.query(grantsSql(database.grants));
      expect(await stateOf(admin)).toEqual(before);
    });

    test("the attack is one: without grants and guard it is the migrator's rights that it has", async () => {
      const before = await stateOf(admin);
      const { rows: guard } = await admin.query<{ text: string }>(
        "SELECT pg_get_functiondef('mesh.refuse_table'::regproc) AS text",
      );
      await admin.query(`GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA mesh TO ${role};
      CREATE OR REPLACE FUNCTION mesh.refuse_table(own_table NAME, relation OID) RETURNS BOOLEAN LANGUAGE sql AS 'SELECT false'`);
      await asRole((client) => client.query(`${TRAP + BAIT}; ${trigger("mesh.on_namespaces()")}; ${FIRE}`));
      const { rows } = await admin.query("SELECT who FROM public.pwned");
      expect(rows).toEqual([{ who: migrator === "owner" ? database.roles.owner : "postgres" }]);
      await admin.query(
        "DROP TABLE public.pwned; ALTER TABLE public.files ENABLE TRIGGER USER; DELETE FROM mesh.outbox",
      );
      await admin.query(`${guard[0]?.text}; ${grantsSql(database.grants)}`);
      expect(await stateOf(admin)).toEqual(before);
    });

    const refused: readonly (readonly [what: string, sql: () => string])[] = [
      ["make tables", () => "CREATE TABLE public.mine ()"],
      ["make tables of the mesh", () => "CREATE TABLE mesh.mine ()"],
      ["make schemas", () => "CREATE SCHEMA mine"],
      ["make functions", () => "CREATE FUNCTION public.token(text) RETURNS text LANGUAGE sql AS 'SELECT $1'"],
      [
        "overload functions of the mesh",
        () => "CREATE FUNCTION mesh.token(varchar) RETURNS text LANGUAGE sql AS 'SELECT $1'",
      ],
      [
        "replace functions of the mesh",
        () => "CREATE OR REPLACE FUNCTION mesh.home() RETURNS text LANGUAGE sql AS $$SELECT 'x'$$",
      ],
      ["change functions of the mesh", () => "ALTER FUNCTION mesh.refuse_truncate() RESET ALL"],
      [
        "make casts between types that are not its own",
        () => "CREATE CAST (text AS json) WITH INOUT AS IMPLICIT",
      ],
      [
        "make operators",
        () => "CREATE OPERATOR public.|| (FUNCTION = textcat, LEFTARG = text, RIGHTARG = text)",
      ],
      ["add languages", () => "CREATE TRUSTED LANGUAGE mine HANDLER plpgsql_call_handler"],
      [
        "make event triggers",
        () => "CREATE EVENT TRIGGER mine ON ddl_command_end EXECUTE FUNCTION mesh.refuse_truncate()",
      ],
      ["make rules", () => "CREATE RULE mine AS ON INSERT TO namespaces DO INSTEAD NOTHING"],
      [
        "make triggers",
        () => "CREATE TRIGGER mine BEFORE INSERT ON namespaces EXECUTE FUNCTION mesh.refuse_truncate()",
      ],
      ["silence triggers", () => "ALTER TABLE namespaces DISABLE TRIGGER ALL"],
      ["drop triggers", () => "DROP TRIGGER on_insert ON namespaces"],
      ["change tables", () => "ALTER TABLE namespaces ADD COLUMN mine text"],
      ["drop tables", () => "DROP TABLE files"],
      ["truncate tables", () => "TRUNCATE files"],
      ["make indexes", () => "CREATE INDEX ON files ((upper(path)))"],
      ["inherit from tables", () => "CREATE TEMPORARY TABLE mine () INHERITS (files)"],
      ["make policies", () => "CREATE POLICY mine ON files USING (false)"],
      ["comment on tables", () => "COMMENT ON TABLE files IS 'mine'"],
      ["publish tables", () => "CREATE PUBLICATION mine FOR TABLE files"],
      ["fire no triggers", () => "SET session_replication_role = replica"],
      ["become the owner", () => `SET ROLE ${owner}`],
      ["become a superuser", () => "SET ROLE postgres"],
      ["be somebody else from the start", () => `SET SESSION AUTHORIZATION ${owner}`],
      ["join the owner", () => `GRANT ${owner} TO ${role}`],
      ["be more than it is", () => `ALTER ROLE ${role} CREATEROLE`],
      ["make roles", () => "CREATE ROLE mine"],
      ["set others' passwords", () => `ALTER ROLE ${owner} PASSWORD 'mine'`],
      ["set what others' sessions look for", () => `ALTER ROLE ${owner} SET search_path = pg_temp`],
      ["set what all sessions look for", () => `ALTER DATABASE "${database.name}" SET search_path = pg_temp`],
      [
        "grant what others will make",
        () => `ALTER DEFAULT PRIVILEGES FOR ROLE ${owner} GRANT ALL ON TABLES TO ${role}`,
      ],
      ["configure the server", () => "ALTER SYSTEM SET work_mem = '1GB'"],
      ["make databases", () => "CREATE DATABASE mine"],
      ["run programs", () => "COPY (SELECT 1) TO PROGRAM 'true'"],
      ["write files", () => "COPY (SELECT 1) TO '/tmp/mine'"],
      ["read files", () => "CREATE TEMPORARY TABLE mine (line text); COPY mine FROM '/etc/passwd'"],
      ["read files by function", () => "SELECT pg_read_file('/etc/passwd')"],
      ["list folders", () => "SELECT pg_ls_dir('/')"],
      ["take files as large objects", () => "SELECT lo_import('/etc/passwd')"],
      ["read passwords", () => "SELECT * FROM pg_authid"],
      ["forge the ledger", () => "INSERT INTO mesh.migration (name, sha256) VALUES ('x', 'y')"],
      ["change the ledger", () => "UPDATE mesh.migration SET sha256 = 'x'"],
      ["empty the ledger", () => "DELETE FROM mesh.migration"],
      ["lock the ledger", () => "BEGIN; LOCK TABLE mesh.migration IN EXCLUSIVE MODE"],
      ["empty the relay's row", () => "DELETE FROM mesh.relay"],
      ["add a relay's row", () => "INSERT INTO mesh.relay DEFAULT VALUES"],
      ["empty the broker's row", () => "DELETE FROM mesh.broker"],
      ["redirect events", () => "UPDATE mesh.outbox SET subject = 'auth.user.x.deleted'"],
      ["change dead letters", () => "UPDATE mesh.dead_letter SET body = ''"],
      ["forget subscriptions", () => "DELETE FROM mesh.subscription"],
      ["truncate the guard", () => "TRUNCATE mesh.applied"],
      ["call what triggers call", () => "SELECT mesh.refuse_deleted('auth.user', ARRAY['u'], 't', 'c')"],
      ["revoke", () => "SELECT mesh.keep_private('mesh.home()')"],
      ["make triggers", () => "SELECT mesh.attach('namespaces', 'mesh.on_namespaces()', 'on_insert')"],
      ["grant itself what a migration grants", () => grantsSql(database.grants)],
      [
        "end others' sessions",
        () => "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'",
      ],
    ];

    test.each(refused)("the role may not %s", async (_, sql) => {
      const code = await asRole((client) => codeOf(client.query(sql())));
      expect(code).toBe(DENIED);
    });

    test("what is not refused with an error changes nothing either", async () => {
      const before = await stateOf(admin);
      await asRole(async (client) => {
        for (const sql of [
          "GRANT ALL ON namespaces TO PUBLIC",
          "GRANT EXECUTE ON FUNCTION mesh.next_version(TEXT, TEXT) TO PUBLIC",
          `REVOKE ALL ON namespaces FROM ${owner} CASCADE`,
          `GRANT ALL ON DATABASE "${database.name}" TO PUBLIC`,
          "GRANT ALL ON SCHEMA public, mesh TO PUBLIC",
          "CREATE EXTENSION pgcrypto",
          "CREATE TEMPORARY TABLE mine (id text REFERENCES files)",
          "REASSIGN OWNED BY CURRENT_USER TO CURRENT_USER",
        ])
          await codeOf(client.query(sql));
      });
      expect(await stateOf(admin)).toEqual(before);
    });

    test("what it makes in its own session does not stand in for anything", async () => {
      await asRole(async (client) => {
        await client.query(`
        CREATE TEMPORARY TABLE stolen (what text);
        CREATE TEMPORARY TABLE outbox (LIKE mesh.outbox);
        CREATE TEMPORARY TABLE relay (minimum_version bigint, busy boolean);
        CREATE TEMPORARY TABLE new_rows (LIKE public.namespaces);
        CREATE FUNCTION pg_temp.steal(text) RETURNS text LANGUAGE plpgsql AS $$
          BEGIN INSERT INTO pg_temp.stolen VALUES (current_user); RETURN $1; END $$;
        CREATE FUNCTION pg_temp.token(text) RETURNS text LANGUAGE sql AS 'SELECT pg_temp.steal($1)';
        CREATE FUNCTION pg_temp.to_json(text) RETURNS json LANGUAGE sql AS 'SELECT to_json(pg_temp.steal($1))';
        CREATE FUNCTION pg_temp.format(text, VARIADIC text[]) RETURNS text LANGUAGE sql AS 'SELECT pg_temp.steal($1)';
        CREATE FUNCTION pg_temp.cat(text, text) RETURNS text LANGUAGE sql AS 'SELECT pg_temp.steal($1)';
        CREATE OPERATOR pg_temp.|| (FUNCTION = pg_temp.cat, LEFTARG = text, RIGHTARG = text);
        SET search_path = pg_temp, mesh, public, pg_catalog;
        INSERT INTO public.namespaces (namespace_id, name) VALUES ('mine', 'Mine')`);
        expect((await client.query("SELECT * FROM pg_temp.stolen")).rows).toEqual([]);
        expect((await client.query("SELECT count(*)::int FROM pg_temp.outbox")).rows).toEqual([{ count: 0 }]);
        const { rows } = await client.query("SELECT subject FROM mesh.outbox WHERE entity_id = 'mine'");
        expect(rows).toEqual([{ subject: "sfs.namespace.mine.created" }]);
        await client.query("DELETE FROM public.namespaces; DELETE FROM mesh.outbox");
      });
    });

    test.each(["postgres", "template1", "another service's"])(
      "it cannot enter the database: %s",
      async (which) => {
        const url = new URL(database.service);
        url.pathname = which.startsWith("another") ? `/${other.name}` : `/${which}`;
        expect(await codeOf(withClient(url.href, (client) => client.query("SELECT 1")))).toBe(DENIED);
      },
    );

    test("another role writes rows with their events, granted no more than the table", async () => {
      const writer = admin.escapeIdentifier(`${database.name}_writer`);
      await admin.query(
        `CREATE ROLE ${writer}; GRANT SELECT, INSERT, UPDATE, DELETE ON namespaces, files TO ${writer}`,
      );
      await admin.query("ALTER TABLE files ADD ratio double precision CHECK (mesh.decimal_of(ratio) < 1)");
      await admin.query(`SET ROLE ${writer}`);
      await admin.query(`INSERT INTO namespaces (namespace_id, name, owner_id) VALUES ('w', 'W', 'u');
      INSERT INTO files (file_id, namespace_id, path, ratio) VALUES ('f', 'w', '/a', 0.5);
      UPDATE namespaces SET owner_id = NULL; DELETE FROM files`);
      expect(await codeOf(admin.query("SELECT * FROM mesh.outbox"))).toBe(DENIED);
      await admin.query("RESET ROLE; ALTER TABLE files DROP ratio");
      const { rows } = await admin.query("DELETE FROM mesh.outbox RETURNING subject");
      expect(rows.map(({ subject }) => subject)).toEqual([
        "sfs.namespace.w.created",
        "sfs.file.f.uploaded",
        "sfs.namespace.w.updated",
        "sfs.file.f.deleted",
      ]);
      await withClient(database.owner, (client) =>
        client.query(migrator === "owner" ? "DELETE FROM namespaces" : "SELECT 1"),
      );
      await admin.query(
        `DELETE FROM namespaces; DELETE FROM mesh.outbox; DROP OWNED BY ${writer}; DROP ROLE ${writer}`,
      );
    });
  },
);
