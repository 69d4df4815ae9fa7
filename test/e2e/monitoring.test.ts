import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compile, ROOT } from "../support/compile.js";
import { emitAll } from "../support/emitted-files.js";
import { type AlertEngine, openAlertEngine, rulesOf } from "../support/firing-alerts.js";
import {
  type BareClient,
  bareClient,
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

const CLUSTER_DOWN = join(tmpdir(), `mesh-cluster-down-${process.pid}`);

let mesh: TestMesh;
let bare: BareClient;
let alerts: AlertEngine;
let rules: string;

beforeAll(async () => {
  const env = Object.fromEntries(SERVICES.map((service) => [service, { METRICS_KEY }]));
  mesh = await startMesh({
    env: {
      ...env,
      compute: { METRICS_KEY, CLUSTER_DOWN },
      gateway: { METRICS_KEY: "open" },
    },
  });
  bare = await bareClient(mesh.operatorUrl);
  rules = await rulesOfImpatientMesh();
  alerts = await openAlertEngine({
    rules,
    targets: SERVICES.map((service) => mesh.services[service].url),
    key: METRICS_KEY,
  });
});

afterAll(async () => {
  await alerts?.close();
  await bare?.close();
  await mesh?.stop();
  rmSync(CLUSTER_DOWN, { force: true });
});

/** The reference mesh with tolerances that a test can wait for: its rules follow. */
async function rulesOfImpatientMesh(): Promise<string> {
  const text = readFileSync(join(ROOT, "mesh.yaml"), "utf8")
    .replace(
      /^services:/m,
      "delivery: { attempts: 1, backoff: [1s], ack_wait: 3s }\nstreams: { max_age: 8s, max_messages: 10, duplicate_window: 2s }\nservices:",
    )
    .replaceAll("get: /api/users }", "get: /api/users, every: 1s }");
  return (await emitAll(compile(text)))["monitoring/alerts.yml"] ?? "";
}

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
  const posted = await fetch(`${mesh.services.auth.url}/metrics`, {
    method: "POST",
    headers: { authorization: `Bearer ${mesh.key}` },
  });
  expect([posted.status, posted.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
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
  // One more for each route and status that was asked for the first time, and for each kind of garbage collection.
  const others = (all: readonly string[]) =>
    all.filter((series) => !/http_server_request|nodejs_gc/.test(series));
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

const fires = (alert: string) =>
  waitFor(async () => (await alerts.firing()).has(alert), {
    timeoutMs: 60_000,
    what: `${alert} to fire (${alerts.name})`,
  });
const fired = new Set<string>();

const silent = (names: readonly string[]) =>
  waitFor(
    async () => {
      const now = await alerts.firing();
      return names.every((name) => !now.has(name));
    },
    { timeoutMs: 120_000, what: `${names.join(", ")} to be silent (${alerts.name})` },
  );

/** The alerts are silent, once the test before is over; the fault has them; and when it is mended they fall silent again. */
async function tells(names: readonly string[], fault: () => Promise<unknown>, mend: () => Promise<unknown>) {
  await silent(names);
  await fault();
  for (const name of names) await fires(name);
  for (const name of names) fired.add(name);
  await mend();
  await silent(names);
}

const resync = (service: ServiceName) => call(mesh, service, "POST /operate/resync");

test("a service that is gone, and one whose database is away at its start", {
  timeout: 300_000,
}, async () => {
  const { gateway, auth } = mesh.databases;
  const { name } = (await gateway.query<{ name: string }>("SELECT current_database() AS name")).rows[0] ?? {};
  await tells(
    ["MeshServiceGone"],
    () => mesh.services.gateway.stop(),
    async () => {
      await auth.query(`ALTER DATABASE "${name}" ALLOW_CONNECTIONS false`);
      mesh.services.gateway.launch();
    },
  );
  await fires("MeshServiceNotServing");
  await tells(
    [],
    async () => {
      await fires("MeshDatabaseUnreachable");
      for (const alert of ["MeshServiceNotServing", "MeshDatabaseUnreachable"]) fired.add(alert);
    },
    () => auth.query(`ALTER DATABASE "${name}" ALLOW_CONNECTIONS true`),
  );
  await shows(1, "gateway", "mesh_serving");
});

test("a broker that is away: unreachable, consumers stalled, an event that grows old in its outbox", {
  timeout: 300_000,
}, async () => {
  await tells(
    ["MeshBrokerUnreachable", "MeshConsumerStalled", "MeshOutboxOld"],
    async () => {
      await mesh.nats.stop();
      await register(mesh, "waits");
      // Nobody waits for a minute here.
      await mesh.databases.auth.query("UPDATE mesh.outbox SET created_at = now() - interval '2 minutes'");
    },
    () => mesh.nats.restart(),
  );
});

test("an event that the broker refuses, for it is larger than it takes", { timeout: 300_000 }, async () => {
  const { auth } = mesh.databases;
  await tells(
    ["MeshEventsRefused"],
    async () => {
      await auth.query("UPDATE mesh.broker SET max_event_bytes = 10000000");
      await register(mesh, "huge", "x".repeat(1_500_000));
    },
    () => auth.query("DELETE FROM mesh.outbox"),
  );
});

test("a message that is no event is a dead letter, which waits for a person", {
  timeout: 300_000,
}, async () => {
  await tells(
    ["MeshDeadLetters"],
    () => bare.publish("auth.user.none.created", "no event"),
    async () => {
      for (const service of ["sfs", "compute"] as const)
        await mesh.databases[service].query("UPDATE mesh.dead_letter SET settled_as = 'redriven'");
    },
  );
});

test("a consumer that hangs: late, then near eviction, then nearly overrun", {
  timeout: 300_000,
}, async () => {
  const holder = await mesh.databases.sfs.connect();
  await tells(
    ["MeshEventsLate", "MeshEventsNearEviction", "MeshStreamNearlyOverrun"],
    async () => {
      await holder.query("BEGIN; LOCK TABLE user_cache IN ACCESS EXCLUSIVE MODE");
      for (let at = 0; at < 8; at += 1) await register(mesh, `hangs-${at}`);
    },
    async () => {
      await holder.query("ROLLBACK");
      holder.release();
    },
  );
});

test("a before hook that fails keeps its rows", { timeout: 300_000 }, async () => {
  const user = await register(mesh, "with-container");
  await waitFor(() => cached(mesh, "compute", user));
  const container = { user_id: user, name: "c", namespace: "n", image: "i" };
  expect((await call(mesh, "compute", "POST /api/containers", container)).status).toBe(201);
  await tells(
    ["MeshCascadeFailing"],
    async () => {
      writeFileSync(CLUSTER_DOWN, "");
      await call(mesh, "auth", `DELETE /api/users/${user}`);
    },
    async () => {
      rmSync(CLUSTER_DOWN);
      await mesh.databases.compute.query("UPDATE mesh.cascade_task SET next_at = now()");
    },
  );
  expect(existsSync(CLUSTER_DOWN)).toBe(false);
});

test("a copy whose source has rows that it cannot take, is out of reach, is asked too rarely, or has missed events", {
  timeout: 300_000,
}, async () => {
  const { sfs, auth } = mesh.databases;
  // Taken once an hour, not once a second as the rules of the impatient mesh expect.
  await fires("MeshSnapshotOverdue");
  fired.add("MeshSnapshotOverdue");
  await tells(
    ["MeshSnapshotRowsUnfit"],
    async () => {
      await sfs.query("ALTER TABLE user_cache ADD CONSTRAINT fits CHECK (username <> 'unfit') NOT VALID");
      await auth.query(
        "BEGIN; SET LOCAL session_replication_role = replica; INSERT INTO users (user_id, username) VALUES ('unfit', 'unfit'); COMMIT",
      );
      await resync("sfs");
    },
    async () => {
      await sfs.query("ALTER TABLE user_cache DROP CONSTRAINT fits");
      await resync("sfs");
    },
  );
  await tells(
    ["MeshSnapshotFailed", "MeshSnapshotWanted"],
    async () => {
      await mesh.services.sfs.stop();
      const stored = async () => (await bare.jsm.streams.info("AUTH")).state.last_seq;
      const before = await stored();
      await register(mesh, "missed");
      await waitFor(async () => (await stored()) > before, { what: "the event in its stream" });
      await mesh.services.auth.stop();
      await bare.jsm.streams.purge("AUTH");
      mesh.services.sfs.launch();
    },
    async () => {
      await mesh.services.auth.start();
      await resync("sfs");
    },
  );
});

test("every alert of the reference mesh was fired by its fault", () => {
  expect([...new Set(rulesOf(rules).map(({ alert }) => alert))].filter((alert) => !fired.has(alert))).toEqual(
    [],
  );
});
