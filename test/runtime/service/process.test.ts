import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { get, type IncomingMessage } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "pg";
import { afterEach, describe, expect, inject, test } from "vitest";
import { writeMigrations } from "../../support/http-server.js";
import { SQL } from "../../support/http-tables.js";
import { startPoolingProxy } from "../../support/pooling-proxy.js";
import { createDatabase, freePort, waitFor } from "../../support/servers.js";
import { authorized, KEY } from "../../support/service-definition.js";

const MAIN = fileURLToPath(new URL("../../support/processes/service.ts", import.meta.url));

interface ServiceProcess {
  readonly child: ChildProcess;
  readonly output: () => string;
  /** Resolves once it listens. */
  readonly url: () => Promise<string>;
  readonly exit: Promise<number | null>;
}

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** `shell`: script of the parent process that starts it; `"$@"` is its command. */
function run(env: Readonly<Record<string, string>>, shell?: string): ServiceProcess {
  const command = [process.execPath, "--import", "tsx", MAIN];
  const [program = "", ...args] = shell === undefined ? command : ["/bin/sh", "-c", shell, "sh", ...command];
  const child = spawn(program, args, {
    env: { PATH: process.env.PATH ?? "", OPERATOR_KEY: KEY, PORT: "0", ...env },
  });
  children.push(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const exit = once(child, "close").then(([code]) => code as number | null);
  const listening = () => /"url":"(http:[^"]+)"/.exec(output)?.[1];
  return {
    child,
    exit,
    output: () => output,
    url: () => waitFor(listening, { what: `a URL in: ${output}` }),
  };
}

async function environment(): Promise<Record<string, string>> {
  return {
    AUTH_DB_URL: await createDatabase(inject("postgres"), "process"),
    MIGRATIONS: await writeMigrations(SQL),
  };
}

async function hooks(text: string): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), "mesh-hooks-")), "hooks.mjs");
  await writeFile(path, text);
  return path;
}

const ready = (url: string) => waitFor(async () => (await fetch(`${url}/readyz`)).status === 200);

test("an environment that cannot work: everything that is wrong on one page, exit code 2", async () => {
  const service = run({ PORT: "http", OPERATOR_KEY: "" });
  expect(await service.exit).toBe(2);
  expect(service.output()).toContain("AUTH_DB_URL is not set");
  expect(service.output()).toContain("OPERATOR_KEY is not set");
  expect(service.output()).toContain("PORT is");
  expect(service.output()).not.toContain("    at ");
});

test("a database behind a pooler that shares sessions: exit code 2, and the reason", async () => {
  const env = await environment();
  const proxy = await startPoolingProxy(env.AUTH_DB_URL ?? "");
  const service = run({ ...env, AUTH_DB_URL: proxy.url });
  expect(await service.exit).toBe(2);
  expect(service.output()).toContain("AUTH_DB_URL leads to a connection pooler");
  await proxy.close();
});

test.each(["nowhere.invalid", "192.0.2.1"])(
  "a host that is not this machine's, %s: exit code 2",
  async (HOST) => {
    const service = run({ ...(await environment()), HOST });
    expect(await service.exit).toBe(2);
    expect(service.output()).toContain(`HOST "${HOST}" and PORT 0 cannot be listened on`);
  },
);

test("a port that is taken: one line, exit code 1, since it may be free later", async () => {
  const holder = createServer().listen(0, "127.0.0.1");
  await once(holder, "listening");
  const { port } = holder.address() as AddressInfo;
  const service = run({ ...(await environment()), PORT: String(port) });
  expect(await service.exit).toBe(1);
  expect(service.output().trim()).toBe(
    `port ${port} of 127.0.0.1 is taken by another process: end it, or set PORT to another one`,
  );
  holder.close();
});

test("a hooks module that is not there: exit code 2", async () => {
  const service = run({ ...(await environment()), MESH_HOOKS: "/nowhere.js" });
  expect(await service.exit).toBe(2);
  expect(service.output()).toContain("MESH_HOOKS names /nowhere.js");
});

test("a start hook that refuses: logged, exit code 1", async () => {
  const path = await hooks("export default { start() { throw new Error('no cluster here'); } };");
  const service = run({ ...(await environment()), MESH_HOOKS: path });
  expect(await service.exit).toBe(1);
  expect(service.output()).toContain("no cluster here");
});

test.each(["SIGTERM", "SIGINT"] as const)("%s lets requests finish, then exit code 0", async (signal) => {
  const env = await environment();
  const service = run(env);
  const url = await service.url();
  await ready(url);
  const client = new Client({ connectionString: env.AUTH_DB_URL });
  await client.connect();
  await client.query(
    "INSERT INTO users (user_id, username, display_name) SELECT i, i, repeat('x', 200) FROM generate_series(1, 100000) i",
  );
  await client.end();
  const [response] = (await once(get(`${url}/api/users`, { headers: authorized }), "response")) as [
    IncomingMessage,
  ];
  service.child.kill(signal);
  let body = "";
  for await (const chunk of response) body += chunk;
  expect(JSON.parse(body)).toHaveLength(100_000);
  expect(await service.exit).toBe(0);
  expect(service.output()).toContain('"msg":"stopped"');
});

