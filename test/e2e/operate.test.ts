import { spawn } from "node:child_process";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../support/compile.js";
import { meshWith } from "../support/mesh-command.js";
import {
  type BareClient,
  bareClient,
  cached,
  call,
  MESH,
  register,
  type ServiceName,
  startMesh,
  type TestMesh,
  waitFor,
} from "../support/reference-mesh.js";
import { freePort } from "../support/servers.js";

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
  // Its body is gone, and who let it go is known; nobody can do so twice, or have it again.
  expect((await operate("dlq", "show", "sfs", String(letter.id))).body).toMatchObject({
    body: "",
    error: letter.error,
    settled: { as: "discarded", by: expect.stringMatching(/^\S+@\S+$/), why: null },
  });
  expect(await operate("dlq", "discard", "sfs", String(letter.id))).toMatchObject({ code: 1 });
  const again = await operate("dlq", "redrive", "sfs", String(letter.id));
  expect(again.body.redriven[0]).toMatchObject({
    outcome: "refused",
    reason: expect.stringMatching(/^it was discarded by \S+@\S+ at /),
  });
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
  const redriven = await operate("dlq", "redrive", "sfs", String(letter.id), "--why", "mended");
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
  expect(table.stdout).toMatch(/^sfs_auth_user +user_cache +0\.0 s +0 +0 +0 +0 +0 +\d+ rows at /m);
  // One line for each service, with the largest of its tables: --json has all of them.
  const [, kept = ""] = table.stdout.split(/^tables of mesh .*\n/m);
  expect(kept.split("\n\n")[0]).toMatch(/^(?:\w+ +\d+ +[\w.]+ +(?:~\d+|-) +\d+\n?){4}$/);
});

test("status and readyz tell lag in seconds: the age of the oldest event that is not applied", async () => {
  const { sfs } = mesh.databases;
  const holder = await sfs.connect();
  await holder.query("BEGIN; LOCK user_cache IN ACCESS EXCLUSIVE MODE");
  await register(mesh, "behind");
  const lag = async () => {
    const { body } = await call(mesh, "sfs", "GET /readyz");
    const checks = body.checks as { consumers: Record<string, { lag_seconds: number }> };
    return checks.consumers.sfs_auth_user?.lag_seconds ?? 0;
  };
  await waitFor(async () => (await lag()) > 1.5);
  const { body } = await operate("status");
  const found = body.services.find(({ service }: { service: string }) => service === "sfs");
  expect(found.consumers[0].lagSeconds).toBeGreaterThan(1.5);
  expect(found.consumers[0].copy).toBe("user_cache");
  await holder.query("ROLLBACK");
  holder.release();
  await waitFor(async () => (await lag()) === 0);
});

