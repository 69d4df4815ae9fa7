import { afterAll, beforeAll, expect, test } from "vitest";
import { readRow, startServer, type TestServer } from "../../support/http-server.js";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

test("a row is created with what the database fills in, and found where Location says", async () => {
  const created = await server.request("POST", "/api/users", { body: { username: "ada", score: 2 ** 40 } });
  const row = await readRow(created);
  expect(created.status).toBe(201);
  expect(row).toEqual({
    user_id: expect.stringMatching(/^[\w-]{21}$/),
    username: "ada",
    display_name: "",
    level: 1,
    score: 2 ** 40,
    settings: null,
    created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
  });
  const location = created.headers.get("location") ?? "";
  expect(location).toBe(`/api/users/${row.user_id}`);
  expect(await (await server.request("GET", location)).json()).toEqual(row);
});

test("a timestamp comes back in UTC, whatever offset it was given with", async () => {
  const body = { username: "tz", created_at: "2024-02-29T23:30:00.123456+02:00" };
  const row = await readRow(await server.request("POST", "/api/users", { body }));
  expect(row.created_at).toBe("2024-02-29T21:30:00.123456Z");
  const exact = { username: "tz0", created_at: "2024-02-29T23:30:00.123456000Z" };
  expect((await readRow(await server.request("POST", "/api/users", { body: exact }))).created_at).toBe(
    "2024-02-29T23:30:00.123456Z",
  );
  // Finer than a column keeps: it would come back as another moment.
  const finer = await server.request("POST", "/api/users", {
    body: { username: "tz1", created_at: "2024-02-29T23:30:00.123456789Z" },
  });
  expect([finer.status, JSON.parse(await finer.text()).errors]).toEqual([
    422,
    [{ pointer: "/created_at", detail: "has digits behind its microseconds, which no column keeps" }],
  ]);
});

test("PATCH changes only what it names; null empties; DELETE removes once", async () => {
  const body = { user_id: "p1", username: "pat", score: 5, settings: { a: [1] } };
  await server.request("POST", "/api/users", { body });
  const patched = await server.request("PATCH", "/api/users/p1", { body: { score: null, level: 7 } });
  expect(patched.status).toBe(200);
  expect(await patched.json()).toMatchObject({
    username: "pat",
    score: null,
    level: 7,
    settings: { a: [1] },
  });
  const removed = await server.request("DELETE", "/api/users/p1");
  expect([removed.status, await removed.text()]).toEqual([204, ""]);
  expect((await server.request("DELETE", "/api/users/p1")).status).toBe(404);
  expect((await server.request("PATCH", "/api/users/p1", { body: { level: 1 } })).status).toBe(404);
});

test.each([
  "a/b",
  "100%",
  "é ü",
  "..%2F..",
  "a?b#c",
  "🙂",
  "x".repeat(2000),
  "a.b*c>",
  "'; DROP TABLE users; --",
  '"',
])("an id may be anything: %s", async (id) => {
  const created = await server.request("POST", "/api/users", { body: { user_id: id, username: `u ${id}` } });
  expect(created.status).toBe(201);
  const location = created.headers.get("location") ?? "";
  expect((await readRow(await server.request("GET", location))).user_id).toBe(id);
  const changed = await server.request("PATCH", location, { body: { display_name: "x" } });
  expect((await readRow(changed)).user_id).toBe(id);
  expect((await server.request("DELETE", location)).status).toBe(204);
});

test.each([[1], "text", 3.5, true, null, { deep: { "a b": null } }])(
  "a JSON column keeps any JSON value: %j",
  async (settings) => {
    const body = { user_id: "json", username: "json", settings };
    const row = await readRow(await server.request("POST", "/api/users", { body }));
    await server.request("DELETE", "/api/users/json");
    expect(row.settings).toEqual(settings);
  },
);

test("HEAD and OPTIONS answer without a body", async () => {
  await server.request("POST", "/api/users", { body: { user_id: "head", username: "head" } });
  const one = await server.request("HEAD", "/api/users/head");
  expect([one.status, await one.text()]).toEqual([200, ""]);
  expect(Number(one.headers.get("content-length"))).toBeGreaterThan(10);
  const list = await server.request("HEAD", "/api/users?level=1");
  expect([list.status, await list.text()]).toEqual([200, ""]);
  expect((await server.request("HEAD", "/api/users?nope=1")).status).toBe(400);
  expect((await server.request("HEAD", "/api/users/nobody")).status).toBe(404);
  const options = await server.request("OPTIONS", "/api/users/head");
  expect([options.status, options.headers.get("allow")]).toEqual([204, "GET, HEAD, PATCH, DELETE, OPTIONS"]);
  expect((await server.request("OPTIONS", "/api/user-cache")).headers.get("allow")).toBe(
    "GET, HEAD, OPTIONS",
  );
});

test("a request keeps its id, or gets one", async () => {
  const given = await server.request("GET", "/api/users/head", { headers: { "x-request-id": "abc-1" } });
  expect(given.headers.get("x-request-id")).toBe("abc-1");
  const forged = await server.request("GET", "/api/users/head", { headers: { "x-request-id": "a b\tc" } });
  expect(forged.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
});
