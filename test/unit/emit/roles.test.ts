import pg from "pg";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { rolesView } from "../../../generator/emit/views/roles.js";
import { openRender } from "../../../generator/templates.js";
import { createDatabase } from "../../support/servers.js";
import { compile, readMesh, templates } from "./support.js";

/*
 * roles.sql on a real server: run twice, then the role reads and writes the service's rows, and nothing else.
 */

const INSUFFICIENT_PRIVILEGE = "42501";
let owner: pg.Client;
let role = "";
let url = "";

beforeAll(async () => {
  url = await createDatabase(inject("postgres"), "roles");
  owner = new pg.Client({ connectionString: url });
  await owner.connect();
  // A superuser who is called like the schema would find it before public.
  await owner.query(`
    SET search_path TO public;
    CREATE SCHEMA mesh;
    CREATE TABLE mesh.outbox (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text);
    CREATE TABLE users (user_id text PRIMARY KEY);
    CREATE TABLE sessions (session_id text PRIMARY KEY);
    CREATE TABLE notes_of_another (note text);`);
  const database = new URL(url).pathname.slice(1);
  // The database's name is the test's own; the role's too, since roles belong to the whole server.
  const mesh = compile(readMesh("mesh.yaml"));
  const [service] = mesh.services;
  const [auth] = mesh.databases;
  if (service === undefined || auth === undefined) throw new Error("the reference mesh has no auth service");
  role = `${database}_service`;
  const view = rolesView({ ...service, name: database }, { ...auth, name: database }, "header");
  const sql = openRender(templates)("database/roles.sql.hbs", view);
  await owner.query(sql);
  await owner.query(sql);
});

afterAll(async () => {
  await owner.query(
    `DROP OWNED BY ${owner.escapeIdentifier(role)}; DROP ROLE ${owner.escapeIdentifier(role)}`,
  );
  await owner.end();
});

async function asService<T>(use: (client: pg.Client) => Promise<T>): Promise<T> {
  await owner.query(`SET ROLE ${owner.escapeIdentifier(role)}`);
  return use(owner).finally(() => owner.query("RESET ROLE"));
}

test.each([
  "INSERT INTO users VALUES ('u1')",
  "UPDATE users SET user_id = 'u2'",
  "SELECT * FROM sessions",
  "DELETE FROM users",
  "INSERT INTO mesh.outbox (body) VALUES ('{}')",
  "CREATE TEMPORARY TABLE seen (id text)",
])("the service may: %s", async (statement) => {
  await expect(asService((client) => client.query(statement))).resolves.toBeDefined();
});

test.each([
  "CREATE TABLE mine ()",
  "ALTER TABLE users ADD COLUMN note text",
  "TRUNCATE users",
  "DROP TABLE users",
  "SELECT * FROM notes_of_another",
  "CREATE TABLE mesh.mine ()",
  "CREATE ROLE another",
])("the service may not: %s", async (statement) => {
  await expect(asService((client) => client.query(statement))).rejects.toMatchObject({
    code: INSUFFICIENT_PRIVILEGE,
  });
});

test("nobody else may even connect", async () => {
  const { rows } = await owner.query(
    "SELECT has_database_privilege('public', current_database(), 'CONNECT') AS may",
  );
  expect(rows).toEqual([{ may: false }]);
});
