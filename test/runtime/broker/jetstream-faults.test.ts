import { connect, type NatsConnection } from "nats";
import { afterEach, describe, expect, it } from "vitest";
import {
  type Broker,
  type BrokerStatus,
  PublishFailed,
  type PullSubscription,
} from "../../../runtime/broker/broker.js";
import { connectJetStream } from "../../../runtime/broker/jetstream.js";
import { bytes, durablePlan, streamPlan, subjectIn, take } from "../../support/broker-plans.js";
import { recordingLogger } from "../../support/loggers.js";
import { startNats, type TestNats, waitFor } from "../../support/servers.js";

const pause = (ms: number) => new Promise((wake) => setTimeout(wake, ms));

describe("JetStream, when things fail", () => {
  const endings: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const end of endings.splice(0).reverse()) await end();
  });

  const openNats = async (configuration?: string): Promise<TestNats> => {
    const nats = await startNats(configuration === undefined ? {} : { configuration });
    endings.push(() => nats.remove());
    return nats;
  };
  const openBroker = async (
    nats: TestNats,
    name = "svc",
    login: { user?: string; password?: string } = {},
  ) => {
    const logger = recordingLogger();
    const broker = await connectJetStream({ url: nats.url, name, logger, ...login });
    endings.push(() => broker.close());
    return { broker, logger };
  };
  const openAdmin = async (nats: TestNats, login: { user?: string; pass?: string } = {}) => {
    const admin: NatsConnection = await connect({ servers: nats.url, ...login });
    endings.push(() => admin.close());
    return admin.jetstreamManager();
  };
  const consume = async (broker: Broker, plan: ReturnType<typeof durablePlan>): Promise<PullSubscription> => {
    await broker.ensureConsumer(plan);
    const subscription = await broker.consume(plan, 100);
    endings.push(() => subscription.stop());
    return subscription;
  };

  it("connects whenever the broker comes, and says what it sees", async () => {
    const nats = await openNats();
    await nats.stop();
    const { broker } = await openBroker(nats);
    const seen: BrokerStatus["kind"][] = [];
    broker.onStatus((status) => seen.push(status.kind));
    expect(broker.connected()).toBe(false);
    expect(broker.maxPayload()).toBeUndefined();
    const early = broker.publish({ subject: "a.b.c.d", id: "1", body: bytes("") });
    await expect(early).rejects.toMatchObject({ fault: "broker" });
    await nats.restart();
    await waitFor(() => broker.connected());
    expect(broker.maxPayload()).toBe(1_048_576);
    await nats.kill();
    await waitFor(() => !broker.connected());
    await nats.restart();
    await waitFor(() => broker.connected());
    expect(seen.filter((kind) => kind !== "error")).toEqual(["connected", "disconnected", "connected"]);
  });

  it("closes while the broker is down", async () => {
    const nats = await openNats();
    await nats.stop();
    const { broker } = await openBroker(nats);
    await pause(100);
    const started = performance.now();
    await broker.close();
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  it("fails what was on its way when the broker dies, at once", async () => {
    const nats = await openNats();
    const { broker } = await openBroker(nats);
    const stream = streamPlan();
    await broker.ensureStream(stream);
    const outcomes = { acked: 0, failed: 0 };
    let count = 0;
    const pipeline = Array.from({ length: 200 }, async () => {
      while (outcomes.failed === 0) {
        count += 1;
        const message = { subject: subjectIn(stream, `e${count}`), id: `m${count}`, body: bytes("{}") };
        await broker.publish(message).then(
          () => {
            outcomes.acked += 1;
          },
          (error: unknown) => {
            expect(error).toBeInstanceOf(PublishFailed);
            expect(error).toMatchObject({ fault: "broker" });
            outcomes.failed += 1;
          },
        );
      }
    });
    await waitFor(() => outcomes.acked > 500, { everyMs: 1 });
    await nats.kill();
    const started = performance.now();
    await Promise.all(pipeline);
    expect(performance.now() - started).toBeLessThan(2_000);
    await nats.restart();
    await waitFor(() => broker.connected());
    const stored = (await broker.streamState(stream.name))?.messages ?? 0;
    expect(stored).toBeGreaterThanOrEqual(outcomes.acked);
  });

  it("goes on taking after the broker was killed, and misses nothing", async () => {
    const nats = await openNats();
    const { broker } = await openBroker(nats);
    const stream = streamPlan();
    await broker.ensureStream(stream);
    const subscription = await consume(broker, durablePlan(stream, { ackWaitSeconds: 2 }));
    const seen = new Set<number>();
    let stored = 0;
    for (let round = 0; round < 3; round += 1) {
      for (let place = 0; place < 200; place += 1) {
        stored += 1;
        await broker.publish({
          subject: subjectIn(stream, `e${stored}`),
          id: `m${stored}`,
          body: bytes("{}"),
        });
      }
      for (const message of await take(subscription, 50)) {
        seen.add(message.seq);
        message.ack();
      }
      await nats.kill();
      await pause(300);
      await nats.restart();
      await waitFor(() => broker.connected());
    }
    await waitFor(
      async () => {
        for (const message of await subscription.next(100, 100)) {
          seen.add(message.seq);
          message.ack();
        }
        return seen.size === stored;
      },
      { timeoutMs: 15_000, what: `${stored} messages` },
    );
  });

  it("notices a broker that freezes, and goes on when it thaws", async () => {
    const nats = await openNats();
    const { broker, logger } = await openBroker(nats);
    const stream = streamPlan();
    await broker.ensureStream(stream);
    const subscription = await consume(broker, durablePlan(stream));
    process.kill(nats.pid, "SIGSTOP");
    try {
      expect(await subscription.next(1, 4_000)).toEqual([]);
      expect(logger.lines.map(({ message }) => message)).toContain("pull interrupted");
    } finally {
      process.kill(nats.pid, "SIGCONT");
    }
    await waitFor(() => broker.publish({ subject: subjectIn(stream, "a"), id: "1", body: bytes("{}") }));
    const [message] = await take(subscription, 1);
    expect(message?.seq).toBe(1);
    message?.ack();
  });

  it("brings an existing stream to the plan, keeps its messages, and says what it cannot change", async () => {
    const nats = await openNats();
    const { broker, logger } = await openBroker(nats);
    const stream = streamPlan();
    const admin = await openAdmin(nats);
    const extra = `${stream.name.toLowerCase()}x.>`;
    await admin.streams.add({
      name: stream.name,
      subjects: [...stream.subjects, extra],
      storage: "memory" as never,
      max_msgs: 7,
    });
    await broker.publish({ subject: subjectIn(stream, "a"), id: "1", body: bytes("{}") });
    expect(await broker.ensureStream(stream)).toMatchObject({ messages: 1 });
    const { config } = await admin.streams.info(stream.name);
    expect(config).toMatchObject({
      max_msgs: stream.maxMessages,
      max_bytes: stream.maxBytes,
      storage: "memory",
    });
    expect(config.subjects).toEqual([...stream.subjects, extra]);
    const warned = logger.lines.filter(({ level }) => level === "warn").map(({ message }) => message);
    expect(warned).toEqual([
      "stream has settings that cannot be changed any more",
      "stream differed from the plan and was updated",
    ]);
    expect(await broker.ensureStream(stream)).toMatchObject({ messages: 1 });
  });

  it("brings an existing durable to the plan without losing its place", async () => {
    const nats = await openNats();
    const { broker } = await openBroker(nats);
    const stream = streamPlan();
    await broker.ensureStream(stream);
    const plan = durablePlan(stream);
    await broker.ensureConsumer(plan);
    const changed = await broker.ensureConsumer({ ...plan, maxAckPending: 77, ackWaitSeconds: 11 });
    expect(changed.created).toBe(false);
    const info = await (await openAdmin(nats)).consumers.info(stream.name, plan.durable);
    expect(info.config).toMatchObject({ max_ack_pending: 77, ack_wait: 11_000_000_000, max_deliver: -1 });
  });

  it("works with the least authority, and names what is denied instead of hanging", async () => {
    const stream = streamPlan();
    const own = stream.name.toLowerCase();
    const nats = await openNats(`
      accounts { MESH { jetstream: enabled, users: [
        { user: admin, password: admin }
        { user: owner, password: secret, permissions {
            publish: ["${own}.user.*.created", "$JS.API.STREAM.INFO.${stream.name}"]
            subscribe: ["_INBOX_owner.>"] } }
        { user: reader, password: secret, permissions {
            publish: ["$JS.API.CONSUMER.INFO.${stream.name}.reader", "$JS.API.CONSUMER.MSG.NEXT.${stream.name}.reader",
                      "$JS.ACK.${stream.name}.reader.>", "$JS.ACK.*.*.${stream.name}.reader.>"]
            subscribe: ["_INBOX_reader.>"] } }
      ] } }`);
    const { broker: admin } = await openBroker(nats, "admin", { user: "admin", password: "admin" });
    const { broker: owner } = await openBroker(nats, "owner", { user: "owner", password: "secret" });
    const { broker: reader } = await openBroker(nats, "reader", { user: "reader", password: "secret" });
    const plan = durablePlan(stream);

    expect(await owner.ensureStream(stream)).toBeUndefined();
    await expect(reader.ensureConsumer(plan)).rejects.toThrow(/may not create it/);
    await admin.ensureStream(stream);
    await admin.ensureConsumer(plan);

    expect(await owner.ensureStream(stream)).toMatchObject({ name: stream.name });
    const publish = (subject: string) => owner.publish({ subject, id: subject, body: bytes("{}") });
    expect(await publish(`${own}.user.a.created`)).toMatchObject({ seq: 1 });
    const denied = publish(`${own}.user.a"\\b.deleted`);
    await expect(denied).rejects.toMatchObject({
      fault: "message",
      message: expect.stringMatching(/permissions/) as unknown,
    });
    expect(await publish(`${own}.user.b.created`)).toMatchObject({ seq: 2 });
    const reading = owner.replay(stream.name, ">", 1)[Symbol.asyncIterator]().next();
    await expect(reading).rejects.toThrow(new RegExp(`allow \\$JS.API.STREAM.MSG.GET.${stream.name}`));

    expect(await reader.ensureConsumer(plan)).toMatchObject({ created: false, state: { pending: 2 } });
    expect(await reader.streamState(stream.name)).toBeUndefined();
    const subscription = await reader.consume(plan, 10);
    endings.push(() => subscription.stop());
    for (const message of await take(subscription, 2)) message.ack();
    await waitFor(async () => (await reader.consumerState(stream.name, "reader"))?.ackPending === 0);
  });

  it("keeps trying with a login that is refused, and says so without the password", async () => {
    const users = (password: string) => `authorization { users: [ { user: svc, password: "${password}" } ] }`;
    const nats = await openNats(users("new"));
    const { broker, logger } = await openBroker(nats, "svc", { user: "svc", password: "old" });
    await pause(1_500);
    expect(broker.connected()).toBe(false);
    expect(logger.lines.some(({ fields }) => /authorization/i.test(JSON.stringify(fields)))).toBe(true);
    expect(JSON.stringify(logger.lines)).not.toMatch(/"old"/);
  });
});