test("a second signal stops at once, whatever is in flight", async () => {
  const env = await environment();
  const service = run(env);
  const url = await service.url();
  await ready(url);
  const client = new Client({ connectionString: env.AUTH_DB_URL });
  await client.connect();
  await client.query("BEGIN; LOCK TABLE users");
  const request = get(`${url}/api/users`, { headers: authorized });
  request.on("error", () => undefined);
  await waitFor(async () => {
    const { rows } = await client.query(
      "SELECT FROM pg_locks WHERE NOT granted AND relation = 'users'::regclass",
    );
    return rows.length > 0;
  });
  service.child.kill("SIGTERM");
  await waitFor(() => service.output().includes("signal received"));
  const before = Date.now();
  service.child.kill("SIGTERM");
  expect(await service.exit).toBe(1);
  expect(Date.now() - before).toBeLessThan(1_000);
  await client.end();
});

test("an unhandled rejection is logged and ends the process, exit code 1", async () => {
  const path = await hooks(
    "export default { start() { setTimeout(() => Promise.reject(new Error('lost promise')), 300); } };",
  );
  const service = run({ ...(await environment()), MESH_HOOKS: path });
  expect(await service.exit).toBe(1);
  expect(service.output()).toContain("lost promise");
});

test("a log that nobody reads keeps it neither from answering nor from stopping", async () => {
  const port = String(await freePort());
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(process.execPath, ["--import", "tsx", MAIN], {
    env: { PATH: process.env.PATH ?? "", OPERATOR_KEY: KEY, PORT: port, ...(await environment()) },
    stdio: ["ignore", "pipe", "ignore"],
  });
  children.push(child);
  const exit = once(child, "exit").then(([code]) => code as number | null);
  await waitFor(async () => (await fetch(`${url}/readyz`)).ok, { timeoutMs: 30_000 });
  // Each is a log line of 8 kB; together many times the size of pipe and buffer.
  const path = `/${"x".repeat(8_000)}`;
  const answers = async () => {
    for (let asked = 0; asked < 50; asked += 1) {
      const answer = await fetch(url + path, { headers: authorized, signal: AbortSignal.timeout(5_000) });
      expect(answer.status).toBe(404);
      await answer.text();
    }
  };
  await Promise.all(Array.from({ length: 8 }, answers));
  const before = Date.now();
  child.kill("SIGTERM");
  expect(await exit).toBe(0);
  expect(Date.now() - before).toBeLessThan(3_000);
});

describe("started by npx, which is gone: nobody could end it any more, so it stops", () => {
  const npm = { npm_config_user_agent: "npm/11.0.0 node/v20" };
  const stopped = async (service: ServiceProcess, url: string) => {
    await waitFor(() => service.output().includes('"msg":"stopped"'), { what: "it to stop" });
    expect(service.output()).toContain("the process that started this one is gone");
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  };

  test("npx passes a SIGTERM on to its shell alone, which dies of it", async () => {
    const service = run({ ...(await environment()), ...npm }, '"$@"; exit 0');
    const url = await service.url();
    await ready(url);
    service.child.kill("SIGTERM");
    await stopped(service, url);
  });

  test.skipIf(!existsSync("/proc/self/stat"))("npx is killed with -9, its shell waits on", async () => {
    const service = run({ ...(await environment()), ...npm }, `/bin/sh -c '"$@"; exit 0' sh "$@"; exit 0`);
    const url = await service.url();
    await ready(url);
    service.child.kill("SIGKILL");
    await stopped(service, url);
  });

  test.skipIf(!existsSync("/proc/self/stat"))("npx is killed before the service has begun", async () => {
    const service = run(
      { ...(await environment()), ...npm },
      `/bin/sh -c 'echo begun; sleep 1; "$@"; exit 0' sh "$@"; exit 0`,
    );
    await waitFor(() => service.output().includes("begun"));
    service.child.kill("SIGKILL");
    await stopped(service, await service.url());
  });

  test("its Ctrl-C, which npx passes on, is one signal and not two", async () => {
    const service = run({ ...(await environment()), ...npm });
    await ready(await service.url());
    service.child.kill("SIGINT");
    service.child.kill("SIGINT");
    setTimeout(() => service.child.kill("SIGINT"), 30);
    expect(await service.exit).toBe(0);
  });

  test("who was started otherwise outlives the shell that started it", async () => {
    const service = run(await environment(), '"$@" & echo "child $!"; wait; exit 0');
    const url = await service.url();
    await ready(url);
    const pid = Number(/child (\d+)/.exec(service.output())?.[1]);
    service.child.kill("SIGTERM");
    await new Promise((wake) => setTimeout(wake, 1_500));
    expect((await fetch(`${url}/healthz`)).ok).toBe(true);
    process.kill(pid, "SIGKILL");
  });
});
