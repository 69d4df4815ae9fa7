import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { KEY, readRows, startServer, type TestServer } from "../../support/http-server.js";
import { waitFor } from "../../support/servers.js";

const ROWS = 200_000;
const MEGABYTE = 1024 * 1024;
let server: TestServer;
beforeAll(async () => {
  server = await startServer({ limits: { idleMs: 1_500, lists: 2 } });
  await server.pool.query(
    `INSERT INTO users (user_id, username, display_name)
     SELECT 'u' || i, 'name ' || i, repeat('"é', 40) FROM generate_series(1, ${ROWS}) AS i`,
  );
  await server.pool.query(
    `INSERT INTO mesh.entity_version (entity, entity_id, version)
     SELECT 'auth.user', user_id, 3 FROM users WHERE user_id <> 'u7'`,
  );
  await server.pool.query("UPDATE mesh.entity_version SET first_version = 2 WHERE entity_id = 'u8'");
});
afterAll(() => server.close());

/** A list whose reading the test controls. */
async function openList(path: string): Promise<IncomingMessage> {
  const request = get(server.url + path, { headers: { authorization: `Bearer ${KEY}` } });
  const [response] = await once(request, "response");
  return response as IncomingMessage;
}

const idleConnections = () => server.pool.idleCount === server.pool.totalCount;

test("a list is one JSON array of every row", async () => {
  const response = await server.request("GET", "/api/users");
  const rows = await readRows(response);
  expect(response.headers.get("content-type")).toBe("application/json; charset=utf-8");
  expect(new Set(rows.map((row) => row.user_id)).size).toBe(ROWS);
  expect(Object.keys(rows[0] ?? {}).at(-1)).toBe("created_at");
});

test("an empty list is an empty array", async () => {
  expect(await (await server.request("GET", "/api/user-cache")).text()).toBe("[]");
});

test("filters are equalities, and add up", async () => {
  const list = async (query: string) => readRows(await server.request("GET", `/api/users?${query}`));
  expect((await list("username=name%207")).map((row) => row.user_id)).toEqual(["u7"]);
  expect(await list("username=name%207&level=2")).toEqual([]);
  expect(await list("username=name%207&level=1")).toHaveLength(1);
});

test("a refused filter costs no connection", async () => {
  let connects = 0;
  server.pool.on("connect", () => {
    connects += 1;
  });
  for (let round = 0; round < 30; round += 1) {
    expect((await server.request("GET", "/api/users?level=high")).status).toBe(400);
  }
  expect(connects).toBe(0);
  expect((await server.request("GET", "/api/users?username=name%207")).status).toBe(200);
});

test("asked for versions, each element ends with its own", async () => {
  const headers = { "mesh-snapshot": "versions" };
  const response = await server.request("GET", "/api/users", { headers });
  const rows = await readRows(response);
  expect(response.headers.get("mesh-snapshot")).toBe("versions");
  expect(Object.keys(rows[0] ?? {}).slice(-2)).toEqual(["_version", "_first_version"]);
  expect(rows.filter((row) => row._version === 3)).toHaveLength(ROWS - 1);
  expect(rows.find((row) => row.user_id === "u7")).toMatchObject({ _version: 0, _first_version: null });
  expect(rows.find((row) => row.user_id === "u8")).toMatchObject({ _version: 3, _first_version: 2 });
  const files = await server.request("GET", "/api/files", { headers });
  expect(await files.json()).toEqual([]);
});

test("a list is one snapshot: rows that come and go while it is read do not show", async () => {
  const response = await openList("/api/users");
  await server.pool.query("DELETE FROM users WHERE user_id = 'u199999'");
  await server.pool.query("INSERT INTO users (user_id, username) VALUES ('late', 'late')");
  let body = "";
  for await (const chunk of response) body += chunk;
  const ids = new Set(JSON.parse(body).map((row: { user_id: string }) => row.user_id));
  expect([ids.size, ids.has("u199999"), ids.has("late")]).toEqual([ROWS, true, false]);
  await server.pool.query("DELETE FROM users WHERE user_id = 'late'");
  await server.pool.query("INSERT INTO users (user_id, username) VALUES ('u199999', 'name 199999')");
});

test("a reader that goes away gives its connection back", async () => {
  for (let round = 0; round < 10; round += 1) {
    const response = await openList("/api/users");
    await once(response, "data");
    response.destroy();
  }
  await waitFor(idleConnections, { what: "all connections to be idle" });
  expect((await server.request("GET", "/api/users/u1")).status).toBe(200);
});

test("a reader that goes away while it waits for its turn leaves nothing behind", async () => {
  const first = await Promise.all([openList("/api/users"), openList("/api/users")]);
  const waiting = get(`${server.url}/api/users`, { headers: { authorization: `Bearer ${KEY}` } });
  waiting.on("error", () => undefined);
  await once(waiting, "finish");
  await sleep(100);
  waiting.destroy();
  for (const response of first) response.destroy();
  await waitFor(idleConnections, { what: "all connections to be idle" });
  expect(await readRows(await server.request("GET", "/api/users?username=name%207"))).toHaveLength(1);
});

test("what a reader has taken is not kept until the list ends", async () => {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  const response = await openList("/api/users");
  const before = heapAfter(collect);
  let bytes = 0;
  for await (const chunk of response) {
    bytes += chunk.length;
    if (bytes > 30 * MEGABYTE) break;
  }
  expect(bytes).toBeGreaterThan(30 * MEGABYTE);
  expect(heapAfter(collect) - before).toBeLessThan(10 * MEGABYTE);
});

function heapAfter(collect: () => void): number {
  collect();
  return process.memoryUsage().heapUsed;
}

test("a reader that stops reading holds little memory, and is cut off", async () => {
  const response = await openList("/api/users");
  response.on("error", () => undefined);
  response.pause();
  const before = process.memoryUsage().rss;
  await sleep(800);
  expect(process.memoryUsage().rss - before).toBeLessThan(60 * MEGABYTE);
  await waitFor(idleConnections, { timeoutMs: 10_000, what: "the connection to come back" });
});

test("more lists than the concurrency limit wait for their turn", async () => {
  const all = await Promise.all(
    Array.from({ length: 6 }, () => server.request("GET", "/api/users?username=name%207")),
  );
  expect(all.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200]);
});

test("a list whose connection is killed half way breaks, and never looks whole", async () => {
  const response = await openList("/api/users");
  await once(response, "readable");
  const admin = new Client({ connectionString: server.databaseUrl });
  await admin.connect();
  await admin.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%row_to_json%'`,
  );
  await admin.end();
  let body = "";
  const outcome = await (async () => {
    for await (const chunk of response) body += chunk;
  })().then(
    () => "ended",
    () => "broken",
  );
  expect(outcome).toBe("broken");
  expect(() => JSON.parse(body)).toThrow();
  const logged = server.recording.lines.filter(({ message }) => message.includes("broke off"));
  expect(logged).toHaveLength(1);
  await waitFor(idleConnections);
  expect((await server.request("GET", "/api/users/u1")).status).toBe(200);
});
