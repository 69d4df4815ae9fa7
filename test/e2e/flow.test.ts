import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type BareClient,
  bareClient,
  cached,
  call,
  register,
  startMesh,
  type TestMesh,
  waitFor,
} from "../support/reference-mesh.js";

let mesh: TestMesh;
let bare: BareClient;

beforeAll(async () => {
  mesh = await startMesh();
  bare = await bareClient(mesh.operatorUrl);
});

afterAll(async () => {
  await bare?.close();
  await mesh?.stop();
});

const inBothCaches = (id: string, expected: object) =>
  Promise.all(
    (["sfs", "compute"] as const).map(async (service) => {
      await waitFor(
        async () => {
          const row = await cached(mesh, service, id);
          return row && Object.entries(expected).every(([name, value]) => Reflect.get(row, name) === value);
        },
        { what: `${id} in ${service}'s user_cache as ${JSON.stringify(expected)}` },
      );
    }),
  );

test("a registration fills both caches", async () => {
  const id = await register(mesh, "ada", "Ada Lovelace");
  await inBothCaches(id, { username: "ada", display_name: "Ada Lovelace" });
});

test("an update and a rename reach both caches", async () => {
  const id = await register(mesh, "grace");
  await inBothCaches(id, { username: "grace" });
  const updated = await call(mesh, "auth", `PATCH /api/users/${id}`, { display_name: "Rear Admiral Hopper" });
  expect(updated.status).toBe(200);
  await inBothCaches(id, { username: "grace", display_name: "Rear Admiral Hopper" });
  await call(mesh, "auth", `PATCH /api/users/${id}`, { username: "hopper" });
  await inBothCaches(id, { username: "hopper", display_name: "Rear Admiral Hopper" });
});

test("two users swap names through a third, and the caches follow", async () => {
  const [left, right] = [await register(mesh, "left"), await register(mesh, "right")];
  await call(mesh, "auth", `PATCH /api/users/${left}`, { username: "between" });
  await call(mesh, "auth", `PATCH /api/users/${right}`, { username: "left" });
  await call(mesh, "auth", `PATCH /api/users/${left}`, { username: "right" });
  await inBothCaches(left, { username: "right" });
  await inBothCaches(right, { username: "left" });
});

test("a registration is refused as a whole when the name is taken, and emits nothing", async () => {
  const first = await register(mesh, "taken");
  const second = await call(mesh, "auth", "POST /api/users", { username: "taken" });
  expect(second.status).toBe(409);
  // Its event is stored after all earlier ones: the relay keeps the outbox's order.
  await inBothCaches(await register(mesh, "after-taken"), { username: "after-taken" });
  const events = await bare.stored("AUTH", "auth.user.*.created");
  const taken = events.filter(({ body }) => body.username === "taken");
  expect(taken.map(({ body }) => body.user_id)).toEqual([first]);
});

test("REST refuses a caller without the service key", async () => {
  const response = await fetch(`${mesh.services.auth.url}/api/users`);
  expect(response.status).toBe(401);
});

test("a row written by plain SQL emits its event; a transaction that is rolled back emits none", async () => {
  const auth = mesh.databases.auth;
  const client = await auth.connect();
  try {
    await client.query("BEGIN");
    await client.query("INSERT INTO users (user_id, username) VALUES ('sql-rolled-back', 'rolled-back')");
    await client.query("ROLLBACK");
  } finally {
    client.release();
  }
  await auth.query("INSERT INTO users (user_id, username) VALUES ('sql-committed', 'committed')");
  await inBothCaches("sql-committed", { username: "committed" });
  expect(await bare.stored("AUTH", "auth.user.sql-committed.*")).toHaveLength(1);
  expect(await bare.stored("AUTH", "auth.user.sql-rolled-back.*")).toHaveLength(0);
  expect(await cached(mesh, "sfs", "sql-rolled-back")).toBeUndefined();
});

test("an update that changes no payload column emits nothing", async () => {
  const id = await register(mesh, "unchanged");
  await mesh.databases.auth.query("UPDATE users SET created_at = now() WHERE user_id = $1", [id]);
  await mesh.databases.auth.query("UPDATE users SET display_name = display_name WHERE user_id = $1", [id]);
  await call(mesh, "auth", `PATCH /api/users/${id}`, { display_name: "changed" });
  await inBothCaches(id, { display_name: "changed" });
  expect(await bare.stored("AUTH", `auth.user.${id}.updated`)).toHaveLength(1);
});

test("an id with . * > % space newline and é goes from table to cache and touches no other subject", async () => {
  const id = "a.b*c>d%e f\ng\r\nPUB pwned 2\r\nhié";
  const before = (await bare.jsm.streams.info("AUTH")).state.messages;
  await mesh.databases.auth.query("INSERT INTO users (user_id, username) VALUES ($1, 'odd')", [id]);
  await inBothCaches(id, { username: "odd" });
  const stored = (await bare.stored("AUTH", "auth.user.*.created")).filter((m) => m.body.user_id === id);
  expect(stored).toHaveLength(1);
  expect(stored[0]?.body.metadata.entity_id).toBe(id);
  expect(stored[0]?.subject.split(".")).toHaveLength(4);
  expect(stored[0]?.subject).toMatch(/^auth\.user\.[\x21-\x7e]+\.created$/);
  expect((await bare.jsm.streams.info("AUTH")).state.messages).toBe(before + 1);
  const removed = await call(mesh, "auth", `DELETE /api/users/${encodeURIComponent(id)}`);
  expect(removed.status).toBe(204);
  await waitFor(async () => !(await cached(mesh, "sfs", id)) && !(await cached(mesh, "compute", id)));
});

test("a name is free for a new user the moment its holder is gone", async () => {
  const first = await register(mesh, "reused");
  await call(mesh, "auth", `DELETE /api/users/${first}`);
  const second = await register(mesh, "reused");
  await inBothCaches(second, { username: "reused" });
  expect(await cached(mesh, "sfs", first)).toBeUndefined();
});
