import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, inject, test } from "vitest";
import { authService } from "../../generated/auth/service.js";
import type { Health } from "../../runtime/http/health-routes.js";
import type { HttpLimits } from "../../runtime/http/server.js";
import { type RunningService, startService } from "../../runtime/service/start.js";
import { keyDigests } from "../../runtime/values/access-keys.js";
import { KEY, sendRaw, startServer, type TestServer } from "../support/http-server.js";
import { silent } from "../support/loggers.js";
import { createDatabase, startNats, waitFor } from "../support/servers.js";

/*
 * Somebody without a key, or with one and no manners: what they can take from those who have work to do.
 */

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

let shared: TestServer;
beforeAll(async () => {
  shared = await startServer({ limits: { requestMs: 1_000 } });
});
afterAll(() => shared.close());

async function serve(limits: Partial<HttpLimits> = {}): Promise<TestServer> {
  const server = await startServer({ limits });
  ends.push(() => server.close());
  return server;
}

/** A client that never closes its side of the connection. */
async function stubborn(port: number, bytes = ""): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  socket.on("error", () => undefined);
  ends.push(() => socket.destroy());
  await new Promise<void>((opened) => socket.once("connect", opened));
  if (bytes !== "") socket.write(bytes);
  return socket;
}

function held({ app }: TestServer): Promise<number> {
  return new Promise((resolve, reject) => {
    app.server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}

const authorization = `authorization: Bearer ${KEY}\r\n`;
const post = `POST /api/users HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n`;

test("a half-open client keeps no socket, whatever it sends", { timeout: 20_000 }, async () => {
  const server = await serve({ requestMs: 1_000 });
  const unfinished = [
    "",
    "GET /api/users HTTP/1.1\r\nhost: a\r\nx: y",
    "\u0000\u0001\u0002 nonsense\r\n\r\n",
    `${post}${authorization}content-length: 1000\r\n\r\n{"username":`,
    `${post}content-length: 1000\r\n\r\n{"username":`,
    `${post}${authorization}transfer-encoding: chunked\r\n\r\n3\r\n{"u\r\n`,
    "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\nGET /healthz HTTP/1.1\r\n",
  ];
  for (const bytes of unfinished)
    await Promise.all(Array.from({ length: 20 }, () => stubborn(server.port, bytes)));
  await waitFor(async () => (await held(server)) === 0, { timeoutMs: 8_000, what: "all sockets to be gone" });
  expect((await server.request("GET", "/api/users")).status).toBe(200);
});

test("however many unauthenticated clients hold connections, probes and callers with a key get in", async () => {
  const server = await serve({ strangers: 20, connections: 40 });
  const caller = await stubborn(server.port, `GET /api/users HTTP/1.1\r\nhost: a\r\n${authorization}\r\n`);
  let answers = "";
  caller.on("data", (chunk: Buffer) => {
    answers += chunk.toString();
  });
  await waitFor(() => answers.includes("200 OK"));
  for (let round = 0; round < 100; round += 1) await stubborn(server.port);
  await waitFor(async () => (await held(server)) <= 21, {
    timeoutMs: 2_000,
    what: "the oldest strangers to be gone",
  });
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  expect((await server.request("GET", "/api/users")).status).toBe(200);
  answers = "";
  caller.write(`GET /api/users HTTP/1.1\r\nhost: a\r\n${authorization}\r\n`);
  await waitFor(() => answers.includes("200 OK"), { what: "the caller's second answer" });
  const warned = server.recording.lines.filter(({ level }) => level === "warn");
  expect(warned).toHaveLength(1);
});

test("connections are limited for those who have a key as well", async () => {
  const server = await serve({ strangers: 5, connections: 10 });
  const request = `GET /api/users HTTP/1.1\r\nhost: a\r\n${authorization}\r\n`;
  for (let round = 0; round < 30; round += 1) {
    const socket = await stubborn(server.port, request);
    await new Promise((heard) => {
      socket.once("data", heard);
      socket.once("close", heard);
      socket.once("end", heard);
    });
  }
  expect(await held(server)).toBeLessThanOrEqual(10);
});

test("a slow reader loses its connection after a time-out", { timeout: 30_000 }, async () => {
  const server = await serve({ chunkMs: 1_000, idleMs: 60_000, lists: 1 });
  await server.pool.query(
    "INSERT INTO users (user_id, username, display_name) SELECT i, i, repeat('x', 2000) FROM generate_series(1, 30000) i",
  );
  const socket = await stubborn(server.port);
  socket.pause();
  socket.write(`GET /api/users HTTP/1.1\r\nhost: a\r\n${authorization}\r\n`);
  // A few bytes now and then: the connection is never idle.
  const trickle = setInterval(() => socket.read(64), 50);
  ends.push(() => clearInterval(trickle));
  await waitFor(() => server.pool.idleCount === 0, { what: "the list to be under way" });
  await waitFor(() => server.pool.idleCount === server.pool.totalCount, {
    timeoutMs: 10_000,
    what: "the connection to be idle again",
  });
  expect((await server.request("GET", "/api/users?username=7")).status).toBe(200);
});

test("concurrency limit: one service that reads endless lists does not block the others", async () => {
  const callers = ["sfs", "web"].map((name) => ({
    name,
    digests: keyDigests(`the key of ${name}`),
    grants: [{ path: "/api/users", verbs: ["get" as const] }],
  }));
  const server = await startServer({ keys: { operator: keyDigests(KEY), callers } });
  ends.push(() => server.close());
  await server.pool.query(
    "INSERT INTO users (user_id, username, display_name) SELECT i, i, repeat('x', 2000) FROM generate_series(1, 10000) i",
  );
  for (let round = 0; round < 10; round += 1) {
    const greedy = await stubborn(server.port);
    greedy.pause();
    greedy.write("GET /api/users HTTP/1.1\r\nhost: a\r\nauthorization: Bearer the key of sfs\r\n\r\n");
  }
  await waitFor(() => server.pool.totalCount - server.pool.idleCount === 3, {
    what: "three lists under way",
  });
  const started = performance.now();
  for (const key of ["the key of web", KEY]) {
    const headers = { authorization: `Bearer ${key}` };
    expect((await fetch(`${server.url}/api/users?username=7`, { headers })).status).toBe(200);
  }
  expect(performance.now() - started).toBeLessThan(5_000);
});

test("a document nested without an end is refused, and nothing falls over", async () => {
  const deep = `${"[".repeat(500_000)}${"]".repeat(500_000)}`;
  for (const body of [deep, `{"username": "u", "settings": ${deep}}`, `{"username": ${deep}}`]) {
    const answer = await shared.request("POST", "/api/users", { body });
    expect(answer.status).toBe(422);
    expect((await answer.text()).length).toBeLessThan(2_000);
  }
  expect((await shared.request("GET", "/api/users")).status).toBe(200);
});

test("a body is invited only from who may send it, and refused before it is sent", async () => {
  const server = await serve({ bodyBytes: 2_000 });
  const expecting = `${post}expect: 100-continue\r\ncontent-length: 20\r\n`;
  const refused = await sendRaw(server.port, `${expecting}\r\n`);
  expect(refused).toMatch(/^HTTP\/1\.1 401 /);
  expect(refused).toMatch(/^connection: close\r$/im);
  const socket = await stubborn(server.port, `${expecting}${authorization}\r\n`);
  const first = await new Promise((heard) => socket.once("data", (chunk: Buffer) => heard(chunk.toString())));
  expect(first).toBe("HTTP/1.1 100 Continue\r\n\r\n");
  socket.write('{"username":"jane1"}');
  const second = await new Promise((heard) =>
    socket.once("data", (chunk: Buffer) => heard(chunk.toString())),
  );
  expect(second).toMatch(/^HTTP\/1\.1 201 /);
  expect((await server.pool.query("SELECT FROM users")).rowCount).toBe(1);
});

test("concurrency limit: however many large bodies are sent, few are in memory", {
  timeout: 30_000,
}, async () => {
  const server = await serve({ bodies: 4, requestMs: 3_000 });
  const half = `${post}${authorization}content-length: 2000000\r\n\r\n{"username":"${"x".repeat(1_000_000)}`;
  const sockets: Socket[] = [];
  server.app.server.on("connection", (socket: Socket) => sockets.push(socket));
  for (let round = 0; round < 60; round += 1) await stubborn(server.port, half);
  await sleep(1_000);
  const taken = sockets.reduce((sum, { bytesRead }) => sum + bytesRead, 0);
  expect(taken).toBeGreaterThan(3_000_000);
  expect(taken).toBeLessThan(4 * 1_000_000 + 60 * 200_000);
  // Small bodies do not wait.
  const small = await server.request("POST", "/api/users", { body: { username: "small" } });
  expect(small.status).toBe(201);
  await waitFor(async () => (await held(server)) <= 1, { timeoutMs: 20_000, what: "all of them to be gone" });
  const large = await server.request("POST", "/api/users", {
    body: { username: "large", display_name: "y".repeat(500_000) },
  });
  expect(large.status).toBe(201);
});

test("chunks that never end are cut off by their size", async () => {
  const server = await serve({ bodyBytes: 10_000 });
  const chunk = `1000\r\n${"x".repeat(4096)}\r\n`;
  const answer = await sendRaw(
    server.port,
    `${post}${authorization}connection: close\r\ntransfer-encoding: chunked\r\n\r\n${chunk.repeat(10)}`,
  );
  expect(answer).toMatch(/^HTTP\/1\.1 413 /);
});

const line = "GET /api/users HTTP/1.1\r\n";
test.each([
  ["two hosts", `${line}host: a\r\nhost: b\r\n${authorization}\r\n`],
  ["two keys", `${line}host: a\r\nauthorization: Bearer wrong\r\n${authorization}\r\n`],
  ["two keys, the good one first", `${line}host: a\r\n${authorization}authorization: Bearer wrong\r\n\r\n`],
  [
    "a length and chunks",
    `${post}${authorization}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  ["two lengths", `${post}${authorization}content-length: 2\r\ncontent-length: 3\r\n\r\n{}`],
  ["a length that is none", `${post}${authorization}content-length: +2\r\n\r\n{}`],
  ["an unknown transfer encoding", `${post}${authorization}transfer-encoding: chunked, x\r\n\r\n0\r\n\r\n`],
  ["a space before the colon", `${line}host: a\r\nauthorization : Bearer ${KEY}\r\n\r\n`],
  ["a folded header", `${line}host: a\r\nauthorization: Bearer\r\n ${KEY}\r\n\r\n`],
  ["a NUL in a header", `${line}host: a\r\nx: \u0000\r\n${authorization}\r\n`],
  ["bare line feeds", `GET /api/users HTTP/1.1\nhost: a\nauthorization: Bearer ${KEY}\n\n`],
])("a request that two readers could read in two ways is refused: %s", async (_, bytes) => {
  const answer = await sendRaw(shared.port, bytes.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n"));
  expect(answer).toMatch(/^HTTP\/1\.1 4(00|01|08) /);
  expect((await shared.pool.query("SELECT FROM users")).rowCount).toBe(0);
});

test("a thousand requests in one go are answered in their order", async () => {
  const one = (path: string, more = "") => `GET ${path} HTTP/1.1\r\nhost: a\r\n${more}\r\n`;
  const all = `${one("/healthz")}${one("/api/users")}`.repeat(500);
  const answer = await sendRaw(shared.port, all + one("/healthz", "connection: close\r\n"));
  const statuses = [...answer.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => status).join();
  expect(statuses).toBe(`${"200,401,".repeat(500)}200`);
});

test("an answer does not grow with what was asked, nor does a line of the log", async () => {
  const long = "x".repeat(8_000);
  const wide = Object.fromEntries(Array.from({ length: 20_000 }, (_, at) => [`field${at}`, 1]));
  const answers = [
    await shared.request("GET", `/api/${long}/${long.slice(0, 4_000)}`),
    await shared.request("GET", `/api/users/${long}`),
    await shared.request("GET", `/api/files/${long}`),
    await shared.request("GET", `/api/users?${long}=1`),
    await shared.request("GET", `/api/users?level=${long}`),
    await shared.request("POST", `/operate/resync?durable=${long}`),
    await shared.request("POST", "/api/users", { body: { ["y".repeat(1_000_000)]: 1 } }),
    await shared.request("POST", "/api/users", { body: { username: "u", level: "z".repeat(1_000_000) } }),
    await shared.request("POST", "/api/users", { body: `{"username": ${"w".repeat(100_000)}` }),
    await shared.request("POST", "/api/users", { body: wide }),
  ];
  for (const answer of answers) {
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect((await answer.text()).length).toBeLessThan(12_000);
  }
  for (const { fields } of shared.recording.lines.filter(({ message }) => message === "request"))
    expect(JSON.stringify(fields).length).toBeLessThan(800);
});

test.each(["__proto__", "constructor", "toString", "hasOwnProperty", "__proto__[user_id]", "valueOf"])(
  "what every object inherits is no column: %s",
  async (name) => {
    const answer = await shared.request("GET", `/api/users?${encodeURIComponent(name)}=u1`);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ type: "urn:meshwright:problem:filter" });
    const written = await shared.request("POST", "/api/users", { body: `{"username": "u", "${name}": "x"}` });
    expect(written.status).toBe(422);
  },
);

async function startAuth(): Promise<{ readonly service: RunningService; readonly admin: pg.Client }> {
  const nats = await startNats();
  ends.push(() => nats.remove());
  const AUTH_DB_URL = await createDatabase(inject("postgres"), "auth_db");
  const env = {
    NATS_URL: nats.url,
    AUTH_DB_URL,
    OPERATOR_KEY: KEY,
    SFS_TO_AUTH_KEY: "the key of sfs for auth",
    COMPUTE_TO_AUTH_KEY: "the key of compute for auth",
    PORT: "0",
  };
  const service = await startService(authService(), env, { logger: silent });
  ends.push(() => service.stop());
  await service.ready;
  const admin = new pg.Client({ connectionString: AUTH_DB_URL });
  await admin.connect();
  ends.push(() => admin.end());
  await waitFor(async () => (await readiness(service)).status === "ready", { what: "readiness" });
  return { service, admin };
}

async function readiness({ url }: RunningService): Promise<Health> {
  return (await (await fetch(`${url}/readyz`)).json()) as Health;
}

test("readiness requests delay no event", { timeout: 60_000 }, async () => {
  const { service, admin } = await startAuth();
  // Counting blocks, as with far too many rows.
  await admin.query("BEGIN; LOCK TABLE mesh.dead_letter IN ACCESS EXCLUSIVE MODE");
  await sleep(1_100);
  const asked = Array.from({ length: 150 }, () => readiness(service));
  await sleep(200);
  const writer = new pg.Client({
    connectionString: `${inject("postgres").replace(/\/[^/]*$/, "/")}${admin.database}`,
  });
  await writer.connect();
  ends.push(() => writer.end());
  const waiting = await writer.query(
    "SELECT application_name FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
  );
  expect(waiting.rows).toEqual([{ application_name: "meshwright auth figures" }]);
  const started = performance.now();
  await writer.query("INSERT INTO users (user_id, username) VALUES ('u1', 'one')");
  await waitFor(async () => (await writer.query("SELECT FROM mesh.outbox")).rowCount === 0, {
    timeoutMs: 2_000,
    what: "the event to leave",
  });
  expect(performance.now() - started).toBeLessThan(2_000);
  // A count that takes too long is left out; readiness stays positive.
  for (const health of await Promise.all(asked)) expect(health.status).toBe("ready");
  await admin.query("ROLLBACK");
});

test("readiness is computed at most once a second, and counts dead letters up to a limit", {
  timeout: 60_000,
}, async () => {
  const { service, admin } = await startAuth();
  await admin.query(
    `INSERT INTO mesh.dead_letter (durable, stream, stream_seq, subject, body, error)
     SELECT 'outbox', 'AUTH', i, 'auth.user.x.created', '', '' FROM generate_series(1, 30000) i`,
  );
  await sleep(1_100);
  const seen = new Set<string>();
  const until = performance.now() + 800;
  while (performance.now() < until) {
    await admin.query(
      "DELETE FROM mesh.dead_letter WHERE stream_seq > (SELECT max(stream_seq) - 1000 FROM mesh.dead_letter)",
    );
    const { checks } = await readiness(service);
    seen.add(JSON.stringify(checks.outbox));
  }
  expect([...seen]).toEqual([expect.stringContaining('"dead_letters":10000')]);
});

test("readiness says at once that the service stops", async () => {
  const { service } = await startAuth();
  await readiness(service);
  const stopping = service.stop();
  const health = await readiness(service).catch(() => undefined);
  expect(health?.status ?? "gone").not.toBe("ready");
  await stopping;
});
