import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Parser } from "@asyncapi/parser";
import { Ajv } from "ajv";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exportDocument } from "../../generator/export/export-files.js";
import { compile, readMesh } from "../support/compile.js";
import { type OpenApiClient, openApiClient } from "../support/openapi-client.js";
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

test("every operation of the served OpenAPI documents answers as they say", async () => {
  const auth = await openApiClient(mesh.services.auth.url, mesh.key);
  const sfs = await openApiClient(mesh.services.sfs.url, mesh.key);
  for (const [service, api] of Object.entries({ auth, sfs }))
    expect(api.document).toEqual(JSON.parse(readMesh(`generated/${service}/openapi.json`)));
  const serve = async (api: OpenApiClient, name: string, { body, patch, list }: Served) => {
    const created = await api.call(`create${name}`, { body });
    expect(created.status).toBe(201);
    const id = created.headers.get("location")?.split("/").at(-1) ?? "";
    expect((await api.call(`get${name}`, { id })).body).toEqual(created.body);
    const [field, value] = Object.entries(body)[0] ?? [];
    const query = `?${field}=${encodeURIComponent(String(value))}`;
    expect((await api.call(list, { query, headers: { "mesh-snapshot": "versions" } })).body).toMatchObject([
      created.body,
    ]);
    expect(await api.call(`update${name}`, { id, body: patch })).toMatchObject({ status: 200, body: patch });
    expect(await api.call(`create${name}`, { body: {} })).toMatchObject({ status: 422 });
    expect(await api.call(`update${name}`, { id, body: {} })).toMatchObject({ status: 422 });
    expect(
      await api.call(`create${name}`, { body, headers: { "content-type": "text/plain" } }),
    ).toMatchObject({ status: 415 });
    expect(await api.call(list, { query: "?nonsense=1" })).toMatchObject({ status: 400 });
    expect(await api.call(list, { key: "none" })).toMatchObject({ status: 401 });
    return id;
  };
  const user = await serve(auth, "User", {
    list: "listUsers",
    body: { username: "openapi" },
    patch: { display_name: "Open" },
  });
  expect(await auth.call("createUser", { body: { username: "openapi" } })).toMatchObject({ status: 409 });
  const namespace = await serve(sfs, "Namespace", {
    list: "listNamespaces",
    body: { name: "openapi" },
    patch: { visibility: "public" },
  });
  const body = { path: "/a", namespace_id: namespace, size_bytes: 5 };
  const file = await serve(sfs, "File", { list: "listFiles", body, patch: { uploader_id: null } });
  expect(await sfs.call("createFile", { body: { path: "/b", namespace_id: "none" } })).toMatchObject({
    status: 409,
  });
  for (const [api, operation, id] of [
    [sfs, "deleteFile", file],
    [sfs, "deleteNamespace", namespace],
    [auth, "deleteUser", user],
  ] as const) {
    expect(await api.call(operation, { id })).toMatchObject({ status: 204 });
    expect(await api.call(operation, { id })).toMatchObject({ status: 404 });
  }
  for (const api of [auth, sfs]) {
    expect(await api.call("isAlive")).toMatchObject({ status: 200 });
    expect(await api.call("isReady")).toMatchObject({ status: 200 });
    expect(await api.call("getOpenApi")).toMatchObject({ status: 200 });
    expect(await api.call("getMetrics")).toMatchObject({
      status: 200,
      body: expect.stringContaining("mesh_serving"),
    });
    expect(await api.call("getMetrics", { key: "none" })).toMatchObject({ status: 401 });
    expect(await api.call("getOpenApi", { key: "none" })).toMatchObject({ status: 401 });
    expect(await api.call("resync", { query: "?durable=none" })).toMatchObject({ status: 404 });
    expect(await api.call("resync")).toMatchObject({ status: 200 });
    expect(api.uncalled()).toEqual([]);
  }
});

interface Served {
  readonly list: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly patch: Readonly<Record<string, unknown>>;
}

/*
 * Modelina makes the classes, from the exported document alone. It brings 190 MB with it: `npm run peers` runs this, and not each run
 * of the tests.
 */
test.skipIf(process.env.PEERS === undefined)(
  "what a peer generator makes of the AsyncAPI document publishes what a service applies",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "mesh-peer-"));
    try {
      writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }');
      execFileSync(
        "npm",
        [
          "install",
          "--no-audit",
          "--no-fund",
          "--prefer-offline",
          "--ignore-scripts",
          "@asyncapi/modelina@5.10.1",
        ],
        { cwd: folder },
      );
      writeFileSync(
        join(folder, "mesh.json"),
        exportDocument(compile(readMesh()), "asyncapi", { service: undefined }) ?? "",
      );
      writeFileSync(join(folder, "generate.js"), GENERATE);
      execFileSync(process.execPath, ["generate.js"], { cwd: folder });
      const { UserCreated } = await import(join(folder, "out/UserCreated.ts"));
      const { Metadata } = await import(join(folder, "out/Metadata.ts"));
      const id = randomUUID();
      const metadata = new Metadata({
        eventId: randomUUID(),
        entityId: id,
        timestamp: 1705920000,
        source: "auth-service",
        version: 1,
      });
      const event = new UserCreated({
        metadata,
        userId: id,
        username: "by-modelina",
        displayName: "Modelina",
      });
      await bare.publish(`auth.user.${id}.created`, event.marshal(), metadata.eventId);
      await applied();
      expect(await cached(mesh, "sfs", id)).toMatchObject({
        username: "by-modelina",
        display_name: "Modelina",
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

const GENERATE = `
import { TypeScriptFileGenerator, TS_COMMON_PRESET } from "@asyncapi/modelina";
import { readFileSync } from "node:fs";
const presets = [{ preset: TS_COMMON_PRESET, options: { marshalling: true } }];
const generator = new TypeScriptFileGenerator({ modelType: "class", moduleSystem: "ESM", presets });
const document = JSON.parse(readFileSync("mesh.json", "utf8"));
await generator.generateToFiles(document, "./out", { exportType: "named" }, true);
`;

test("a client that knows the AsyncAPI document alone publishes what a service applies", async () => {
  const { document } = await new Parser().parse(
    exportDocument(compile(readMesh()), "asyncapi", { service: undefined }) ?? "",
  );
  const channel = document?.channels().get("auth.user.created");
  const message = channel?.messages().get("UserCreated");
  const id = randomUUID();
  const body = { user_id: id, username: "by-asyncapi", display_name: "AsyncAPI" };
  const metadata = {
    event_id: randomUUID(),
    entity_id: id,
    timestamp: 1705920000,
    source: "auth-service",
    version: 1,
  };
  const ajv = new Ajv({ strict: false, validateFormats: false });
  expect(ajv.validate(message?.payload()?.json() ?? false, { metadata, ...body })).toBe(true);
  expect(message?.headers()?.json()).toMatchObject({ required: ["Nats-Msg-Id"] });
  const subject = channel?.address()?.replace("{id}", id) ?? "";
  await bare.publish(subject, JSON.stringify({ metadata, ...body }), metadata.event_id);
  await applied();
  expect(await cached(mesh, "sfs", id)).toMatchObject({ username: "by-asyncapi", display_name: "AsyncAPI" });
});
