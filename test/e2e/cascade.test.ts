import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
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

const folder = mkdtempSync(join(tmpdir(), "mesh-cascade-"));
const cluster = { CLUSTER_LOG: join(folder, "deleted"), CLUSTER_DOWN: join(folder, "down") };
let mesh: TestMesh;
let bare: BareClient;

beforeAll(async () => {
  writeFileSync(cluster.CLUSTER_LOG, "");
  mesh = await startMesh({ env: { compute: cluster } });
  bare = await bareClient(mesh.operatorUrl);
});

afterAll(async () => {
  await bare?.close();
  await mesh?.stop();
  rmSync(folder, { recursive: true });
});

async function create(
  service: ServiceName,
  path: string,
  body: object,
): Promise<Readonly<Record<string, unknown>>> {
  const answer = await call(mesh, service, `POST ${path}`, body);
  expect(answer, `POST ${path}`).toMatchObject({ status: 201 });
  return answer.body;
}

async function count(service: ServiceName, sql: string, ...values: unknown[]): Promise<number> {
  const found = await mesh.databases[service].query<{ n: number }>(
    `SELECT count(*)::int AS n FROM ${sql}`,
    values,
  );
  return found.rows[0]?.n ?? 0;
}

/** A user with rows in every service, and a second one whose rows must survive. */
async function settle(username: string) {
  const user = await register(mesh, username);
  await waitFor(async () => (await cached(mesh, "sfs", user)) && (await cached(mesh, "compute", user)));
  const namespace = await create("sfs", "/api/namespaces", { name: `${username}-files`, owner_id: user });
  const file = await create("sfs", "/api/files", {
    namespace_id: namespace.namespace_id,
    path: "/notes.txt",
    uploader_id: user,
  });
  const containers = await Promise.all(
    ["web", "db"].map((name) =>
      create("compute", "/api/containers", {
        user_id: user,
        name,
        namespace: `${username}-${name}`,
        image: "img:1",
      }),
    ),
  );
  const key = await create("compute", "/api/ssh-keys", {
    user_id: user,
    name: "laptop",
    public_key: "ssh-ed25519 AAAA",
    fingerprint: `SHA256:${username}`,
  });
  for (const { container_id, name } of containers) {
    await create("gateway", "/api/routes", {
      container_id,
      host: `${username}.example`,
      path_prefix: `/${name}`,
      target: "x",
    });
    await create("gateway", "/api/ingress-rules", { container_id, port: 443 });
  }
  return { user, namespace, file, key, containers: containers.map((row) => String(row.container_id)) };
}

