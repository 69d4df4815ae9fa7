import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "nats";
import pg from "pg";
import { afterAll, expect, test } from "vitest";
import { startBroker } from "../../generator/dev/broker.js";
import { holdPort } from "../../generator/dev/servers/free-ports.js";
import { holdPorts } from "../../generator/dev/service-ports.js";
import { openState } from "../../generator/dev/state.js";
import { superviseServer } from "../../generator/dev/supervisor.js";
import { compile, ROOT, readMesh } from "../support/compile.js";
import { alive, hasProc, mesh, type RunningDev, startDev } from "../support/mesh-command.js";
import { waitFor } from "../support/reference-mesh.js";

const temporary = mkdtempSync(join(tmpdir(), "mesh-dev-test-"));
// As root, PostgreSQL runs under another uid, which must be able to enter the folder.
chmodSync(temporary, 0o755);
const state = join(temporary, ".mesh");
let running: RunningDev | undefined;

afterAll(async () => {
  await running?.end("SIGTERM");
  rmSync(temporary, { recursive: true, force: true });
});

async function query(url: string | undefined, sql: string): Promise<Readonly<Record<string, unknown>>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Runs of `mesh dev` one after the other on one state folder; each starts from what the one before left. */
test("from nothing: servers, databases, services and endpoints.json, and a registration goes through", async () => {
  running = await startDev(ROOT, state);
  const { endpoints } = running;
  expect(Object.keys(endpoints)).toEqual(["nats", "nats_operator", "databases", "services", "service_key"]);
  expect(Object.keys(endpoints.databases).sort()).toEqual(["auth_db", "compute_db", "gateway_db", "sfs_db"]);
  expect(Object.keys(endpoints.services).sort()).toEqual(["auth", "compute", "gateway", "sfs"]);
  expect(statSync(join(state, "endpoints.json")).mode & 0o077).toBe(0);
  expect(statSync(join(state, "service.key")).mode & 0o077).toBe(0);
  const answer = await fetch(`${endpoints.services.auth?.http}/api/users`, {
    method: "POST",
    headers: { authorization: `Bearer ${endpoints.service_key}`, "content-type": "application/json" },
    body: JSON.stringify({ username: "ada" }),
  });
  expect(answer.status).toBe(201);
  await waitFor(async () => (await query(endpoints.databases.sfs_db, "SELECT FROM user_cache")).length === 1);
});

test("a bare client at the broker's URL hears every event, and can do nothing else", async () => {
  const { nats, nats_operator } = (running as RunningDev).endpoints;
  const stranger = await connect({ servers: nats, inboxPrefix: "_INBOX_stranger" });
  const operator = await connect({ servers: nats, ...nats_operator });
  const refused: string[] = [];
  void (async () => {
    for await (const status of stranger.status()) refused.push(String(status.permissionContext?.subject));
  })();
  const heard: string[] = [];
  stranger.subscribe(">", { callback: (_error, message) => heard.push(message.subject) });
  const subjects = ["auth.user.by-stranger.created", "$JS.API.STREAM.NAMES", "anything"];
  for (const subject of subjects) stranger.publish(subject, "{}", { reply: "_INBOX_stranger.x" });
  await stranger.flush();
  await waitFor(() => refused.length === 3, { what: "the refusals" });
  expect(refused).toEqual(subjects);
  await operator.jetstream().publish("gateway.route.by-operator.registered", "{}");
  const registered = await fetch(`${running?.endpoints.services.auth?.http}/api/users`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${running?.endpoints.service_key}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({ username: "heard" }),
  });
  const { user_id: id } = (await registered.json()) as { readonly user_id: string };
  await waitFor(() => heard.includes(`auth.user.${id}.created`), { what: "the stranger to hear of her" });
  // Pulls, acks and other traffic of the mesh are not allowed either.
  expect(heard).toEqual(["gateway.route.by-operator.registered", `auth.user.${id}.created`]);
  await query(running?.endpoints.databases.auth_db, "DELETE FROM users WHERE username = 'heard'");
  await waitFor(() => heard.includes(`auth.user.${id}.deleted`), { what: "her deletion" });
  await Promise.all([stranger.close(), operator.close()]);
});

test("a service's database lets no other service in", async () => {
  const urls = running?.endpoints.databases ?? {};
  const access = await query(
    urls.auth_db,
    "SELECT r.rolname || ' ' || d.datname AS access FROM pg_roles r, pg_database d WHERE r.rolname LIKE '%\\_service' AND d.datallowconn AND has_database_privilege(r.oid, d.oid, 'CONNECT') ORDER BY 1",
  );
  expect(access.map((row) => row.access)).toEqual(
    ["auth", "compute", "gateway", "sfs"].map((service) => `${service}_service ${service}_db`),
  );
});

