import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../support/compile.js";
import { meshWith } from "../support/mesh-command.js";
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

/** A command as an operator would run it, addresses in the environment; its JSON and its exit code. */
async function operate(...args: readonly string[]) {
  const { code, stdout, stderr } = await meshWith(ROOT, mesh.env, ...args, "--json");
  expect(code, stderr).not.toBe(2);
  return { code, body: JSON.parse(stdout) };
}

/** Waits in the database: a command of its own each time would cost a second of the processor. */
const deadLetter = (service: ServiceName, subject: string) =>
  waitFor(
    async () => {
      const sql = "SELECT id FROM mesh.dead_letter WHERE subject = $1";
      return (await mesh.databases[service].query<{ id: string }>(sql, [subject])).rows[0]?.id;
    },
    { what: `the dead letter of ${subject}` },
  );

test("migrate finds nothing to do where the owners have migrated", async () => {
  const { code, body } = await operate("migrate");
  expect(code).toBe(0);
  expect(body.databases).toHaveLength(4);
  expect(body.databases.every((one: { applied: readonly string[] }) => one.applied.length === 0)).toBe(true);
});

test("verify says equal, then names the rows that were tampered with, and resync heals them", async () => {
  const ids = await Promise.all(["v-kept", "v-changed", "v-lost"].map((name) => register(mesh, name)));
  for (const id of ids) await waitFor(() => cached(mesh, "sfs", id));
  for (const id of ids) await waitFor(() => cached(mesh, "compute", id));
  expect((await operate("verify")).code).toBe(0);

  const { sfs } = mesh.databases;
  await sfs.query("UPDATE user_cache SET display_name = 'tampered' WHERE user_id = $1", [ids[1]]);
  await sfs.query("DELETE FROM user_cache WHERE user_id = $1", [ids[2]]);
  await sfs.query("INSERT INTO user_cache (user_id, username) VALUES ('v-ghost', 'v-ghost')");
  const found = await operate("verify", "sfs");
  expect(found.code).toBe(1);
  const [cache] = found.body.caches;
  expect(cache).toMatchObject({ missing: 1, extra: 1, differing: 1 });
  expect(cache.sample.map(({ key }: { key: string }) => key).sort()).toEqual(
    [ids[1], ids[2], "v-ghost"].sort(),
  );

  expect((await operate("resync", "sfs")).code).toBe(0);
  expect((await operate("verify", "sfs")).code).toBe(0);
  expect(await cached(mesh, "sfs", "v-ghost")).toBeUndefined();
});

test("dead letters are listed, shown whole, redriven and discarded", async () => {
  await bare.publish("auth.user.dlq.created", "not JSON");
  await deadLetter("sfs", "auth.user.dlq.created");
  const listed = await operate("dlq", "list", "sfs");
  expect(listed.code).toBe(1);
  const letter = listed.body.deadLetters.find(
    ({ subject }: { subject: string }) => subject === "auth.user.dlq.created",
  );
  const shown = await operate("dlq", "show", "sfs", String(letter.id));
  expect(shown.body).toMatchObject({ subject: "auth.user.dlq.created", body: "not JSON" });
  const refused = await operate("dlq", "redrive", "sfs", String(letter.id));
  expect(refused.code).toBe(1);
  expect(refused.body.redriven[0].outcome).toBe("refused");
  expect((await operate("status")).code).toBe(1);
  expect(await operate("dlq", "discard", "sfs", String(letter.id))).toMatchObject({ code: 0 });
  expect((await operate("dlq", "list", "sfs")).code).toBe(0);
});

test("redrive applies a dead letter whose cause was fixed", async () => {
  const { sfs } = mesh.databases;
  // A value that cannot be stored becomes a dead letter at once: a retry cannot help.
  await sfs.query("ALTER TABLE user_cache ALTER username TYPE varchar(12)");
  const id = await register(mesh, "far-longer-than-that");
  const letter = await waitFor(async () => {
    const sql = "SELECT id FROM mesh.dead_letter WHERE entity_id = $1";
    return (await sfs.query<{ id: string }>(sql, [id])).rows[0];
  });
  await sfs.query("ALTER TABLE user_cache ALTER username TYPE text");
  const redriven = await operate("dlq", "redrive", "sfs", String(letter.id));
  expect(redriven.body.redriven[0]).toMatchObject({ outcome: "applied" });
  expect((await cached(mesh, "sfs", id))?.username).toBe("far-longer-than-that");
});

test("redrive of a dead letter that is older than what was applied changes nothing", async () => {
  const { auth, sfs } = mesh.databases;
  const id = await register(mesh, "overtaken", "first");
  await waitFor(() => cached(mesh, "sfs", id));
  const name = (display_name: string) =>
    auth.query("UPDATE users SET display_name = $2 WHERE user_id = $1", [id, display_name]);
  await sfs.query("ALTER TABLE user_cache ALTER display_name TYPE varchar(32)");
  await name("far too long for the cache as it is at the moment");
  const letter = await waitFor(async () => {
    const sql = "SELECT id FROM mesh.dead_letter WHERE entity_id = $1";
    return (await sfs.query<{ id: string }>(sql, [id])).rows[0];
  });
  await sfs.query("ALTER TABLE user_cache ALTER display_name TYPE text");
  await name("newest");
  await waitFor(async () => (await cached(mesh, "sfs", id))?.display_name === "newest");
  const redriven = await operate("dlq", "redrive", "sfs", String(letter.id));
  expect(redriven).toMatchObject({ code: 0, body: { redriven: [{ outcome: "stale" }] } });
  expect((await cached(mesh, "sfs", id))?.display_name).toBe("newest");
});

