import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import type { RelayStats } from "../../../runtime/outbox/relay.js";
import { streamPlan } from "../../support/broker-plans.js";
import { type Owner, openOwner, orderFaults } from "../../support/event-owner.js";
import { waitFor } from "../../support/servers.js";

const SCRIPT = fileURLToPath(new URL("../../support/processes/relay.ts", import.meta.url));

/** A proxy that after `cut` passes nothing on, not even the end of a connection. */
async function startWire(target: string) {
  const { hostname, port } = new URL(target);
  const sockets: Socket[] = [];
  let cut = false;
  const server = createServer({ allowHalfOpen: true }, (inside) => {
    const outside = connect(Number(port), hostname);
    sockets.push(inside, outside);
    for (const socket of [inside, outside]) socket.on("error", () => undefined);
    inside.pipe(outside);
    outside.on("data", (chunk) => cut || inside.write(chunk));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = new URL(target);
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return {
    url: url.href,
    close,
    cut: () => {
      cut = true;
    },
  };
}

describe("relays in processes of their own", () => {
  let owner: Owner;
  let admin: pg.Client;
  const children: ChildProcess[] = [];
  beforeEach(async () => {
    // A dedupe window so short that the broker drops no duplicate.
    owner = await openOwner({ stream: streamPlan({ duplicateWindowSeconds: 1 }) });
    admin = new pg.Client({ connectionString: owner.url });
    await admin.connect();
  });
  afterEach(async () => {
    for (const child of children.splice(0)) {
      const gone = once(child, "exit");
      if (child.exitCode === null && child.signalCode === null && child.kill("SIGKILL")) await gone;
    }
    await admin.end();
    await owner.close();
  });

  const spawnRelay = (url = owner.url) => {
    const settings = JSON.stringify({ url, natsUrl: inject("nats"), stream: owner.stream });
    const child = spawn(process.execPath, ["--import", "tsx", SCRIPT, settings], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    children.push(child);
    const lines = createInterface({ input: child.stdout });
    const stats = async () => {
      child.stdin.write("\n");
      const [line] = (await once(lines, "line", { signal: AbortSignal.timeout(5_000) })) as [string];
      return JSON.parse(line) as RelayStats;
    };
    return { child, stats };
  };
  /** Terminates the sessions of a client, as a database does when it takes the client for dead. */
  const cutLeader = () =>
    admin.query(
      `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = 1835365224
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );

  it("a suspended leader that wakes up without a validated lease publishes nothing", async () => {
    const { child, stats } = spawnRelay();
    await waitFor(async () => (await stats()).leader);
    await owner.fill("e", 3_000, 3);
    await waitFor(async () => (await stats()).published > 500, { everyMs: 5 });
    child.kill("SIGSTOP");
    await cutLeader();
    const successor = owner.relay();
    await owner.drained();
    await owner.fill("e", 3_000, 1);
    await owner.drained();
    await new Promise((wake) => setTimeout(wake, 1_000));
    const before = await owner.wire();
    child.kill("SIGCONT");
    await waitFor(async () => !(await stats()).leader);
    await new Promise((wake) => setTimeout(wake, 1_500));
    const after = await owner.wire();
    expect(orderFaults(after)).toEqual([]);
    expect(after).toHaveLength(12_000);
    expect(after).toHaveLength(before.length);
    expect(successor.stats().leader).toBe(true);
  });

  it("nor where nothing has told it that its connection is lost", async () => {
    const wire = await startWire(owner.url);
    // There before it starts: it freezes in the middle of it.
    await owner.fill("e", 4_000, 5);
    const { child, stats } = spawnRelay(wire.url);
    await waitFor(async () => (await stats()).published > 0, { everyMs: 1 });
    child.kill("SIGSTOP");
    expect(await owner.waiting()).toBeGreaterThan(2_000);
    wire.cut();
    await cutLeader();
    owner.relay();
    await owner.drained();
    await new Promise((wake) => setTimeout(wake, 2_000));
    child.kill("SIGCONT");
    await new Promise((wake) => setTimeout(wake, 1_500));
    const after = await owner.wire();
    expect(orderFaults(after)).toEqual([]);
    expect(after).toHaveLength(20_000);
    await wire.close();
  });

  it("a leader that is only paused goes on where it was", async () => {
    const { child, stats } = spawnRelay();
    await waitFor(async () => (await stats()).leader);
    await owner.fill("e", 3_000, 2);
    await waitFor(async () => (await stats()).published > 200, { everyMs: 5 });
    child.kill("SIGSTOP");
    await new Promise((wake) => setTimeout(wake, 3_000));
    child.kill("SIGCONT");
    await owner.drained();
    expect(orderFaults(await owner.wire())).toEqual([]);
    expect(await stats()).toMatchObject({ leader: true, paused: false });
  });

  it("a killed leader is replaced within seconds, with no loss and no duplicate", async () => {
    const { child, stats } = spawnRelay();
    await waitFor(async () => (await stats()).leader);
    const successor = owner.relay();
    await owner.fill("e", 3_000, 3);
    await waitFor(async () => (await stats()).published > 500, { everyMs: 5 });
    const started = performance.now();
    child.kill("SIGKILL");
    await waitFor(() => successor.stats().leader);
    expect(performance.now() - started).toBeLessThan(5_000);
    await owner.drained();
    const wire = await owner.wire();
    expect(orderFaults(wire)).toEqual([]);
    expect(wire).toHaveLength(9_000);
  });
});