test("a second mesh dev on the same state is refused, and says who has it", async () => {
  const second = await mesh(ROOT, "dev", "--state", state);
  expect(second.code).toBe(2);
  expect(second.stderr).toContain(String(running?.pid));
});

test("two meshes that come up at once choose different ports, and each has its own when it binds it", async () => {
  const { services } = compile(readMesh("mesh.yaml"));
  const all = await Promise.all([holdPorts(services, false), holdPorts(services, false)]);
  const chosen = all.flatMap((ports) => services.map(({ name }) => ports.of(name)));
  expect(new Set(chosen).size).toBe(2 * services.length);
  for (const ports of all) {
    await ports.release("auth");
    const held = await holdPort(ports.of("auth"));
    expect(held?.port).toBe(ports.of("auth"));
    await held?.release();
    await ports.releaseAll();
  }
});

test.skipIf(!hasProc)("a service that is killed is started again, with a notice", async () => {
  const dev = running as RunningDev;
  const before = dev.servicePid("sfs");
  process.kill(before, "SIGKILL");
  await waitFor(() => dev.output().includes("starting it again"), { what: "the notice" });
  await waitFor(() => dev.servicePid("sfs") !== before, { what: "a new process" });
  await waitFor(async () => (await fetch(`${dev.endpoints.services.sfs?.http}/readyz`)).ok, {
    what: "it to be ready",
  });
});

/** The server's main process; for PostgreSQL the postmaster. */
function serverPid(dev: RunningDev, program: RegExp): number {
  const command = (pid: number) =>
    existsSync(`/proc/${pid}/cmdline`) ? readFileSync(`/proc/${pid}/cmdline`, "utf8") : "";
  const found = dev.descendants().find((pid) => program.test(command(pid).split("\0")[0] ?? ""));
  if (found === undefined) throw new Error(`${program} does not run`);
  return found;
}

test.skipIf(!hasProc)("servers that are killed are started again, on their ports and data", async () => {
  const dev = running as RunningDev;
  const { nats, nats_operator, databases, services, service_key } = dev.endpoints;
  for (const [name, program] of [
    ["nats-server", /\/nats-server[^/]*$/],
    ["postgres", /\/postgres$/],
  ] as const) {
    process.kill(serverPid(dev, program), "SIGKILL");
    await waitFor(
      // Half a second where it had run for longer than half a minute.
      () =>
        new RegExp(`${name} ended by itself \\(SIGKILL\\); starting it again in (0\\.5|1) s`).test(
          dev.output(),
        ),
      {
        what: `the notice about ${name}`,
      },
    );
    await waitFor(() => dev.output().includes(`${name} runs again`), { what: `${name} to run again` });
  }
  const connection = await connect({ servers: nats, ...nats_operator });
  const streams = await (await connection.jetstreamManager()).streams.names().next();
  expect([...streams].sort()).toEqual(["AUTH", "COMPUTE", "GATEWAY", "SFS"]);
  await connection.close();
  const headers = { authorization: `Bearer ${service_key}`, "content-type": "application/json" };
  const body = JSON.stringify({ username: "grace" });
  const registered = () => fetch(`${services.auth?.http}/api/users`, { method: "POST", headers, body });
  await waitFor(async () => (await registered()).status === 201, { what: "a registration" });
  const found = () => query(databases.sfs_db, "SELECT username FROM user_cache ORDER BY 1");
  await waitFor(async () => (await found()).length === 2, { timeoutMs: 30_000, what: "its copy" });
  expect(await found()).toEqual([{ username: "ada" }, { username: "grace" }]);
});

test("a deleted durable and a deleted stream are recreated, and a snapshot restores what was lost", async () => {
  const dev = running as RunningDev;
  const { nats, nats_operator, databases, services, service_key } = dev.endpoints;
  const connection = await connect({ servers: nats, ...nats_operator });
  const manager = await connection.jetstreamManager();
  const names = async () =>
    (await query(databases.sfs_db, "SELECT username FROM user_cache ORDER BY 1")).map((row) => row.username);
  const said = (text: RegExp) => waitFor(() => text.test(dev.output()), { what: `${text} in the output` });
  // Lost so that no message of the stream restores it.
  const lose = (username: string) =>
    query(databases.sfs_db, `DELETE FROM user_cache WHERE username = '${username}'`);

  await lose("ada");
  await manager.consumers.delete("AUTH", "sfs_auth_user");
  // If it is recreated before the service asks, the service sees another stream, not a missing one.
  await said(/sfs .*the durable (is gone|was made anew)/);
  await said(/sfs has lost its durable sfs_auth_user: making it anew/);
  await waitFor(async () => (await names()).includes("ada"), { what: "the snapshot to heal" });

  await lose("grace");
  await manager.streams.delete("AUTH");
  await said(/auth .*the stream (has vanished, and its messages with it|was made anew)/);
  await said(/auth has lost its stream AUTH: making it anew/);
  await waitFor(async () => (await names()).includes("grace"), { what: "the snapshot to heal" });
  const answer = await fetch(`${services.auth?.http}/api/users`, {
    method: "POST",
    headers: { authorization: `Bearer ${service_key}`, "content-type": "application/json" },
    body: JSON.stringify({ username: "afterwards" }),
  });
  expect(answer.status).toBe(201);
  await waitFor(async () => (await names()).includes("afterwards"), { what: "events to flow again" });
  const ready = async (service: string) =>
    (await (await fetch(`${services[service]?.http}/readyz`)).text()).startsWith('{"status":"ready"');
  for (const service of ["auth", "sfs", "compute"]) {
    await waitFor(() => ready(service), { what: `${service} to be ready` });
  }
  await connection.close();
});

