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

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";

test("a cascade over three hops carries one correlation id and one trace id, and names the event that caused each", async () => {
  const { user, containers } = await settle("traced");
  const deleted = async (correlation: string, traceparent: string) => {
    const answer = await fetch(`${mesh.services.auth.url}/api/users/${user}`, {
      method: "DELETE",
      headers: {
        authorization: `Bearer ${mesh.key}`,
        "mesh-correlation-id": correlation,
        traceparent,
      },
    });
    return answer.status;
  };
  expect(await deleted("ticket-7", `00-${TRACE}-00f067aa0ba902b7-01`)).toBe(204);
  await waitFor(
    async () => (await count("gateway", "routes WHERE container_id = ANY($1)", containers)) === 0,
  );
  const headersOf = async (stream: string, filter: string) =>
    (await bare.stored(stream, filter)).map(({ subject, body, headers }) => ({
      id: body.metadata.event_id,
      subject,
      cause: headers["Mesh-Causation-Id"],
      correlation: headers["Mesh-Correlation-Id"],
      trace: headers.traceparent?.slice(3, 35),
    }));
  const correlated = async (stream: string, filter: string, expected: number) => {
    const found = await waitFor(async () => {
      const all = (await headersOf(stream, filter)).filter(({ correlation }) => correlation === "ticket-7");
      return all.length >= expected ? all : undefined;
    });
    expect(found.map(({ trace }) => trace)).toEqual(found.map(() => TRACE));
    return found;
  };
  const [first] = await correlated("AUTH", `auth.user.${user}.deleted`, 1);
  expect(first?.cause).toBeUndefined();
  const second = await correlated("COMPUTE", "compute.container.*.deleted", 2);
  expect(second.map(({ cause }) => cause)).toEqual([first?.id, first?.id]);
  const third = await correlated("GATEWAY", "gateway.route.*.unregistered", 2);
  expect(third.map(({ cause }) => cause).sort()).toEqual(second.map(({ id }) => id).sort());
  expect((await correlated("SFS", "sfs.namespace.*.updated", 1))[0]?.cause).toBe(first?.id);
});

test("a chain that psql begins is correlated by its first event's id; rubbish of a request reaches no header", async () => {
  const { user, containers } = await settle("plain");
  await mesh.databases.auth.query("DELETE FROM users WHERE user_id = $1", [user]);
  await waitFor(
    async () => (await count("gateway", "routes WHERE container_id = ANY($1)", containers)) === 0,
  );
  const [first] = await bare.stored("AUTH", `auth.user.${user}.deleted`);
  const id = first?.body.metadata.event_id ?? "";
  expect(Object.keys(first?.headers ?? {})).toEqual(["Nats-Msg-Id"]);
  const routes = await waitFor(async () => {
    const all = await bare.stored("GATEWAY", "gateway.route.*.unregistered");
    const of = all.filter(({ headers }) => headers["Mesh-Correlation-Id"] === id);
    return of.length === 2 ? of : undefined;
  });
  expect(routes.map(({ headers }) => headers.traceparent?.slice(3, 35))).toEqual(
    routes.map(() => id.replaceAll("-", "")),
  );
  const answer = await fetch(`${mesh.services.auth.url}/api/users`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${mesh.key}`,
      "content-type": "application/json",
      "mesh-correlation-id": "a b%",
      traceparent: "00-rubbish",
    },
    body: JSON.stringify({ username: "rubbish" }),
  });
  expect(answer.status).toBe(201);
  const { user_id } = (await answer.json()) as { user_id: string };
  const [created] = await waitFor(async () => {
    const stored = await bare.stored("AUTH", `auth.user.${user_id}.created`);
    return stored.length > 0 ? stored : undefined;
  });
  expect(Object.keys(created?.headers ?? {})).toEqual(["Nats-Msg-Id"]);
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
