import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterEach, expect, test, vi } from "vitest";
import { freePort, preferPort } from "../../generator/dev/servers/free-ports.js";
import { verifySum } from "../../generator/dev/servers/npm-package.js";
import { embeddedPostgres } from "../../generator/dev/servers/postgres-binary.js";
import { removePostgres, startPostgres } from "../../generator/dev/servers/postgres-server.js";
import type { RunningServer } from "../../generator/dev/servers/process.js";
import { afterTest } from "../support/after-test.js";
import { alive, hasProc } from "../support/mesh-command.js";
import { bareClient, waitFor } from "../support/reference-mesh.js";
import { startNats } from "../support/servers.js";

afterEach(() => vi.unstubAllEnvs());

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), "mesh-servers-"));
  // mkdtemp creates it with 0700, which has its own test below.
  chmodSync(folder, 0o755);
  afterTest(async () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function startPostgresIn(folder: string): Promise<RunningServer> {
  const server = await startPostgres({ folder });
  afterTest(() => server.stop());
  return server;
}

async function version(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return String(
      (await client.query<{ v: string }>("SELECT current_setting('server_version') AS v")).rows[0]?.v ?? "",
    );
  } finally {
    await client.end();
  }
}

test("PostgreSQL comes back on its data after a crash, on the same port, and lets nobody in without the password", async () => {
  const server = await startPostgresIn(join(temporary(), "postgres"));
  await server.kill();
  await server.restart();
  await version(server.url);
  const without = new URL(server.url);
  without.password = "guess";
  await expect(version(without.href)).rejects.toThrow(/password/);
});

test.skipIf(!hasProc)(
  "PostgreSQL starts although its process id of before now belongs to another program",
  async () => {
    const folder = join(temporary(), "postgres");
    const first = await startPostgresIn(folder);
    const file = join(folder, "data", "postmaster.pid");
    const lines = readFileSync(file, "utf8").split("\n");
    await first.kill();
    await waitFor(() => alive([first.pid]).length === 0);
    writeFileSync(file, [process.pid, ...lines.slice(1)].join("\n"));
    await version((await startPostgresIn(folder)).url);
  },
);

test("PostgreSQL of the npm package runs as well as a local one", async () => {
  const bin = await embeddedPostgres().catch(() => undefined);
  // The optional dependencies may be missing; a local server is used then.
  if (bin === undefined) return;
  vi.stubEnv("POSTGRES_BIN", bin);
  const server = await startPostgresIn(join(temporary(), "postgres"));
  expect(await version(server.url)).toMatch(/^1[3-9]|^[2-9]\d/);
});

test.skipIf(process.getuid?.() !== 0)(
  "as root, a state folder that PostgreSQL's user cannot enter is no obstacle",
  async () => {
    const closed = join(temporary(), "closed");
    mkdirSync(closed, { mode: 0o700 });
    const folder = join(closed, "postgres");
    afterTest(() => removePostgres(folder));
    await version((await startPostgresIn(folder)).url);
  },
);

test("the broker keeps its streams over a crash", async () => {
  const nats = await startNats();
  afterTest(() => nats.remove());
  const before = await bareClient(nats.url);
  await before.jsm.streams.add({ name: "KEEP", subjects: ["keep.>"] });
  await before.publish("keep.one", "{}");
  await before.close();
  await nats.kill();
  await nats.restart();
  const after = await bareClient(nats.url);
  expect((await after.jsm.streams.info("KEEP")).state.messages).toBe(1);
  await after.close();
});

test("a binary that is not the one expected is not run", async () => {
  const file = join(temporary(), "nats-server");
  writeFileSync(file, "#!/bin/sh\n");
  await expect(verifySum(file, "0".repeat(64))).rejects.toThrow(/not the binary that was expected/);
});

test("NATS_SERVER_BIN and POSTGRES_BIN that lead nowhere are named, not passed over", async () => {
  vi.stubEnv("NATS_SERVER_BIN", "/nowhere/nats-server");
  await expect(startNats()).rejects.toThrow("NATS_SERVER_BIN is /nowhere/nats-server");
  vi.stubEnv("POSTGRES_BIN", "/nowhere");
  await expect(startPostgres({ folder: join(temporary(), "p") })).rejects.toThrow("POSTGRES_BIN is /nowhere");
});

test("a declared port is taken when it is free, else another", async () => {
  const port = await freePort();
  expect(await preferPort(port)).toBe(port);
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(port, "127.0.0.1", resolve));
  expect(await preferPort(port)).not.toBe(port);
  await new Promise((resolve) => holder.close(resolve));
});