test("a stop that comes while a crashed server is on its way up ends that one, and starts no other", async () => {
  const processes: { readonly exited: Promise<string>; end: (how: string) => void }[] = [];
  const launch = () => {
    let end: (how: string) => void = () => {};
    const exited = new Promise<string>((resolve) => {
      end = resolve;
    });
    processes.push({ exited, end });
  };
  launch();
  const latest = () => processes.at(-1) as (typeof processes)[number];
  let comeUp: () => void = () => {};
  let restarting = false;
  const stop = superviseServer({
    server: {
      get exited() {
        return latest().exited;
      },
      async restart() {
        restarting = true;
        await new Promise<void>((resolve) => {
          comeUp = resolve;
        });
        launch();
      },
      stop: async () => latest().end("SIGTERM"),
    },
    onNotice: () => {},
  });
  latest().end("SIGKILL");
  await waitFor(() => restarting, { what: "the restart" });
  const stopped = stop();
  comeUp();
  await stopped;
  expect(processes).toHaveLength(2);
  expect(await latest().exited).toBe("SIGTERM");
});

test("SIGTERM stops all of it and takes endpoints.json along", async () => {
  const dev = running as RunningDev;
  const processes = dev.descendants();
  const crashes = () => dev.output().match(/ended by itself|runs again/g)?.length;
  const before = crashes();
  const ended = await dev.end("SIGTERM");
  running = undefined;
  expect(ended.code).toBe(0);
  expect(crashes()).toBe(before);
  expect(existsSync(join(state, "endpoints.json"))).toBe(false);
  await waitFor(() => alive(processes).length === 0, { what: "every child to be gone" });
});

test("killed with -9 it leaves no process behind, and the next run finds data and key again", async () => {
  const first = await startDev(ROOT, state);
  const processes = first.descendants();
  expect(
    (await query(first.endpoints.databases.auth_db, "SELECT username FROM users ORDER BY 1"))[0],
  ).toEqual({ username: "ada" });
  await first.end("SIGKILL");
  await waitFor(() => alive(processes).length === 0, { what: "every child to be gone" });
  rmSync(join(state, "endpoints.json"));

  running = await startDev(ROOT, state);
  expect(running.endpoints.service_key).toBe(first.endpoints.service_key);
  const copies = await query(
    running.endpoints.databases.sfs_db,
    "SELECT username FROM user_cache ORDER BY 1",
  );
  expect(copies[0]).toEqual({ username: "ada" });
  await running.end();
});

test("--fresh forgets data and key", async () => {
  const before = running?.endpoints.service_key;
  running = await startDev(ROOT, state, "--fresh");
  expect(running.endpoints.service_key).not.toBe(before);
  expect(await query(running.endpoints.databases.auth_db, "SELECT FROM users")).toEqual([]);
});

test("broker permissions: a service publishes its own subjects and no other's, and reads no other's messages", async () => {
  const own = await openState(join(temporary, "permissions"), true);
  const broker = await startBroker({
    state: own,
    mesh: compile(readMesh("mesh.yaml")),
    port: undefined,
    progress: () => {},
  });
  const { NATS_USER: user, NATS_PASSWORD: pass } = broker.environment("sfs");
  const connection = await connect({
    servers: broker.url,
    user: user ?? "",
    pass: pass ?? "",
    inboxPrefix: "_INBOX_sfs",
  });
  const refused: string[] = [];
  void (async () => {
    for await (const status of connection.status()) refused.push(JSON.stringify(status));
  })();
  connection.publish("auth.user.x.created", "{}");
  connection.publish("$JS.API.STREAM.DELETE.AUTH");
  connection.subscribe("auth.>", { callback: () => undefined });
  connection.subscribe("_INBOX.>", { callback: () => undefined });
  connection.publish("sfs.namespace.x.created", "{}");
  await connection.flush();
  await waitFor(() => refused.filter((text) => /PERMISSIONS_VIOLATION/i.test(text)).length >= 4);
  expect(refused.join()).toContain("auth.user.x.created");
  expect(refused.join()).not.toContain("sfs.namespace");
  await connection.close();
  await broker.stop();
});
