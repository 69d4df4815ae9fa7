import { type AddressInfo, createServer, type Socket } from "node:net";
import { connect } from "nats";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Broker, PublishFailed, sendBy } from "../../../runtime/broker/broker.js";
import { startRelay } from "../../../runtime/outbox/relay.js";
import { type Owner, openOwner, orderFaults } from "../../support/event-owner.js";
import { recordingLogger } from "../../support/loggers.js";
import { startNats, type TestNats, waitFor } from "../../support/servers.js";

describe("the relay, when the broker fails", () => {
  let nats: TestNats;
  let owner: Owner;
  beforeEach(async () => {
    nats = await startNats();
    owner = await openOwner({ natsUrl: nats.url });
  });
  afterEach(async () => {
    await owner.close();
    await nats.remove();
  });

  const pause = (ms: number) => new Promise((wake) => setTimeout(wake, ms));
  const withinSeconds = (seconds: number, work: Promise<unknown>) =>
    Promise.race([
      work,
      pause(seconds * 1_000).then(() => Promise.reject(new Error(`not within ${seconds} s`))),
    ]);

  it("publishes everything exactly once through a broker that is killed in the middle, three times", async () => {
    const relay = owner.relay();
    for (const [round, after] of [20, 60, 100].entries()) {
      // Filled anew for each kill: a quiet machine publishes as many between two of them.
      await owner.fill(`e${round}-`, 4_000, 5);
      const before = relay.stats().published;
      await waitFor(() => relay.stats().published > before, { everyMs: 2 });
      await pause(after);
      await nats.kill();
      await owner.emit("meanwhile");
      await waitFor(() => relay.stats().paused);
      await nats.restart();
      await waitFor(() => !relay.stats().paused);
    }
    await owner.drained(30_000);
    const wire = await owner.wire();
    expect(orderFaults(wire)).toEqual([]);
    expect(wire).toHaveLength(60_003);
    expect(relay.stats()).toMatchObject({ paused: false, leader: true });
    expect(relay.stats().retries).toBeGreaterThan(0);
  });

  it("starts while the broker is down, says so, and publishes when it comes", async () => {
    await nats.stop();
    const late = await openOwner({ natsUrl: nats.url });
    const relay = late.relay();
    await late.emit("a", 1);
    await waitFor(() => relay.stats().lastError !== undefined && relay.stats().lag === 1);
    expect(relay.stats()).toMatchObject({ paused: true, leader: true, published: 0 });
    await nats.restart();
    await late.drained(10_000);
    expect(relay.stats()).toMatchObject({ paused: false, published: 1, lastError: undefined });
    await late.close();
  });

  it("creates a stream again that is deleted while it runs", async () => {
    const relay = owner.relay();
    await owner.emit("a", 1);
    await owner.drained();
    const admin = await connect({ servers: nats.url });
    await (await admin.jetstreamManager()).streams.delete(owner.stream.name);
    await owner.emit("a", 2);
    await owner.drained();
    expect((await owner.wire()).map(({ event }) => event.n)).toEqual([2]);
    expect(owner.lines.map(({ message }) => message)).toContain("the stream was recreated");
    await waitFor(async () => {
      const { rows } = await owner.pool.query<{ last: string }>(
        "SELECT last_seq AS last FROM mesh.relay_progress",
      );
      return rows[0]?.last === "1";
    });
    expect(relay.stats().paused).toBe(false);
    await admin.close();
  });

  it("stops within its bound while the broker is down", async () => {
    await owner.fill("e", 500);
    const relay = owner.relay();
    await waitFor(() => relay.stats().published > 0, { everyMs: 2 });
    await nats.kill();
    const started = performance.now();
    await relay.stop();
    expect(performance.now() - started).toBeLessThan(7_000);
  });

  it("stops while it waits for a database that took its connection and says nothing", async () => {
    const silent = createServer();
    const taken: Socket[] = [];
    silent.on("connection", (socket) => taken.push(socket));
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port } = silent.address() as AddressInfo;
    const pool = new pg.Pool({ connectionString: `postgres://nobody@127.0.0.1:${port}/nothing` });
    const { broker, stream, service: name } = owner;
    const service = { name, stream, publishes: [`${name}.user.*.*`] };
    const relay = startRelay({ pool, broker, service, logger: recordingLogger() });
    await waitFor(() => taken.length > 0);
    await withinSeconds(2, relay.stop());
    for (const socket of taken) socket.destroy();
    await new Promise((resolve) => silent.close(resolve));
    await pool.end();
  });

  it("keeps each entity's order, and publishes no duplicate, where publishes and their acks fail at random", async () => {
    let seed = 7;
    const random = () => {
      seed = (seed * 16_807) % 2_147_483_647;
      return seed / 2_147_483_647;
    };
    const publish: Broker["publish"] = async (message) => {
      const fate = random();
      await pause(random() * 5);
      if (fate < 0.002) throw new PublishFailed("lost on its way", "broker");
      if (fate < 0.004) throw new PublishFailed("refused once", "message");
      const ack = await owner.broker.publish(message);
      if (fate < 0.006) throw new PublishFailed("its ack was lost", "broker");
      return ack;
    };
    const faulty: Broker = { ...owner.broker, publish, send: sendBy(publish) };
    await owner.fill("e", 100, 20);
    const relay = owner.relay(faulty);
    await owner.drained(60_000);
    const wire = await owner.wire();
    expect(orderFaults(wire)).toEqual([]);
    expect(wire).toHaveLength(2_000);
    expect(relay.stats().retries).toBeGreaterThan(0);
  });

  it("finds in the stream what was stored without an ack, however long ago, though later ones were acked", async () => {
    const short = await openOwner({
      natsUrl: nats.url,
      stream: { ...owner.stream, duplicateWindowSeconds: 1 },
    });
    let swallowed = 0;
    const publish: Broker["publish"] = async (message) => {
      const ack = await short.broker.publish(message);
      if (!message.subject.includes("unlucky") || swallowed > 0) return ack;
      swallowed += 1;
      // As long as the client waits for an ack, which is longer than the dedupe window.
      await pause(3_000);
      throw new PublishFailed("no ack", "broker");
    };
    const deaf: Broker = { ...short.broker, publish, send: sendBy(publish) };
    await short.emit("unlucky", 1);
    const relay = short.relay(deaf);
    await waitFor(() => swallowed === 1);
    await short.fill("e", 500);
    await waitFor(() => relay.stats().published === 500);
    await short.drained();
    const wire = await short.wire();
    expect(orderFaults(wire)).toEqual([]);
    expect(wire).toHaveLength(501);
    expect(relay.stats().retries).toBe(1);
    await short.close();
  });

  it("publishes no duplicate of what was acked when it dies, not even beyond the duplicate window", async () => {
    // A dedupe window so short that the broker drops no duplicate.
    const admin = await connect({ servers: nats.url });
    const stream = { ...owner.stream, duplicateWindowSeconds: 1 };
    const short = await openOwner({ natsUrl: nats.url, stream });
    const relay = short.relay();
    await short.fill("e", 2_000);
    await waitFor(() => relay.stats().published > 500, { everyMs: 1 });
    await short.pool.query(
      `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = 1835365224
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    await relay.stop();
    await pause(2_500);
    short.relay();
    await short.drained();
    const wire = await short.wire();
    expect(wire).toHaveLength(2_000);
    expect(orderFaults(wire)).toEqual([]);
    await short.close();
    await admin.close();
  });
});
