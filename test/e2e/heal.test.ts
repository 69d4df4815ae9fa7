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

async function verifyGateway() {
  const { code, stdout } = await meshWith(ROOT, mesh.env, "verify", "gateway", "--json");
  const { caches } = JSON.parse(stdout) as { readonly caches: readonly { cache: string; extra: number }[] };
  return { code, extra: caches.find(({ cache }) => cache === "routes")?.extra };
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
  await mesh.services.gateway.start();
  await waitFor(async () => (await routesOf(gone)) === 0, { what: "the cascade" });
  expect(await routesOf(stays)).toBe(1);
  expect(await verifyGateway()).toMatchObject({ code: 0, extra: 0 });
  const ahead = { container_id: "not-made-yet", host: "ahead.test", target: "http://10.0.0.2" };
  await call(mesh, "gateway", "POST /api/routes", ahead);
  expect(await verifyGateway()).toMatchObject({ code: 1, extra: 1 });
  // Only a person can tell such a row from a lost deletion: it stays, and is reported.
  const resynced = await meshWith(ROOT, mesh.env, "resync", "gateway");
  expect(resynced.code).toBe(1);
  expect(resynced.stdout).toContain("what still differs:");
  // The cascade's deletions emit the gateway's own events, as if the lost event had arrived.
  const bare = await bareClient(mesh.operatorUrl);
  await waitFor(async () => (await bare.stored("GATEWAY", "gateway.route.*.unregistered")).length === 1);
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
