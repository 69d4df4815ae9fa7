import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import {
  bareClient,
  cached,
  call,
  register,
  startMesh,
  type TestMesh,
  waitFor,
} from "../support/reference-mesh.js";

const folder = mkdtempSync(join(tmpdir(), "mesh-lives-"));
const clusterLog = join(folder, "deleted");
let mesh: TestMesh;
afterAll(async () => {
  await mesh?.stop();
  rmSync(folder, { recursive: true });
});

async function rows(service: "sfs" | "compute", sql: string): Promise<readonly object[]> {
  return (await mesh.databases[service].query(sql)).rows;
}

test("a user who was deleted and re-created while the services were down inherits no rows", async () => {
  writeFileSync(clusterLog, "");
  mesh = await startMesh({
    start: ["auth", "sfs", "compute"],
    env: { compute: { CLUSTER_LOG: clusterLog } },
  });
  const user = await register(mesh, "former");
  await waitFor(async () => (await cached(mesh, "sfs", user)) && (await cached(mesh, "compute", user)));
  const make = async (service: "sfs" | "compute", path: string, body: object) =>
    expect(await call(mesh, service, `POST ${path}`, body)).toMatchObject({ status: 201 });
  await make("sfs", "/api/namespaces", { name: "files", owner_id: user });
  await make("compute", "/api/containers", {
    user_id: user,
    name: "web",
    namespace: "former-web",
    image: "img:1",
  });
  await make("compute", "/api/ssh-keys", {
    user_id: user,
    name: "laptop",
    public_key: "ssh-ed25519 AAAA",
    fingerprint: "SHA256:former",
  });
  await Promise.all([mesh.services.sfs.stop(), mesh.services.compute.stop()]);

  await call(mesh, "auth", `DELETE /api/users/${user}`);
  await mesh.databases.auth.query("INSERT INTO users (user_id, username) VALUES ($1, 'later')", [user]);
  const bare = await bareClient(mesh.operatorUrl);
  await waitFor(async () => (await bare.stored("AUTH", "auth.user.*.*")).length === 3, {
    what: "all three events",
  });
  // Whether the snapshot or the events come first is a race; without them it is the snapshot.
  await bare.jsm.streams.purge("AUTH");
  await bare.close();

  await Promise.all([mesh.services.sfs.start(), mesh.services.compute.start()]);
  for (const service of ["sfs", "compute"] as const) {
    await waitFor(async () => (await cached(mesh, service, user))?.username === "later", {
      what: `the new user in ${service}`,
    });
  }
  expect(await rows("sfs", "SELECT name, owner_id FROM namespaces")).toEqual([
    { name: "files", owner_id: null },
  ]);
  expect(await rows("compute", "SELECT FROM ssh_keys")).toEqual([]);
  await waitFor(async () => (await rows("compute", "SELECT FROM containers")).length === 0, {
    what: "the former container to go",
  });
  expect(readFileSync(clusterLog, "utf8")).toBe("former-web\n");
  expect(await rows("sfs", "SELECT user_id FROM handled")).toEqual([{ user_id: user }, { user_id: user }]);
  await make("compute", "/api/ssh-keys", {
    user_id: user,
    name: "laptop",
    public_key: "ssh-ed25519 BBBB",
    fingerprint: "SHA256:later",
  });
});
