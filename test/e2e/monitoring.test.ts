import { afterAll, beforeAll, expect, test } from "vitest";
import {
  cached,
  call,
  register,
  type ServiceName,
  startMesh,
  type TestMesh,
  waitFor,
} from "../support/reference-mesh.js";
import { readSamples, type ScrapedSample } from "../support/scraped-samples.js";

/*
 * What a person sees of a mesh by its metrics: on the reference mesh as processes, healthy first, then under faults.
 */

const SERVICES = ["auth", "sfs", "compute", "gateway"] as const;
const METRICS_KEY = "the key of this test's Prometheus";

let mesh: TestMesh;

beforeAll(async () => {
  const env = Object.fromEntries(SERVICES.map((service) => [service, { METRICS_KEY }]));
  mesh = await startMesh({ env: { ...env, gateway: { METRICS_KEY: "open" } } });
});

afterAll(async () => {
  await mesh?.stop();
});

const bearer = { authorization: `Bearer ${METRICS_KEY}` };

async function scrape(service: ServiceName): Promise<readonly ScrapedSample[]> {
  const url = `${mesh.services[service].url}/metrics`;
  const response = await fetch(url, { headers: bearer, signal: AbortSignal.timeout(10_000) });
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toContain("text/plain; version=0.0.4");
  return readSamples(await response.text());
}

async function value(
  service: ServiceName,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number | undefined> {
  const found = (await scrape(service)).filter(
    (sample) =>
      sample.name === name && Object.entries(labels).every(([label, text]) => sample.labels[label] === text),
  );
  expect(found.length).toBeLessThanOrEqual(1);
  return found[0]?.value;
}

const shows = (expected: number, ...of: Parameters<typeof value>) =>
  waitFor(async () => (await value(...of)) === expected, {
    timeoutMs: 20_000,
    what: `${of[0]}: ${of[1]} to be ${expected}`,
  });

test("/metrics takes the METRICS_KEY, the operator's, or none where it is open; and that key opens nothing else", async () => {
  const status = async (service: ServiceName, path: string, headers = {}) =>
    (await fetch(mesh.services[service].url + path, { headers })).status;
  expect(await status("auth", "/metrics")).toBe(401);
  expect(await status("auth", "/metrics", { authorization: "Bearer another" })).toBe(401);
  expect(await status("auth", "/metrics", { authorization: `Bearer ${mesh.env.SFS_TO_AUTH_KEY}` })).toBe(403);
  expect(await status("auth", "/metrics", { authorization: `Bearer ${mesh.key}` })).toBe(200);
  expect(await status("auth", "/metrics", bearer)).toBe(200);
  expect(await status("gateway", "/metrics")).toBe(200);
  expect(await status("auth", "/api/users", bearer)).toBe(403);
  expect(await status("auth", "/operate/resync", bearer)).toBe(403);
  expect(await status("gateway", "/api/routes")).toBe(401);
});

test("a registration is seen at its owner and in each copy: published, applied, fresh", async () => {
  const id = await register(mesh, "seen");
  for (const service of ["sfs", "compute"] as const) await waitFor(() => cached(mesh, service, id));
  await shows(1, "auth", "mesh_relay_published_total");
  await shows(0, "auth", "mesh_outbox_messages");
  expect(await value("auth", "mesh_relay_leader")).toBe(1);
  expect(await value("auth", "mesh_broker_up")).toBe(1);
  expect(await value("auth", "mesh_database_up")).toBe(1);
  const consumer = "sfs_auth_user";
  await shows(1, "sfs", "mesh_events_applied_total", { consumer });
  await shows(0, "sfs", "mesh_consumer_lag_messages", { consumer });
  expect(await value("sfs", "mesh_copy_age_seconds", { consumer, copy: "user_cache" })).toBeLessThan(15);
  expect(await value("sfs", "mesh_batch_duration_seconds_count", { consumer })).toBe(1);
  expect(await value("sfs", "mesh_snapshot_failed", { consumer })).toBe(0);
  expect(await value("sfs", "mesh_dead_letters", { consumer })).toBe(0);
  const route = { http_route: "/api/users", http_response_status_code: "201" };
  expect(await value("auth", "http_server_request_duration_seconds_count", route)).toBe(1);
  expect(await value("auth", "nodejs_eventloop_lag_p99_seconds")).toBeGreaterThan(0);
});

test("more events, entities and strange paths make no more series, and no id is in any", async () => {
  await fetch(`${mesh.services.auth.url}/nothing/here`, { headers: bearer });
  const ids = await Promise.all([1, 2].map((number) => register(mesh, `few-${number}`)));
  await waitFor(() => cached(mesh, "sfs", ids[1] ?? ""));
  const read = async (service: ServiceName) =>
    (await scrape(service)).map(({ name, labels }) => JSON.stringify([name, labels])).sort();
  const before = { auth: await read("auth"), sfs: await read("sfs") };
  for (let at = 0; at < 20; at += 1) ids.push(await register(mesh, `many-${at}`));
  for (const id of ids.slice(0, 3))
    await call(mesh, "auth", `PATCH /api/users/${id}`, { display_name: "new" });
  for (const path of ["/nothing/else", "/api/users2/x"])
    await fetch(mesh.services.auth.url + path, { headers: bearer });
  await waitFor(() => cached(mesh, "sfs", ids.at(-1) ?? ""));
  const after = { auth: await read("auth"), sfs: await read("sfs") };
  // One more for each route and status that was asked for the first time.
  const others = (all: readonly string[]) => all.filter((series) => !series.includes("http_server_request"));
  expect(others(after.sfs)).toEqual(others(before.sfs));
  expect(others(after.auth)).toEqual(others(before.auth));
  for (const id of ids) expect(JSON.stringify(after)).not.toContain(id);
  expect(JSON.stringify(after)).not.toContain("nothing");
});

test("without its database or broker a service still answers a scrape at once, says which is away, and leaves out what it cannot know", async () => {
  const name = (await mesh.databases.sfs.query<{ name: string }>("SELECT current_database() AS name")).rows[0]
    ?.name;
  const admin = mesh.databases.auth;
  await admin.query(`ALTER DATABASE "${name}" ALLOW_CONNECTIONS false`);
  const sessions = "FROM pg_stat_activity WHERE datname = $1 AND application_name LIKE 'meshwright %'";
  await admin.query(`SELECT pg_terminate_backend(pid) ${sessions}`, [name]);
  await shows(0, "sfs", "mesh_database_up");
  expect(await value("sfs", "mesh_outbox_messages")).toBeUndefined();
  expect(await value("sfs", "mesh_broker_up")).toBe(1);
  await admin.query(`ALTER DATABASE "${name}" ALLOW_CONNECTIONS true`);
  await shows(1, "sfs", "mesh_database_up");

  await mesh.nats.stop();
  await shows(0, "sfs", "mesh_broker_up");
  const started = performance.now();
  expect(await value("sfs", "mesh_consumer_lag_messages")).toBeUndefined();
  expect(performance.now() - started).toBeLessThan(2_500);
  await register(mesh, "unpublished");
  await shows(1, "auth", "mesh_outbox_messages");
  expect(await value("auth", "mesh_outbox_oldest_seconds")).toBeGreaterThan(0);
  await mesh.nats.restart();
  await shows(0, "auth", "mesh_outbox_messages");
});