test("deleting a user cascades over every hop, each with its own events, and touches no other user", async () => {
  const gone = await settle("gone");
  const stays = await settle("stays");
  expect((await call(mesh, "auth", `DELETE /api/users/${gone.user}`)).status).toBe(204);
  await waitFor(
    async () => (await count("gateway", "routes WHERE container_id = ANY($1)", gone.containers)) === 0,
  );
  await waitFor(
    async () => (await count("gateway", "ingress_rules WHERE container_id = ANY($1)", gone.containers)) === 0,
  );
  await waitFor(async () => (await count("sfs", "namespaces WHERE owner_id = $1", gone.user)) === 0);

  expect(
    await count(
      "sfs",
      "namespaces WHERE namespace_id = $1 AND owner_id IS NULL",
      gone.namespace.namespace_id,
    ),
  ).toBe(1);
  expect(await count("sfs", "files WHERE file_id = $1 AND uploader_id IS NULL", gone.file.file_id)).toBe(1);
  expect(await count("compute", "containers WHERE user_id = $1", gone.user)).toBe(0);
  expect(await count("compute", "ssh_keys WHERE user_id = $1", gone.user)).toBe(0);
  expect(await cached(mesh, "sfs", gone.user)).toBeUndefined();
  expect(await cached(mesh, "compute", gone.user)).toBeUndefined();

  expect(await count("sfs", "namespaces WHERE owner_id = $1", stays.user)).toBe(1);
  expect(await count("sfs", "files WHERE uploader_id = $1", stays.user)).toBe(1);
  expect(await count("compute", "containers WHERE user_id = $1", stays.user)).toBe(2);
  expect(await count("compute", "ssh_keys WHERE user_id = $1", stays.user)).toBe(1);
  expect(await count("gateway", "routes WHERE container_id = ANY($1)", stays.containers)).toBe(2);
  expect(await count("gateway", "ingress_rules WHERE container_id = ANY($1)", stays.containers)).toBe(2);

  const deletions = async (stream: string, filter: string) =>
    (await bare.stored(stream, filter)).map((m) => m.subject).sort();
  const eventually = (stream: string, filter: string, expected: number) =>
    waitFor(async () => (await deletions(stream, filter)).length >= expected, {
      what: `${expected} × ${filter}`,
    });
  await eventually("GATEWAY", "gateway.route.*.unregistered", 2);
  await eventually("GATEWAY", "gateway.ingress.*.deleted", 2);
  expect(await deletions("COMPUTE", "compute.container.*.deleted")).toEqual(
    gone.containers.map((id) => `compute.container.${id}.deleted`).sort(),
  );
  expect(await deletions("COMPUTE", "compute.sshkey.*.deleted")).toEqual([
    `compute.sshkey.${gone.key.key_id}.deleted`,
  ]);
  expect(await deletions("GATEWAY", "gateway.route.*.unregistered")).toHaveLength(2);
  expect(await deletions("GATEWAY", "gateway.ingress.*.deleted")).toHaveLength(2);
  expect(await deletions("SFS", "sfs.namespace.*.updated")).toEqual([
    `sfs.namespace.${gone.namespace.namespace_id}.updated`,
  ]);
  expect(readFileSync(cluster.CLUSTER_LOG, "utf8").trim().split("\n").sort()).toEqual([
    "gone-db",
    "gone-web",
  ]);
});

test("a cascade keeps a row until its hook succeeds on a retry; other rows do not wait for it", async () => {
  const { user, containers } = await settle("patient");
  writeFileSync(cluster.CLUSTER_DOWN, "");
  await call(mesh, "auth", `DELETE /api/users/${user}`);
  await waitFor(async () => (await count("compute", "ssh_keys WHERE user_id = $1", user)) === 0);
  expect(await count("compute", "containers WHERE user_id = $1", user)).toBe(2);
  expect(await count("gateway", "routes WHERE container_id = ANY($1)", containers)).toBe(2);

  const next = await register(mesh, "not-blocked");
  await waitFor(() => cached(mesh, "compute", next), {
    what: "another user's event behind the waiting cascade",
  });

  rmSync(cluster.CLUSTER_DOWN);
  const patience = { timeoutMs: 40_000, what: "the containers to go once the cluster is back" };
  await waitFor(async () => (await count("compute", "containers WHERE user_id = $1", user)) === 0, patience);
  await waitFor(
    async () => (await count("gateway", "routes WHERE container_id = ANY($1)", containers)) === 0,
  );
});

test("an insert that refers to a deleted user is refused", async () => {
  const user = await register(mesh, "too-late");
  await waitFor(() => cached(mesh, "compute", user));
  await call(mesh, "auth", `DELETE /api/users/${user}`);
  await waitFor(async () => !(await cached(mesh, "compute", user)));
  const late = await call(mesh, "compute", "POST /api/ssh-keys", {
    user_id: user,
    name: "late",
    public_key: "ssh-ed25519 AAAA",
    fingerprint: "SHA256:late",
  });
  expect(late.status).toBeGreaterThanOrEqual(400);
  expect(late.status).toBeLessThan(500);
  expect(await count("compute", "ssh_keys WHERE user_id = $1", user)).toBe(0);
});
