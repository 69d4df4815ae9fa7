import type pg from "pg";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { tableRepository } from "../../../runtime/repository/repository.js";
import { links, notes, tickets } from "../../scenarios/emit/made-keys/expected/desk/tables.js";
import { compile, readMesh } from "../../support/compile.js";
import { serveDatabase, type TestServer } from "../../support/http-server.js";
import { openDatabase, plan, type TestDatabase } from "../../support/migrations.js";

/*
 * Keys that the database makes, whoever writes the row: by plain SQL, REST and repository, of the scenario `made-keys`.
 */

let database: TestDatabase;
let pool: pg.Pool;
let server: TestServer;

beforeAll(async () => {
  const mesh = compile(readMesh("test/scenarios/emit/made-keys/mesh.yaml"));
  database = await openDatabase(inject("postgres"), plan(mesh).files.desk ?? []);
  server = await serveDatabase(database.url, {
    service: "desk",
    resources: [
      { path: "/api/tickets", table: tickets },
      { path: "/api/notes", table: notes },
      { path: "/api/links", table: links },
    ],
  });
  pool = server.pool;
});
afterAll(async () => {
  await server?.close();
  await database?.close();
});

async function post(path: string, body: object) {
  const response = await server.request("POST", path, { body });
  return {
    status: response.status,
    location: response.headers.get("location"),
    row: (await response.json()) as Record<string, unknown>,
  };
}

test("POST without a key answers with the one that the database made, and its place", async () => {
  const ticket = await post("/api/tickets", { title: "first" });
  expect(ticket).toMatchObject({ status: 201, location: `/api/tickets/${ticket.row.ticket_id}` });
  expect(Number.isInteger(ticket.row.ticket_id)).toBe(true);
  const note = await post("/api/notes", { ticket_id: ticket.row.ticket_id });
  expect(note.row.note_id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  const link = await post("/api/links", { url: "https://example.org" });
  expect(link.row.link_id).toMatch(/^[\w-]{21}$/);
});

test("a repository and plain SQL get keys of the same kind, and the event has the one that was made", async () => {
  const one = await tableRepository(pool, tickets).create({ title: "second" });
  const { rows } = await pool.query("INSERT INTO tickets (title) VALUES ('third') RETURNING ticket_id");
  expect(rows[0].ticket_id).toBe(one.ticket_id + 1);
  const { rows: events } = await pool.query(
    "SELECT subject, body FROM mesh.outbox ORDER BY seq DESC LIMIT 1",
  );
  expect(events[0].subject).toBe(`desk.ticket.${rows[0].ticket_id}.created`);
  expect(JSON.parse(events[0].body)).toMatchObject({ ticket_id: rows[0].ticket_id, title: "third" });
  expect(
    (await pool.query("INSERT INTO links (url) VALUES ('x') RETURNING link_id")).rows[0].link_id,
  ).toMatch(/^[\w-]{21}$/);
});

test("a writer may give a key of its own", async () => {
  expect((await post("/api/tickets", { ticket_id: 1_000, title: "own" })).row.ticket_id).toBe(1_000);
  expect((await post("/api/tickets", { ticket_id: 1_000, title: "own" })).status).toBe(409);
});

test("mesh.nanoid draws 21 characters of nanoid's alphabet, each as often as the others, and none twice", async () => {
  const { rows } = await pool.query<{ drawn: string }>(
    "SELECT mesh.nanoid() AS drawn FROM generate_series(1, 5000)",
  );
  const drawn = rows.map((row) => row.drawn);
  expect(new Set(drawn).size).toBe(5_000);
  expect(drawn.every((id) => /^[A-Za-z0-9_-]{21}$/.test(id))).toBe(true);
  for (let place = 0; place < 21; place += 1) {
    const counts = new Map<string, number>();
    for (const id of drawn) counts.set(id.charAt(place), (counts.get(id.charAt(place)) ?? 0) + 1);
    expect(counts.size, `characters at ${place}`).toBe(64);
    expect(Math.max(...counts.values()), `the most frequent one at ${place}`).toBeLessThan(150);
  }
});

test("whoever may insert a row gets a key: the functions are for everybody", async () => {
  const { rows } = await pool.query(
    "SELECT has_function_privilege('public', 'mesh.nanoid()', 'EXECUTE') AS nanoid, has_function_privilege('public', 'mesh.is_list(anyarray)', 'EXECUTE') AS list",
  );
  expect(rows).toEqual([{ nanoid: true, list: true }]);
});
