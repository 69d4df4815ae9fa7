import { cpSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "nats";
import pg from "pg";
import { expect, inject, test } from "vitest";
import { parseDocument } from "yaml";
import { startServiceProcess } from "../../generator/dev/service-process.js";
import { afterTest } from "../support/after-test.js";
import { ROOT } from "../support/compile.js";
import { testProject } from "../support/generated-project.js";
import { mesh, meshWith, operatorUrl, startDev } from "../support/mesh-command.js";
import { bareClient, MESH, waitFor } from "../support/reference-mesh.js";
import { createRoledDatabase, migrateAs } from "../support/roles.js";
import { freePort, startNats } from "../support/servers.js";

/*
 * Services that are written by hand: nothing of ours runs for them, and the others live with that.
 */

type Document = ReturnType<typeof parseDocument>;

/** The reference mesh, changed, in a project of its own. */
async function generated(change: (document: Document) => void): Promise<string> {
  const folder = testProject();
  cpSync(join(ROOT, "hooks"), join(folder, "hooks"), { recursive: true });
  const document = parseDocument(readFileSync(join(ROOT, "mesh.yaml"), "utf8"));
  change(document);
  writeFileSync(join(folder, "mesh.yaml"), String(document));
  const generated = await mesh(folder, "generate");
  expect(generated.code, generated.stderr).toBe(0);
  return folder;
}

/** A publisher written by hand that SFS hears, and that hears of users itself. */
function addLegacy(document: Document): void {
  document.setIn(["services", "legacy"], {
    source: "legacy-go",
    external: true,
    publishes: ["legacy.*"],
    subscribes: ["auth.user.*"],
    calls: { auth: { "/api/users": ["patch"] } },
  });
  document.setIn(["services", "sfs", "subscribes"], ["auth.user.*", "legacy.thing.*"]);
  const event = { event: "LegacyHappened", payload: { thing_id: "string" } };
  document.setIn(["subjects", "legacy.thing.{id}.happened"], event);
}

/** The owner of all users is written by hand. */
function makeAuthExternal(document: Document): void {
  const auth = { source: "auth-service", external: true, publishes: ["auth.user.*"] };
  document.setIn(["services", "auth"], auth);
  document.deleteIn(["databases", "auth_db"]);
  for (const action of ["created", "updated", "deleted"]) {
    document.deleteIn(["subjects", `auth.user.{id}.${action}`, "emit"]);
  }
}

/** The documents' own bytes. */
function message(id: string, fields: object): string {
  const metadata = { event_id: crypto.randomUUID(), entity_id: id, timestamp: 1705920000, source: "by-hand" };
  return JSON.stringify({ metadata, ...fields });
}

async function readyz(url: string | undefined) {
  return (await (await fetch(`${url}/readyz`)).json()) as {
    readonly status: string;
    readonly reasons?: readonly string[];
    readonly checks: { readonly consumers: Readonly<Record<string, { readonly stalled: boolean }>> };
  };
}

test("dev provisions for an external publisher and lets it in under its own permissions", async () => {
  const folder = await generated(addLegacy);
  const dev = await startDev(folder, join(folder, ".mesh"));
  afterTest(() => dev.end());
  const { nats, services } = dev.endpoints;
  expect(Object.keys(services).sort()).toEqual(["auth", "compute", "gateway", "sfs"]);
  expect(await readyz(services.sfs?.http)).toMatchObject({ status: "ready" });

  const file = join(folder, ".mesh", "legacy.env");
  expect(statSync(file).mode & 0o077).toBe(0);
  const given = Object.fromEntries(
    readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => /^[A-Z]/.test(line))
      .map((line) => line.split("=") as [string, string]),
  );
  expect(given.NATS_URL).toBe(nats);
  // It gets the keys for its own calls, and no others.
  expect(Object.keys(given).filter((name) => name.endsWith("KEY"))).toEqual(["LEGACY_TO_AUTH_KEY"]);
  const patched = await fetch(`${services.auth?.http}/api/users/nobody`, {
    method: "PATCH",
    headers: { authorization: `Bearer ${given.LEGACY_TO_AUTH_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ display_name: "of legacy" }),
  });
  expect(patched.status).toBe(404);
  const listed = await fetch(`${services.auth?.http}/api/users`, {
    headers: { authorization: `Bearer ${given.LEGACY_TO_AUTH_KEY}` },
  });
  expect(listed.status).toBe(403);
  const legacy = await connect({
    servers: nats,
    user: given.NATS_USER ?? "",
    pass: given.NATS_PASSWORD ?? "",
  });
  const ack = await legacy.jetstream().publish("legacy.thing.x.happened", message("x", { thing_id: "x" }));
  expect(ack.stream).toBe("LEGACY");
  expect(readFileSync(file, "utf8")).toContain("from the durable legacy_auth_user of the stream AUTH");
  const durable = await legacy.jetstream().consumers.get("AUTH", "legacy_auth_user");
  const waiting = durable.next({ expires: 10_000 });
  const registered = await fetch(`${services.auth?.http}/api/users`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${dev.endpoints.service_key}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({ username: "ada" }),
  });
  expect(registered.status).toBe(201);
  const heard = await waiting;
  expect(heard?.json()).toMatchObject({ username: "ada" });
  expect(await heard?.ackAck()).toBe(true);
  await legacy.close();

  const bare = await bareClient(operatorUrl(dev.endpoints));
  await bare.publish("legacy.thing.y.happened", message("y", { thing_id: "y" }));
  await bare.drained("LEGACY", "sfs_legacy_thing");
  const { delivered } = await bare.jsm.consumers.info("LEGACY", "sfs_legacy_thing");
  expect(delivered.stream_seq).toBe(2);
  await bare.close();
  expect(await mesh(folder, "status")).toMatchObject({ code: 0 });

  expect(await dev.end()).toMatchObject({ code: 0 });
  expect(existsSync(file)).toBe(false);

  // Later changes of the stream by its owner are kept.
  const again = await startDev(folder, join(folder, ".mesh"));
  afterTest(() => again.end());
  expect(await readyz(again.endpoints.services.sfs?.http)).toMatchObject({ status: "ready" });
});

test("dev starts copies of an external owner that does not run: they follow its events, and their readiness says what they lack", async () => {
  const folder = await generated(makeAuthExternal);
  const started = Date.now();
  const dev = await startDev(folder, join(folder, ".mesh"));
  afterTest(() => dev.end());
  expect(Date.now() - started).toBeLessThan(25_000);
  const bare = await bareClient(operatorUrl(dev.endpoints));
  afterTest(() => bare.close());
  const pool = new pg.Pool({ connectionString: dev.endpoints.databases.sfs_db, max: 1 });
  pool.on("error", () => undefined);
  afterTest(() => pool.end());
  const name = async () =>
    (await pool.query<{ display_name: string }>("SELECT display_name FROM user_cache WHERE user_id = 'u1'"))
      .rows[0]?.display_name;
  const send = (action: string, fields: object) =>
    bare.publish(`auth.user.u1.${action}`, message("u1", { user_id: "u1", username: "john", ...fields }));
  await send("created", { display_name: "John" });
  await waitFor(async () => (await name()) === "John", { what: "the created user" });
  await send("updated", { display_name: "John D." });
  await waitFor(async () => (await name()) === "John D.", { what: "the update" });
  await send("deleted", {});
  await waitFor(async () => (await name()) === undefined, { what: "the deletion" });

  await waitFor(async () => (await readyz(dev.endpoints.services.sfs?.http)).status === "degraded", {
    what: "a source that is not only starting too",
  });
  const health = await readyz(dev.endpoints.services.sfs?.http);
  expect(health.status).toBe("degraded");
  expect(health.reasons?.join()).toContain("consumer sfs_auth_user: its last snapshot failed: ECONNREFUSED");
  // /readyz needs no key, so it does not say where the source is.
  expect(JSON.stringify(health)).not.toContain("127.0.0.1");
  const status = await mesh(folder, "status");
  expect(status.code).toBe(1);
  expect(status.stdout).toContain("the last snapshot of sfs_auth_user failed");
});

test("run waits for an external owner's stream, status says so, and it is picked up when it appears", async () => {
  const folder = await generated(addLegacy);
  const nats = await startNats();
  afterTest(() => nats.remove());
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const databases = await Promise.all(
    ["auth", "sfs", "compute", "gateway"].map(async (service) => {
      const generated = join(folder, "generated");
      const database = await createRoledDatabase(inject("postgres"), service, { generated });
      await migrateAs(database.owner, service, { ...database, generated });
      return [`${service.toUpperCase()}_DB_URL`, database.service] as const;
    }),
  );
  const env = { NATS_URL: nats.url, ...Object.fromEntries(databases), SFS_SERVICE_URL: url };
  const sfs = startServiceProcess({
    service: "sfs",
    folder,
    main: MESH,
    env: {
      PATH: process.env.PATH,
      ...env,
      AUTH_SERVICE_URL: url,
      OPERATOR_KEY: "the key of the operators",
      SFS_TO_AUTH_KEY: "the key of sfs for auth",
      PORT: String(port),
    },
    onLine: () => {},
  });
  afterTest(() => sfs.stop());
  const health = () => readyz(url).catch(() => undefined);
  await waitFor(
    async () => {
      const now = await health();
      return now?.status === "degraded" && now.checks.consumers.sfs_legacy_thing?.stalled;
    },
    { timeoutMs: 30_000, what: "sfs to say what it waits for" },
  );
  await waitFor(async () => (await health())?.reasons?.join().includes("no stream LEGACY"), {
    what: "the reason",
  });
  const status = await meshWith(folder, env, "status");
  expect(status.code).toBe(1);
  expect(status.stdout).toContain("sfs: consumer sfs_legacy_thing is stalled: there is no stream LEGACY");

  const bare = await bareClient(nats.url);
  afterTest(() => bare.close());
  await bare.jsm.streams.add({ name: "LEGACY", subjects: ["legacy.>"] });
  await bare.publish("legacy.thing.z.happened", message("z", { thing_id: "z" }));
  const stalled = async () => (await health())?.checks.consumers.sfs_legacy_thing?.stalled;
  await waitFor(async () => (await stalled()) === false, { timeoutMs: 20_000, what: "sfs to attach" });
  await bare.drained("LEGACY", "sfs_legacy_thing");
});
