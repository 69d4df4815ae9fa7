import { afterEach, expect, test } from "vitest";
import {
  bareClient,
  cached,
  call,
  register,
  startMesh,
  type TestMesh,
  waitFor,
} from "../support/reference-mesh.js";

let mesh: TestMesh;
afterEach(() => mesh?.stop());

const inCache = (id: string) =>
  waitFor(() => cached(mesh, "sfs", id), { what: `${id} in the cache`, timeoutMs: 30_000 });

test("a start-up snapshot fills an empty cache and removes deleted users, though the stream holds nothing", async () => {
  mesh = await startMesh({ start: ["auth"] });
  const [kept, gone] = [await register(mesh, "kept"), await register(mesh, "gone")];
  await mesh.services.sfs.start();
  await inCache(kept);
  await inCache(gone);
  const namespace = await call(mesh, "sfs", "POST /api/namespaces", { name: "of-gone", owner_id: gone });
  await mesh.services.sfs.stop();

  await call(mesh, "auth", `DELETE /api/users/${gone}`);
  await mesh.databases.auth.query("UPDATE users SET display_name = 'new' WHERE user_id = $1", [kept]);
  const bare = await bareClient(mesh.operatorUrl);
  await waitFor(async () => (await bare.stored("AUTH", "auth.user.*.*")).length === 4, {
    what: "all four events",
  });
  await bare.jsm.streams.purge("AUTH");
  await bare.close();

  await mesh.services.sfs.start();
  await waitFor(async () => (await cached(mesh, "sfs", kept))?.display_name === "new", {
    what: "the missed update",
  });
  await waitFor(async () => !(await cached(mesh, "sfs", gone)), { what: "the missed deletion" });
  const owner = await mesh.databases.sfs.query("SELECT owner_id FROM namespaces WHERE namespace_id = $1", [
    namespace.body.namespace_id,
  ]);
  expect(owner.rows).toEqual([{ owner_id: null }]);
});

test("with its snapshot source down a service starts, logs a warning, and applies events", async () => {
  mesh = await startMesh({ start: ["auth"] });
  const before = await register(mesh, "before");
  await mesh.services.auth.stop();
  mesh.services.sfs.launch();
  await waitFor(async () => (await mesh.services.sfs.health()) === "degraded", {
    what: "sfs to serve without it",
  });
  expect((await call(mesh, "sfs", "GET /api/namespaces")).status).toBe(200);
  const warned = (line: string) => /"level":"warn"/.test(line) && line.includes("no snapshot");
  await waitFor(() => mesh.services.sfs.log.some(warned), { what: "a warning" });
  await inCache(before);
  await mesh.services.auth.start();
  await inCache(await register(mesh, "after"));
});

test("with the broker down writes go to the outbox, caches are readable, and every event is published later", async () => {
  mesh = await startMesh({ start: ["auth", "sfs"] });
  const early = await register(mesh, "early");
  await inCache(early);
  await mesh.nats.kill();
  await waitFor(async () => !(await mesh.services.auth.ready()), { what: "auth to say that it is degraded" });
  const during = await register(mesh, "during");
  const read = await call(mesh, "sfs", "GET /api/namespaces");
  expect(read.status).toBe(200);
  expect((await cached(mesh, "sfs", early))?.username).toBe("early");
  await mesh.nats.restart();
  await inCache(during);
  await waitFor(() => mesh.services.auth.ready(), { what: "auth to be ready again" });
});

test("a service starts while the broker is down and connects when it is up", async () => {
  mesh = await startMesh({ start: [] });
  await mesh.nats.stop();
  mesh.services.auth.launch();
  const id = await waitFor(() => register(mesh, "no-broker-yet"), {
    timeoutMs: 30_000,
    what: "a first write",
  });
  mesh.services.sfs.launch();
  await mesh.nats.restart();
  await inCache(id);
  await waitFor(() => mesh.services.sfs.ready(), { timeoutMs: 30_000, what: "sfs to become ready" });
});

test("with its database down nothing is acked, nothing is lost, and nothing becomes a dead letter", async () => {
  mesh = await startMesh({ start: ["auth", "sfs"] });
  await inCache(await register(mesh, "first"));
  const name = new URL(mesh.urls.sfs).pathname.slice(1);
  const sever = async (allow: boolean) => {
    await mesh.databases.auth.query(`ALTER DATABASE "${name}" ALLOW_CONNECTIONS ${allow}`);
    await mesh.databases.auth.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1",
      [name],
    );
  };
  mesh.databases.sfs.on("error", () => undefined);
  await sever(false);
  const during = await register(mesh, "while-down");
  await waitFor(async () => !(await mesh.services.sfs.ready()), { what: "sfs to say that it is degraded" });
  await sever(true);
  await inCache(during);
  const dead = await mesh.databases.sfs.query("SELECT FROM mesh.dead_letter");
  expect(dead.rowCount).toBe(0);
});
