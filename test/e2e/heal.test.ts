import { afterEach, expect, test } from "vitest";
import { ROOT } from "../support/compile.js";
import { meshWith } from "../support/mesh-command.js";
import { bareClient, call, register, startMesh, type TestMesh, waitFor } from "../support/reference-mesh.js";

/*
 * The gateway keeps no copy of containers, only rows that hang on them. What it was never told it learns
 * from compute, where it knows the way.
 */

let mesh: TestMesh;
afterEach(() => mesh?.stop());

async function containerWithRoute(user_id: string, name: string): Promise<string> {
  const container = { user_id, name, namespace: `ns-${name}`, image: "nginx" };
  const made = await call(mesh, "compute", "POST /api/containers", container);
  expect(made.status).toBe(201);
  const container_id = String(made.body.container_id);
  const route = { container_id, host: `${name}.test`, target: "http://10.0.0.1" };
  expect((await call(mesh, "gateway", "POST /api/routes", route)).status).toBe(201);
  return container_id;
}

async function routesOf(container: string): Promise<number> {
  const sql = "SELECT count(*)::int AS n FROM routes WHERE container_id = $1";
  return (await mesh.databases.gateway.query<{ n: number }>(sql, [container])).rows[0]?.n ?? 0;
}

const heard = (container: string) =>
  waitFor(
    async () => {
      const sql =
        "SELECT FROM mesh.applied WHERE entity = 'compute.container' AND entity_id = $1 AND version > 0";
      return (await mesh.databases.gateway.query(sql, [container])).rowCount === 1;
    },
    { what: `the gateway to hear of ${container}` },
  );

interface FoundRoutes {
  readonly cache: string;
  readonly extra: number;
  readonly dangling: number;
  readonly sample: readonly { readonly finding: string; readonly reason: string | null }[];
}

async function verifyGateway() {
  const { code, stdout } = await meshWith(ROOT, mesh.env, "verify", "gateway", "--json");
  const { caches } = JSON.parse(stdout) as { readonly caches: readonly FoundRoutes[] };
  const { extra, dangling, sample } = caches.find(({ cache }) => cache === "routes") ?? {};
  return { code, extra, dangling, said: sample?.map(({ finding, reason }) => `${finding}: ${reason}`) };
}

/** Behind the back of the trigger that refuses it, as a dump is restored. */
async function insertUnseen(container: string): Promise<void> {
  const { gateway } = mesh.databases;
  await gateway.query(`BEGIN; SET LOCAL session_replication_role = replica;
    INSERT INTO routes (route_id, container_id, host, target) VALUES ('unseen', '${container}', 'unseen.test', 'http://10.0.0.3'); COMMIT`);
}

/** Deletes a container at its owner while the gateway is down, and loses the event. */
async function deleteUnheard(container: string): Promise<void> {
  const bare = await bareClient(mesh.operatorUrl);
  await call(mesh, "compute", `DELETE /api/containers/${container}`);
  await waitFor(async () => (await bare.stored("COMPUTE", "compute.container.*.deleted")).length === 1);
  await bare.jsm.streams.purge("COMPUTE");
  await bare.close();
}

test("a cascade runs from a list of ids at the start, though the event of the deletion was lost", async () => {
  mesh = await startMesh();
  const user = await register(mesh, "owner");
  const [gone, stays] = [await containerWithRoute(user, "gone"), await containerWithRoute(user, "stays")];
  await Promise.all([heard(gone), heard(stays)]);
  await mesh.services.gateway.stop();
  await deleteUnheard(gone);
  // A snapshot is what mends this one, and is said to.
  expect(await verifyGateway()).toMatchObject({ code: 1, extra: 1, dangling: 0, said: ["extra: null"] });
  const missed = await meshWith(ROOT, mesh.env, "verify", "gateway");
  expect(missed.stdout).toContain("healed by: mesh resync gateway");
  expect(missed.stdout).not.toContain("dangling");
  await mesh.services.gateway.start();
  await waitFor(async () => (await routesOf(gone)) === 0, { what: "the cascade" });
  expect(await routesOf(stays)).toBe(1);
  expect(await verifyGateway()).toMatchObject({ code: 0, extra: 0, dangling: 0 });
  const ahead = { container_id: "not-made-yet", host: "ahead.test", target: "http://10.0.0.2" };
  await call(mesh, "gateway", "POST /api/routes", ahead);
  await insertUnseen(gone);
  expect(await verifyGateway()).toMatchObject({
    code: 1,
    extra: 0,
    dangling: 2,
    said: expect.arrayContaining([
      "dangling: refers to compute.container not-made-yet, which its owner does not have and which was never known here",
      `dangling: refers to compute.container ${gone}, whose deletion was applied here before: no trigger has seen the row come`,
    ]),
  });
  // Only a person can tell such rows from lost deletions: they stay, and no resync is said to mend them.
  const said =
    /dangling rows are left by every resync: delete each in the database of gateway, or make what it refers to at its owner/;
  const resynced = await meshWith(ROOT, mesh.env, "resync", "gateway");
  expect(resynced).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/what still differs:[\s\S]*2 dangling/),
  });
  for (const { stdout } of [resynced, await meshWith(ROOT, mesh.env, "verify", "gateway")]) {
    expect(stdout).toMatch(said);
    expect(stdout).not.toContain("healed by");
  }
  await mesh.databases.gateway.query("DELETE FROM routes WHERE container_id IN ($1, 'not-made-yet')", [gone]);
  expect(await verifyGateway()).toMatchObject({ code: 0, extra: 0, dangling: 0 });
  // The same where the consumer keeps a copy of what its rows refer to.
  const { sfs } = mesh.databases;
  await sfs.query(
    "INSERT INTO namespaces (namespace_id, name, owner_id) VALUES ('ahead', 'ahead', 'nobody')",
  );
  const copied = await meshWith(ROOT, mesh.env, "verify", "sfs");
  expect(copied.code).toBe(1);
  expect(copied.stdout).toMatch(/^sfs_auth_user → user_cache: equal/m);
  expect(copied.stdout).toMatch(
    /^sfs_auth_user → namespaces: 0 missing, 0 extra, 0 differing, 1 dangling of 1 row .*\n {2}dangling {2}ahead: refers to auth\.user nobody, which its owner does not have/m,
  );
  await sfs.query("DELETE FROM namespaces WHERE namespace_id = 'ahead'");
  expect((await meshWith(ROOT, mesh.env, "verify", "sfs")).code).toBe(0);
  // The cascade's deletions emit the gateway's own events, as if the lost event had arrived.
  const bare = await bareClient(mesh.operatorUrl);
  await waitFor(async () => (await bare.stored("GATEWAY", "gateway.route.*.unregistered")).length === 3);
  await bare.close();
});

test("without COMPUTE_SERVICE_URL, as the documented system is deployed, the gateway runs and says what it cannot heal", async () => {
  mesh = await startMesh({ env: { gateway: { COMPUTE_SERVICE_URL: "" } } });
  const user = await register(mesh, "owner");
  const container = await containerWithRoute(user, "heard");
  await call(mesh, "compute", `DELETE /api/containers/${container}`);
  await waitFor(async () => (await routesOf(container)) === 0, { what: "the cascade" });
  const said = mesh.services.gateway.log.filter((line) => line.includes("COMPUTE_SERVICE_URL"));
  expect(said).toHaveLength(1);
  expect(said[0]).toContain("the variable is not set: deletions whose events are lost cannot be found");
  expect(await mesh.services.gateway.ready()).toBe(true);
});
