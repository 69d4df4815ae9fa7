import { randomUUID } from "node:crypto";
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

/*
 * Both directions of the wire against a client that knows only the documents: what it reads is as
 * documented, and what it sends in the documented bytes is applied, version or none.
 */

let mesh: TestMesh;
let bare: BareClient;

beforeAll(async () => {
  mesh = await startMesh({ start: ["auth", "sfs"] });
  bare = await bareClient(mesh.operatorUrl);
});

afterAll(async () => {
  await bare?.close();
  await mesh?.stop();
});

interface Documented {
  readonly id: string;
  readonly username: string;
  readonly display_name?: string;
  readonly version?: number;
  readonly event_id?: string;
}

/** The documents' own bytes, as a Go service's encoder prints them; `version` is omitted when zero. */
function documented(user: Documented): string {
  const metadata = {
    event_id: user.event_id ?? randomUUID(),
    entity_id: user.id,
    timestamp: 1705920000,
    source: "auth-service",
    ...(user.version && { version: user.version }),
  };
  const name = user.display_name === undefined ? {} : { display_name: user.display_name };
  return JSON.stringify({ metadata, user_id: user.id, username: user.username, ...name });
}

const send = (action: string, user: Documented) =>
  bare.publish(`auth.user.${user.id}.${action}`, documented(user));
const applied = () => bare.drained("AUTH", "sfs_auth_user");

test("what a bare client reads is what the documents say: keys, order, types, subject, id", async () => {
  const id = await register(mesh, "johndoe", "John Doe");
  await call(mesh, "auth", `PATCH /api/users/${id}`, { display_name: "John D." });
  await call(mesh, "auth", `DELETE /api/users/${id}`);
  const stored = await waitFor(async () => {
    const messages = await bare.stored("AUTH", `auth.user.${id}.*`);
    return messages.length === 3 ? messages : undefined;
  });
  expect(stored.map((message) => message.subject)).toEqual(
    ["created", "updated", "deleted"].map((action) => `auth.user.${id}.${action}`),
  );
  const keys = ["event_id", "entity_id", "timestamp", "source", "version"];
  for (const [at, { body, id: messageId, text }] of stored.entries()) {
    expect(Object.keys(body.metadata)).toEqual(keys);
    expect(body.metadata).toMatchObject({ entity_id: id, source: "auth-service", version: at + 1 });
    expect(body.metadata.event_id).toMatch(
      /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/,
    );
    expect(messageId).toBe(body.metadata.event_id);
    expect(Number.isInteger(Reflect.get(body.metadata, "timestamp"))).toBe(true);
    expect(Math.abs(Number(Reflect.get(body.metadata, "timestamp")) - Date.now() / 1000)).toBeLessThan(60);
    expect(text.startsWith('{"metadata"')).toBe(true);
  }
  const [created, updated, deleted] = stored.map(({ body }) => Object.entries(body).slice(1));
  expect(created).toEqual([
    ["user_id", id],
    ["username", "johndoe"],
    ["display_name", "John Doe"],
  ]);
  expect(updated).toEqual([
    ["user_id", id],
    ["username", "johndoe"],
    ["display_name", "John D."],
  ]);
  expect(deleted).toEqual([
    ["user_id", id],
    ["username", "johndoe"],
  ]);
});

test("the three documented messages of a hand-written service are applied, version or none", async () => {
  const user = { id: "V1StGXR8_Z5jdHi6B-myT", username: "go-johndoe" };
  await send("created", { ...user, display_name: "John Doe", version: 1 });
  await waitFor(async () => (await cached(mesh, "sfs", user.id))?.display_name === "John Doe");
  await send("updated", { ...user, display_name: "John D." });
  await waitFor(async () => (await cached(mesh, "sfs", user.id))?.display_name === "John D.");
  await send("deleted", user);
  await waitFor(async () => !(await cached(mesh, "sfs", user.id)));
});

test("unknown keys of a newer publisher are ignored", async () => {
  const body = JSON.parse(documented({ id: "tolerant", username: "tolerant", display_name: "T" })) as object;
  await bare.publish("auth.user.tolerant.created", JSON.stringify({ ...body, pronouns: "they" }));
  await waitFor(() => cached(mesh, "sfs", "tolerant"));
});

test("a duplicate is idempotent, inside and outside the broker's dedupe window", async () => {
  const event_id = randomUUID();
  const body = documented({ id: "twice", username: "twice", display_name: "once", version: 1, event_id });
  await bare.publish("auth.user.twice.created", body, event_id);
  await waitFor(() => cached(mesh, "sfs", "twice"));
  const first = await cached(mesh, "sfs", "twice");
  await bare.publish("auth.user.twice.created", body, event_id);
  // Without its id the broker stores it again, as it does when the window has passed.
  await bare.publish("auth.user.twice.created", body);
  await applied();
  expect(await cached(mesh, "sfs", "twice")).toEqual(first);
  const effects = await mesh.databases.sfs.query("SELECT * FROM handled WHERE user_id = 'twice'");
  expect(effects.rowCount).toBe(1);
});

test("a duplicate without a version is idempotent", async () => {
  const event_id = randomUUID();
  const user = { id: "twice-bare", username: "twice-bare", display_name: "a", event_id };
  await send("created", user);
  await send("updated", { ...user, display_name: "b", event_id: randomUUID() });
  await send("created", user);
  await applied();
  expect((await cached(mesh, "sfs", "twice-bare"))?.display_name).toBe("b");
});

test("a late created, out of order, does not undo a deletion; a true re-creation does", async () => {
  const user = { id: "phoenix", username: "phoenix", display_name: "v1" };
  await send("created", { ...user, version: 1 });
  await send("deleted", { id: user.id, username: user.username, version: 2 });
  await send("created", { ...user, version: 1 });
  await send("updated", { ...user, version: 1 });
  await applied();
  expect(await cached(mesh, "sfs", "phoenix")).toBeUndefined();
  await send("created", { ...user, display_name: "reborn", version: 3 });
  await applied();
  expect((await cached(mesh, "sfs", "phoenix"))?.display_name).toBe("reborn");
});

test("an older updated, out of order after a newer one, changes nothing", async () => {
  const user = { id: "ordered", username: "ordered" };
  await send("created", { ...user, display_name: "v1", version: 1 });
  await send("updated", { ...user, display_name: "v5", version: 5 });
  await applied();
  await send("updated", { ...user, display_name: "v4", version: 4 });
  await send("updated", { ...user, display_name: "v2", version: 2 });
  await applied();
  expect((await cached(mesh, "sfs", "ordered"))?.display_name).toBe("v5");
});

test("an unversioned updated, out of order after a deleted, does not undo the deletion", async () => {
  const user = { id: "shade", username: "shade", display_name: "x" };
  await send("created", user);
  await send("deleted", { id: user.id, username: user.username });
  await send("updated", user);
  await applied();
  expect(await cached(mesh, "sfs", "shade")).toBeUndefined();
});
