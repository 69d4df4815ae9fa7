import type pg from "pg";
import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";
import { cascade } from "../../../runtime/inbox/cascade-statement.js";
import { tableRepository } from "../../../runtime/repository/repository.js";
import { carts, likes } from "../../scenarios/emit/soft-deletion/expected/shop/tables.js";
import { compile, readMesh } from "../../support/compile.js";
import { serveDatabase, type TestServer } from "../../support/http-server.js";
import { applyFiles, openDatabase, plan, type TestDatabase } from "../../support/migrations.js";

/* A softly deleted row is no row for REST, repositories, snapshots and cascades; and these delete softly. */

let database: TestDatabase;
let pool: pg.Pool;
let server: TestServer;

beforeAll(async () => {
  database = await openDatabase(inject("postgres"));
  await database.client.query(`CREATE TABLE likes (like_id bigserial PRIMARY KEY, cart_id text NOT NULL, gone boolean NOT NULL DEFAULT false);
    CREATE TABLE parcels (parcel_id bigserial PRIMARY KEY, weight integer NOT NULL, "deletedAt" timestamptz)`);
  const mesh = compile(readMesh("test/scenarios/emit/soft-deletion/mesh.yaml"));
  await applyFiles(database.client, plan(mesh).files.shop ?? []);
  server = await serveDatabase(database.url, {
    service: "shop",
    resources: [{ path: "/api/carts", table: carts }],
  });
  pool = server.pool;
});
afterAll(async () => {
  await server?.close();
  await database?.close();
});
beforeEach(async () => {
  await pool.query("DELETE FROM carts; DELETE FROM likes; DELETE FROM mesh.outbox");
  await pool.query("INSERT INTO carts (cart_id, label, person_id) VALUES ('a', 'x', 'p'), ('b', 'x', 'p')");
});

async function request(method: string, path: string, body?: object, headers: Record<string, string> = {}) {
  const response = await server.request(method, `/api/carts${path}`, { body, headers });
  return { status: response.status, text: await response.text() };
}

const state = async () => {
  const { rows } = await pool.query(
    "SELECT cart_id AS id, deleted_at IS NOT NULL AS gone FROM carts ORDER BY 1",
  );
  return rows.map(({ id, gone }) => `${id}${gone ? " gone" : ""}`);
};
const actions = async () => {
  const { rows } = await pool.query("SELECT subject FROM mesh.outbox ORDER BY seq");
  return rows.map(({ subject }) => subject.split(".").slice(2).join(" "));
};

const run = ({ text, values }: ReturnType<typeof cascade>) => pool.query(text, [...values]);

test("DELETE sets the column: the row stays, is not found, in no list and in no snapshot", async () => {
  expect((await request("DELETE", "/a")).status).toBe(204);
  expect(await state()).toEqual(["a gone", "b"]);
  expect(await actions()).toEqual(["a created", "b created", "a deleted"]);
  expect((await request("GET", "/a")).status).toBe(404);
  expect((await request("DELETE", "/a")).status).toBe(404);
  expect((await request("PATCH", "/a", { label: "y" })).status).toBe(404);
  for (const headers of [{}, { "mesh-snapshot": "versions" }]) {
    const { text } = await request("GET", "", undefined, headers);
    expect(JSON.parse(text).map(({ cart_id }: { cart_id: string }) => cart_id)).toEqual(["b"]);
  }
  expect(JSON.parse((await request("GET", "?label=x")).text)).toHaveLength(1);
  expect(await actions()).toHaveLength(3);
});

test("neither POST nor PATCH takes the column", async () => {
  const deleted_at = "2026-01-01T00:00:00Z";
  expect(await request("POST", "", { label: "z", deleted_at })).toMatchObject({ status: 422 });
  expect(await request("PATCH", "/a", { deleted_at })).toMatchObject({ status: 422 });
  expect((await request("POST", "", { label: "z" })).status).toBe(201);
});

test("what a caller sees of a row has no mark of deletion, and no filter asks for it", async () => {
  expect(JSON.parse((await request("GET", "/b")).text)).not.toHaveProperty("deleted_at");
  expect((await request("GET", "", undefined, { "mesh-snapshot": "versions" })).text).not.toContain(
    "deleted_at",
  );
  expect((await request("GET", "?deleted_at=x")).status).toBe(400);
  expect(Object.keys((await tableRepository(pool, carts).get("b")) ?? {})).toContain("deleted_at");
});

test("a refusal is told in words: an empty patch, and the id of a row that is softly deleted", async () => {
  expect((await request("PATCH", "/a", {})).text).toContain("names no field to set");
  await request("DELETE", "/a");
  const taken = await request("POST", "", { cart_id: "a", label: "z" });
  expect(taken).toMatchObject({ status: 409 });
  expect(taken.text).toContain("perhaps a deleted one, of carts has this value of cart_id");
});

test("a repository deletes softly, and reads no row that is", async () => {
  const repository = tableRepository(pool, carts);
  expect(await repository.delete("a")).toBe(true);
  expect(await repository.delete("a")).toBe(false);
  expect(await repository.get("a")).toBeUndefined();
  expect(await repository.update("a", { label: "y" })).toBeUndefined();
  const left: string[] = [];
  for await (const { cart_id } of repository.list({ label: "x" })) left.push(cart_id);
  expect(left).toEqual(["b"]);
  expect(await state()).toEqual(["a gone", "b"]);
});

test("a cascade deletes softly what lives, and leaves the moment of what was deleted before", async () => {
  await pool.query("UPDATE carts SET deleted_at = '2020-01-01Z' WHERE cart_id = 'a'");
  const rule = { action: "delete", table: carts, column: "person_id" } as const;
  await run(cascade(rule, "crm.person", ["p"]));
  expect(await state()).toEqual(["a gone", "b gone"]);
  expect(await actions()).toEqual(["a created", "b created", "a deleted", "b deleted"]);
  const { rows } = await pool.query("SELECT min(deleted_at)::text FROM carts");
  expect(rows[0].min).toContain("2020-01-01");
});

test("a cascade with a hook before waits for living rows alone", async () => {
  await pool.query("UPDATE carts SET deleted_at = now() WHERE cart_id = 'a'");
  const before = { name: "releaseCart", call: async () => undefined };
  await run(cascade({ action: "delete", table: carts, column: "person_id", before }, "crm.person", ["p"]));
  const { rows } = await pool.query("DELETE FROM mesh.cascade_task RETURNING row_key");
  expect(rows).toEqual([{ row_key: "b" }]);
});

test("a flag is set as a moment is", async () => {
  const { rows } = await pool.query("INSERT INTO likes (cart_id) VALUES ('a') RETURNING like_id");
  expect(await tableRepository(pool, likes).delete(rows[0].like_id)).toBe(true);
  expect((await pool.query("SELECT gone FROM likes")).rows).toEqual([{ gone: true }]);
});