test("an id or a service that does not exist is a mistake: one line that says which, exit code 2", async () => {
  const mistakes = [
    ["show sfs 4711", "sfs has no dead letter 4711"],
    ["redrive sfs 4711", "sfs has no dead letter 4711"],
    ["discard nobody 1", 'there is no service "nobody"'],
    ["show sfs first", '"first" is not the id of a dead letter'],
    ["redrive sfs", "name either ids or --all"],
  ] as const;
  const ended = mistakes.map(([args]) => meshWith(ROOT, mesh.env, "dlq", ...args.split(" ")));
  for (const [at, { code, stdout, stderr }] of (await Promise.all(ended)).entries()) {
    const [args, said] = mistakes[at] ?? ["", ""];
    expect([code, stdout], args).toEqual([2, ""]);
    expect(stderr.split("\n")[0], args).toContain(said);
  }
});

test("one wrong id among several: nothing is touched", async () => {
  await bare.publish("auth.user.several.created", "not JSON");
  const id = await deadLetter("sfs", "auth.user.several.created");
  const { code, stderr } = await meshWith(ROOT, mesh.env, "dlq", "discard", "sfs", id, "4711");
  expect(code).toBe(2);
  expect(stderr).toContain("sfs has no dead letter 4711");
  expect(await deadLetter("sfs", "auth.user.several.created")).toBe(id);
  expect(await operate("dlq", "discard", "sfs", "--all")).toMatchObject({ code: 0 });
});

test("an event that may not be published becomes a dead letter of its outbox, listed and counted like the others", async () => {
  await mesh.databases.auth.query(
    `INSERT INTO mesh.outbox (event_id, subject, entity, entity_id, version, body)
     VALUES (gen_random_uuid(), 'sfs.file.x.uploaded', 'sfs.file', 'x', 1, '{}')`,
  );
  await mesh.databases.auth.query("NOTIFY mesh_outbox");
  await deadLetter("auth", "sfs.file.x.uploaded");
  expect((await operate("dlq", "list", "auth")).code).toBe(1);
  expect((await operate("status")).body.findings).toContain(
    "auth: 1 dead letter of its outbox (mesh dlq list auth)",
  );
  expect((await call(mesh, "auth", "GET /readyz")).body).toMatchObject({
    checks: { outbox: { waiting: 0, oldest_seconds: null, dead_letters: 1 } },
  });
  const redriven = await operate("dlq", "redrive", "auth", "--all");
  expect(redriven.body.redriven[0].outcome).toBe("refused");
  expect(await operate("dlq", "discard", "auth", "--all")).toMatchObject({ code: 0 });
});

test("status of an idle mesh: the outbox is empty and no consumer has lag", async () => {
  await operate("dlq", "discard", "compute", "--all");
  const { code, body } = await operate("status");
  expect(body.findings).toEqual([]);
  expect(code).toBe(0);
  const sfs = body.services.find(({ service }: { service: string }) => service === "sfs");
  expect(sfs).toMatchObject({
    health: { status: "ready" },
    migrations: { pending: [] },
    consumers: [
      {
        durable: "sfs_auth_user",
        broker: { pending: 0, ackPending: 0, redelivered: 0 },
        snapshot: { error: null },
      },
    ],
  });
  const auth = body.services.find(({ service }: { service: string }) => service === "auth");
  expect(auth).toMatchObject({
    outbox: { waiting: 0, oldestSeconds: null, deadLetters: 0 },
    stream: { name: "AUTH", firstSeq: 1 },
  });
  expect(auth.stream.bytes).toBeGreaterThan(0);
  const table = await meshWith(ROOT, mesh.env, "status");
  expect(table.stdout).toMatch(/^AUTH +\d+ +\d+ +1 +\d+$/m);
  expect(table.stdout).toMatch(/^sfs_auth_user +0 +0 +0 +0 +0 +\d+ rows at /m);
});

test("status names a service that does not answer", async () => {
  await mesh.services.gateway.stop();
  const { code, body } = await operate("status");
  expect(code).toBe(1);
  expect(body.findings).toEqual([expect.stringMatching(/^gateway: does not answer: GET .*ECONNREFUSED/)]);
});

test("status names a stream and a durable that the broker does not know", async () => {
  await bare.jsm.streams.delete("GATEWAY");
  await bare.jsm.consumers.delete("COMPUTE", "gateway_compute_container");
  expect((await operate("status")).body.findings).toEqual([
    expect.stringContaining("gateway: does not answer"),
    expect.stringContaining("gateway: the broker knows no stream of this service"),
    expect.stringContaining(
      "gateway: consumer gateway_compute_container: the broker does not know its durable",
    ),
  ]);
});

test("with the broker down status says so, and shows outbox and dead letters from the databases", async () => {
  await mesh.nats.stop();
  const { code, body } = await operate("status");
  expect(code).toBe(1);
  expect(body.findings[0]).toMatch(/^broker: the broker is not connected/);
  expect(body.services).toHaveLength(4);
  const health = await call(mesh, "sfs", "GET /readyz");
  expect(health.body).toMatchObject({ status: "degraded", checks: { outbox: { waiting: 0 } } });
});
