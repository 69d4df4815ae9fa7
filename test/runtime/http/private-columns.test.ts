import type pg from "pg";
import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";
import { tableRepository } from "../../../runtime/repository/repository.js";
import { users } from "../../scenarios/emit/private-columns/expected/login/tables.js";
import { compile, readMesh } from "../../support/compile.js";
import { serveDatabase, type TestServer } from "../../support/http-server.js";
import { openDatabase, plan, type TestDatabase } from "../../support/migrations.js";

/*
 * Private columns of the scenario `private-columns`: what the service itself reads, and nobody else.
 */

const SECRET = "the-secret-hash";
let database: TestDatabase;
let pool: pg.Pool;
let server: TestServer;

beforeAll(async () => {
  const mesh = compile(readMesh("test/scenarios/emit/private-columns/mesh.yaml"));
  database = await openDatabase(inject("postgres"), plan(mesh).files.login ?? []);
  server = await serveDatabase(database.url, {
    service: "login",
    resources: [{ path: "/api/users", table: users }],
  });
  pool = server.pool;
});
afterAll(async () => {
  await server?.close();
  await database?.close();
});
beforeEach(async () => {
  await pool.query("DELETE FROM users; DELETE FROM mesh.outbox");
});

async function request(method: string, path: string, body?: object, headers: Record<string, string> = {}) {
  const response = await server.request(method, path, { body, headers });
  return { status: response.status, text: await response.text() };
}

test("REST takes it, and no answer, list or snapshot gives it", async () => {
  const answers = [
    await request("POST", "/api/users", { user_id: "a", name: "Ada", password_hash: SECRET }),
    await request("GET", "/api/users/a"),
    await request("GET", "/api/users"),
    await request("GET", "/api/users?name=Ada"),
    await request("GET", "/api/users", undefined, { "mesh-snapshot": "versions" }),
    await request("PATCH", "/api/users/a", { name: "Ada L.", password_hash: `${SECRET}-2` }),
    await request("PATCH", "/api/users/a", {}),
  ];
  expect(answers.slice(0, 6).map(({ status }) => status)).toEqual([201, 200, 200, 200, 200, 200]);
  for (const { text } of answers) {
    expect(text).not.toContain(SECRET);
    expect(text).not.toContain("password_hash");
    expect(text).not.toContain("failures");
  }
  const { rows } = await pool.query("SELECT password_hash FROM users");
  expect(rows).toEqual([{ password_hash: `${SECRET}-2` }]);
});

test("no filter asks for it, so nobody can guess it value by value", async () => {
  await request("POST", "/api/users", { user_id: "a", name: "Ada", password_hash: SECRET });
  for (const method of ["GET", "HEAD"])
    expect((await request(method, `/api/users?password_hash=${SECRET}`)).status).toBe(400);
  const { text } = await request("GET", `/api/users?password_hash=${SECRET}`);
  expect(text).not.toMatch(/Columns: .*password_hash/);
});

test("no event carries it, and a change of it alone is none", async () => {
  await pool.query("INSERT INTO users VALUES ('a', 'Ada', $1)", [SECRET]);
  await pool.query("UPDATE users SET password_hash = password_hash || '-2', failures = 3");
  await pool.query("UPDATE users SET name = 'Ada L.'");
  await pool.query("DELETE FROM users");
  const { rows } = await pool.query<{ subject: string; body: string }>(
    "SELECT subject, body FROM mesh.outbox ORDER BY seq",
  );
  expect(rows.map(({ subject }) => subject)).toEqual([
    "login.user.a.created",
    "login.user.a.updated",
    "login.user.a.deleted",
  ]);
  expect(JSON.stringify(rows)).not.toContain(SECRET);
});

test("the service's own repository reads and writes it", async () => {
  const repository = tableRepository(pool, users);
  const row = { user_id: "a", name: "Ada", password_hash: SECRET };
  expect(await repository.create(row)).toEqual({ ...row, failures: 0 });
  expect(await repository.get("a")).toMatchObject({ password_hash: SECRET });
  expect(await repository.update("a", { failures: 1 })).toMatchObject({ failures: 1 });
  const listed = [];
  for await (const each of repository.list({ password_hash: SECRET })) listed.push(each);
  expect(listed).toMatchObject([{ password_hash: SECRET, failures: 1 }]);
});
