import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { Pool } from "pg";
import { afterEach, expect, inject, test } from "vitest";
import type { ServiceDefinition } from "../../../runtime/definition/service-definition.js";
import type { Health } from "../../../runtime/http/health-routes.js";
import { type RunningService, startService } from "../../../runtime/service/start.js";
import { streamPlan } from "../../support/broker-plans.js";
import { silent } from "../../support/loggers.js";
import { createDatabase, waitFor } from "../../support/servers.js";
import { authorized, defineService, KEY } from "../../support/service-definition.js";
import { startTcpProxy } from "../../support/tcp-proxy.js";

const started: RunningService[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((service) => service.stop()));
});

async function start(
  definition: ServiceDefinition,
  databaseUrl: string,
  env: Readonly<Record<string, string>> = {},
): Promise<RunningService> {
  const all = { AUTH_DB_URL: databaseUrl, OPERATOR_KEY: KEY, PORT: "0", ...env };
  const service = await startService(definition, all, { logger: silent });
  started.push(service);
  return service;
}

async function readiness(service: RunningService): Promise<readonly [number, Health]> {
  const response = await fetch(`${service.url}/readyz`);
  return [response.status, (await response.json()) as Health];
}

/** The same URL, through a proxy that can make the server unreachable and reachable again. */
async function behindProxy(target: string) {
  const url = new URL(target);
  const proxy = await startTcpProxy({ host: url.hostname, port: Number(url.port) });
  url.host = `127.0.0.1:${proxy.port}`;
  return { url: url.href, down: proxy.close, up: proxy.reopen };
}

const list = (service: RunningService) => fetch(`${service.url}/api/users`, { headers: authorized });

test("a service migrates its database, runs its start hook with the defaults, and is ready", async () => {
  const seen: (string | undefined)[] = [];
  const definition = await defineService({
    start({ env }) {
      seen.push(env.COLOUR);
    },
  });
  const service = await start(definition, await createDatabase(inject("postgres"), "life"));
  await service.ready;
  expect(seen).toEqual(["blue"]);
  expect(await readiness(service)).toMatchObject([
    200,
    { status: "ready", checks: { database: { status: "up" } } },
  ]);
  expect((await list(service)).status).toBe(200);
});

test("it waits for its database, saying so, and goes on by itself once it is there", async () => {
  const proxy = await behindProxy(await createDatabase(inject("postgres"), "life"));
  await proxy.down();
  const service = await start(await defineService(), proxy.url);
  expect((await fetch(`${service.url}/healthz`)).status).toBe(200);
  expect(await readiness(service)).toMatchObject([503, { status: "unready" }]);
  const refused = await list(service);
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "2"]);
  await proxy.up();
  await service.ready;
  expect((await list(service)).status).toBe(200);
  await proxy.down();
  expect((await list(service)).status).toBe(503);
  expect((await readiness(service))[0]).toBe(503);
  await proxy.up();
  expect(await waitFor(async () => (await list(service)).status === 200)).toBe(true);
  await service.stop();
  await proxy.down();
});

test("it stops while it still waits for its database", async () => {
  const proxy = await behindProxy(await createDatabase(inject("postgres"), "life"));
  await proxy.down();
  const service = await start(await defineService(), proxy.url);
  const before = Date.now();
  await service.stop();
  expect(Date.now() - before).toBeLessThan(3_000);
});

test("MIGRATE=off waits for someone else's migrations", async () => {
  const url = await createDatabase(inject("postgres"), "life");
  const definition = await defineService();
  const waiting = await start(definition, url, { MIGRATE: "off" });
  await waitFor(async () => JSON.stringify(await readiness(waiting)).includes("0001_initial.sql"));
  await (await start(definition, url)).ready;
  await waiting.ready;
  expect((await list(waiting)).status).toBe(200);
});

test("a start hook that throws refuses the start: not ready, nothing served, health answers", async () => {
  const definition = await defineService({ start: () => Promise.reject(new Error("no cluster")) });
  const service = await start(definition, await createDatabase(inject("postgres"), "life"));
  await expect(service.ready).rejects.toThrow("no cluster");
  expect((await list(service)).status).toBe(503);
  expect((await readiness(service))[0]).toBe(503);
});

test("a migration that fails refuses the start", async () => {
  const url = await createDatabase(inject("postgres"), "life");
  const pool = new Pool({ connectionString: url });
  await pool.query("CREATE TABLE users (x int)");
  await pool.end();
  const service = await start(await defineService(), url);
  await expect(service.ready).rejects.toThrow("0001_initial.sql");
});

test("a port that is taken rejects", async () => {
  const url = await createDatabase(inject("postgres"), "life");
  const first = await start(await defineService(), url);
  await expect(start(await defineService(), url, { PORT: String(first.port) })).rejects.toThrow(
    "is taken by",
  );
});

test("with the broker down it serves reads and writes, and says that it is degraded", async () => {
  const stream = streamPlan({
    name: `LIFE_${Date.now()}`,
    subjects: [`life${Date.now()}.*.*.*`],
  });
  const proxy = await behindProxy(inject("nats"));
  await proxy.down();
  const definition = await defineService({ stream });
  const url = await createDatabase(inject("postgres"), "life");
  const service = await start(definition, url, { NATS_URL: proxy.url });
  await service.ready;
  expect((await list(service)).status).toBe(200);
  const created = await fetch(`${service.url}/api/users`, {
    method: "POST",
    headers: { ...authorized, "content-type": "application/json" },
    body: JSON.stringify({ username: "during" }),
  });
  expect(created.status).toBe(201);
  expect(await readiness(service)).toMatchObject([
    200,
    { status: "degraded", checks: { broker: { status: "down" } } },
  ]);
  await proxy.up();
  await waitFor(async () => (await readiness(service))[1].status === "ready");
  await service.stop();
  await proxy.down();
});

test("stopping finishes the requests in flight and takes no new ones", async () => {
  const url = await createDatabase(inject("postgres"), "life");
  const service = await start(await defineService(), url);
  await service.ready;
  const pool = new Pool({ connectionString: url, max: 1 });
  await pool.query(
    "INSERT INTO users (user_id, username, display_name) SELECT i, i, repeat('x', 200) FROM generate_series(1, 30000) i",
  );
  const request = get(`${service.url}/api/users`, { headers: authorized });
  const [response] = (await once(request, "response")) as [IncomingMessage];
  const stopped = service.stop();
  let body = "";
  for await (const chunk of response) body += chunk;
  expect(JSON.parse(body)).toHaveLength(30_000);
  await stopped;
  await expect(fetch(`${service.url}/healthz`)).rejects.toThrow();
  const { rows } = await pool.query(
    "SELECT count(*)::int AS left FROM pg_stat_activity WHERE application_name LIKE 'meshwright auth%' AND datname = current_database()",
  );
  expect(rows).toEqual([{ left: 0 }]);
  await pool.end();
});