test("trace follows an entity from its row to each copy, and a deletion through what it caused", async () => {
  const id = await register(mesh, "traced");
  await waitFor(async () => (await cached(mesh, "sfs", id)) && (await cached(mesh, "compute", id)));
  const { compute, gateway, auth } = mesh.databases;
  const fine = await operate("trace", "auth.user", id);
  expect(fine.body.problems).toEqual([]);
  expect(fine.code).toBe(0);
  expect(fine.body.owner).toMatchObject({ table: "users", row: "there", version: 1, waiting: [] });
  expect(fine.body.subscribers.map((one: { standing: { kind: string } }) => one.standing.kind)).toEqual([
    "applied",
    "applied",
  ]);
  await compute.query(
    "INSERT INTO containers (container_id, user_id, name, namespace, image) VALUES ('traced', $1, 'w', 'n', 'i')",
    [id],
  );
  await waitFor(
    async () => (await gateway.query("SELECT FROM mesh.applied WHERE entity_id = 'traced'")).rowCount === 1,
  );
  await gateway.query(
    "INSERT INTO routes (route_id, container_id, host, target) VALUES ('traced', 'traced', 'h', 't')",
  );
  await auth.query("DELETE FROM users WHERE user_id = $1", [id]);
  await waitFor(async () => (await bare.stored("GATEWAY", "gateway.route.traced.unregistered")).length === 1);
  const gone = await operate("trace", "auth.user", id);
  expect(gone.body.caused).toMatchObject([
    {
      event: { subject: "compute.container.traced.deleted" },
      caused: [{ event: { subject: "gateway.route.traced.unregistered" }, caused: [] }],
    },
  ]);
  const byEvent = await operate("trace", gone.body.event.eventId);
  expect(byEvent.body).toMatchObject({ entity: "auth.user", id, caused: gone.body.caused });
  const text = await meshWith(ROOT, mesh.env, "trace", "auth.user", id);
  expect(text.stdout).toMatch(/^ {2}compute {4}applied, version 2, deleted; no row in user_cache$/m);
  expect(text.stdout).toMatch(/^ {4}gateway\.route\.traced\.unregistered {2}GATEWAY #\d+/m);
});

test("trace says why a row is missing and what to do: a dead letter, a row that somebody deleted, an id that nobody knows", async () => {
  const { sfs } = mesh.databases;
  await sfs.query("ALTER TABLE user_cache ALTER username TYPE varchar(60)");
  const id = await register(mesh, "u".repeat(61));
  await waitFor(
    async () => (await sfs.query("SELECT FROM mesh.dead_letter WHERE entity_id = $1", [id])).rowCount === 1,
  );
  const dead = await operate("trace", "auth.user", id);
  expect(dead.code).toBe(1);
  expect(dead.body.problems[0].problem).toMatch(/^sfs: it is a dead letter: /);
  expect(dead.body.problems[0].remedy).toMatch(/mesh dlq redrive sfs \d+$/);
  await sfs.query("ALTER TABLE user_cache ALTER username TYPE text");
  await operate("dlq", "redrive", "sfs", "--all");

  const { rows } = await sfs.query("DELETE FROM user_cache WHERE user_id = $1 RETURNING username", [id]);
  expect((await operate("trace", "auth.user", id)).body.problems).toEqual([
    { problem: "sfs: user_cache lacks its row", remedy: "mesh verify sfs, then mesh resync sfs" },
  ]);
  await sfs.query("INSERT INTO user_cache (user_id, username) VALUES ($1, $2)", [id, rows[0]?.username]);
  const nobody = await operate("trace", "auth.user", "nobody");
  expect(nobody.body.problems[0].problem).toMatch(/^nobody knows it/);
});

test("trace gets over discarded dead letters: resync brings the row of a real event, and of one of no row there is nothing to do", async () => {
  const { sfs, compute } = mesh.databases;
  const letters = async (database: typeof sfs, id: string) =>
    (await database.query("SELECT FROM mesh.dead_letter WHERE subject = $1", [`auth.user.${id}.created`]))
      .rowCount;
  await sfs.query("ALTER TABLE user_cache ALTER username TYPE varchar(61)");
  const id = await register(mesh, "d".repeat(62));
  await bare.publish("auth.user.zz.created", "rubbish");
  await waitFor(
    async () =>
      (await letters(sfs, id)) === 1 &&
      (await letters(sfs, "zz")) === 1 &&
      (await letters(compute, "zz")) === 1,
  );
  await sfs.query("ALTER TABLE user_cache ALTER username TYPE text");
  for (const service of ["sfs", "compute"])
    expect(
      (
        await meshWith(
          ROOT,
          mesh.env,
          "dlq",
          "discard",
          service,
          "--all",
          "--by",
          "ada",
          "--why",
          "too\nlong",
        )
      ).code,
    ).toBe(0);

  const text = await meshWith(ROOT, mesh.env, "trace", "auth.user", "zz");
  expect(text.code, text.stdout).toBe(0);
  expect(text.stdout).toMatch(
    /^ {2}compute {4}no event of a row: auth has no such user and never counted it, so there is nothing to do$/m,
  );
  expect(text.stdout).toMatch(/nothing is stuck$/m);

  const lost = await operate("trace", "auth.user", id);
  expect(lost.code).toBe(1);
  expect(lost.body.problems).toEqual([
    {
      problem: expect.stringMatching(
        /^sfs: it lacks the event, whose dead letter an operator let go: it was discarded by ada at 20\S+Z: too\nlong$/,
      ),
      remedy: expect.stringMatching(/^mesh resync sfs,/),
    },
  ]);
  const record = await meshWith(ROOT, mesh.env, "dlq", "list", "sfs", "--settled");
  expect(record.code).toBe(0);
  expect(record.stdout).toMatch(
    new RegExp(`^sfs +\\d+ +discarded +20\\S+Z +ada +too\\\\nlong +auth\\.user\\.${id}\\.created$`, "m"),
  );
  await operate("resync", "sfs");
  await waitFor(async () => await cached(mesh, "sfs", id));
  const brought = await operate("trace", "auth.user", id);
  expect(brought.body.problems).toEqual([]);
});

test("tail shows what flows with who has applied it, and leaves no consumer behind", async () => {
  const consumers = async () => {
    const names: string[] = [];
    for await (const { name } of bare.jsm.consumers.list("AUTH")) names.push(name);
    return names.sort();
  };
  const before = await consumers();
  const child = spawn(process.execPath, [MESH, "tail", "auth.user.*", "--json"], {
    cwd: ROOT,
    env: mesh.env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let out = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  await waitFor(async () => (await consumers()).length > before.length, {
    timeoutMs: 40_000,
    what: "the reader of mesh tail",
  });
  const id = await register(mesh, "tailed");
  await waitFor(() => out.includes("\n"));
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGINT");
  expect(await ended).toBe(0);
  const line = JSON.parse(out.split("\n", 1)[0] ?? "");
  expect(line).toMatchObject({ subject: `auth.user.${id}.created`, stream: "AUTH", version: 1 });
  expect(line.settled.map((one: { service: string }) => one.service).sort()).toEqual(["compute", "sfs"]);
  for (const { withinMs } of line.settled) expect(withinMs).toBeGreaterThanOrEqual(0);
  expect(await consumers()).toEqual(before);
});

/** Takes connections and says nothing, as a server that was stopped by SIGSTOP does. */
async function openSilentServer() {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => sockets.add(socket));
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

test("databases that are hung, down or refuse the password are named, each with its reason, and cost status and trace no more than one deadline", async () => {
  const id = await register(mesh, "behind-hung-databases");
  await waitFor(async () => (await cached(mesh, "sfs", id)) && (await cached(mesh, "compute", id)));
  const hung = await openSilentServer();
  const [sfs, gateway] = [new URL(mesh.env.SFS_DB_URL ?? ""), new URL(mesh.env.GATEWAY_DB_URL ?? "")];
  sfs.password = "wrong";
  gateway.port = String(await freePort());
  // Two services of one hung server wait at the same time.
  const away = `postgresql://u:p@127.0.0.1:${hung.port}/hung`;
  const env = {
    ...mesh.env,
    AUTH_DB_URL: away,
    COMPUTE_DB_URL: away,
    SFS_DB_URL: sfs.href,
    GATEWAY_DB_URL: gateway.href,
  };
  const timed = async (given: NodeJS.ProcessEnv, ...args: readonly string[]) => {
    const started = performance.now();
    const { code, stdout } = await meshWith(ROOT, given, ...args, "--json");
    return { code, body: JSON.parse(stdout), seconds: (performance.now() - started) / 1_000 };
  };
  const healthy = await timed(mesh.env, "status");
  const status = await timed(env, "status");
  expect(status.code).toBe(1);
  expect(status.body.findings).toEqual([
    "auth: its database is out of reach: no answer within 2.5 s",
    "compute: its database is out of reach: no answer within 2.5 s",
    expect.stringMatching(/^gateway: its database is out of reach: .*ECONNREFUSED/),
    expect.stringMatching(/^sfs: its database is out of reach: password authentication failed/),
  ]);
  const shown = ({ services }: typeof healthy.body) =>
    services.map((one: { stream: { name: string }; consumers: { durable: string; broker: object }[] }) => [
      one.stream?.name,
      one.consumers.map(({ durable, broker }) => [durable, broker !== undefined]),
    ]);
  expect(shown(status.body)).toEqual(shown(healthy.body));
  const text = await meshWith(ROOT, env, "status");
  expect(text.stdout).toMatch(/^AUTH +\d/m);
  expect(text.stdout).not.toContain("tables of mesh");
  const trace = await timed(env, "trace", "auth.user", id);
  expect(trace.code).toBe(1);
  expect(trace.body.stream.events).toHaveLength(1);
  expect(trace.body.owner).toEqual({ service: "auth", unreachable: "no answer within 2.5 s" });
  expect(trace.body.problems.map(({ problem }: { problem: string }) => problem)).toEqual([
    "auth: its database is out of reach: no answer within 2.5 s",
    "compute: it cannot be asked: no answer within 2.5 s",
    expect.stringMatching(/^sfs: it cannot be asked: password authentication failed/),
  ]);
  const partly = { ...mesh.env, COMPUTE_DB_URL: away, GATEWAY_DB_URL: gateway.href };
  const verify = await timed(partly, "verify");
  expect(verify.code).toBe(1);
  expect(verify.body.caches).toMatchObject([
    { durable: "sfs_auth_user", missing: 0, extra: 0, differing: 0 },
  ]);
  expect(verify.body.notCompared).toEqual([
    {
      service: "compute",
      tables: ["user_cache"],
      reason: "its database compute_db is out of reach: no answer within 2.5 s",
    },
    {
      service: "gateway",
      tables: ["ingress_rules", "routes"],
      reason: expect.stringMatching(/^its database gateway_db is out of reach: .*ECONNREFUSED/),
    },
  ]);
  // One deadline, and what the command takes anyway, which whatever else runs slows down. One database after the other: 25 s.
  expect(Math.max(status.seconds, trace.seconds, verify.seconds)).toBeLessThan(6 + 3 * healthy.seconds);
  hung.close();
});

test("verify names a source that is hung, and compares what others have", async () => {
  const hung = await openSilentServer();
  const env = { ...mesh.env, AUTH_SERVICE_URL: `http://127.0.0.1:${hung.port}` };
  const found = await meshWith(ROOT, env, "verify");
  hung.close();
  expect(found.code).toBe(1);
  expect(found.stdout).toContain("gateway_compute_container → routes: equal");
  for (const service of ["compute", "sfs"])
    expect(found.stdout).toMatch(
      new RegExp(
        `^${service}: not compared: user_cache: auth does not answer: GET http://127.0.0.1:\\d+/healthz: no answer within 2.5 s$`,
        "m",
      ),
    );
});

test("a hung broker is named, and what the databases know is shown", async () => {
  const hung = await openSilentServer();
  const id = await register(mesh, "behind-a-hung-broker");
  await waitFor(async () => (await cached(mesh, "sfs", id)) && (await cached(mesh, "compute", id)));
  const env = { ...mesh.env, NATS_URL: `nats://127.0.0.1:${hung.port}` };
  const status = await meshWith(ROOT, env, "status", "--json");
  expect(status.code).toBe(1);
  const { findings, services } = JSON.parse(status.stdout);
  expect(findings).toEqual([expect.stringMatching(/^broker: .*; streams and consumers are not shown$/)]);
  expect(services.map((one: { outbox: { waiting: number } }) => one.outbox.waiting)).toEqual([0, 0, 0, 0]);
  const trace = await meshWith(ROOT, env, "trace", "auth.user", id, "--json");
  expect(trace.code).toBe(1);
  const found = JSON.parse(trace.stdout);
  expect(found.problems).toHaveLength(1);
  expect(found.subscribers.map((one: { standing: { kind: string } }) => one.standing.kind)).toEqual([
    "applied",
    "applied",
  ]);
  const tail = await meshWith(ROOT, env, "tail");
  expect(tail).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringMatching(/^mesh: the broker is not connected/),
  });
  hung.close();
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
  await mesh.databases.auth.query("INSERT INTO users (user_id, username) VALUES ('dark', 'dark')");
  const dark = await operate("trace", "auth.user", "dark");
  expect(dark.code).toBe(1);
  expect(dark.body.owner).toMatchObject({
    row: "there",
    waiting: [{ subject: "auth.user.dark.created", behind: 0 }],
  });
  expect(dark.body.problems).toEqual([
    { problem: expect.stringContaining("the broker is out of reach"), remedy: expect.any(String) },
  ]);
});
