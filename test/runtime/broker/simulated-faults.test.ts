import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type BrokerStatus, ConsumerGone, type Delivery } from "../../../runtime/broker/broker.js";
import {
  type Adversary,
  benign,
  connectSimulated,
  createSimulatedServer,
  type Wire,
} from "../../../simulator/broker/index.js";
import { bytes, durablePlan, streamPlan, subjectIn } from "../../support/broker-plans.js";
import { recordingLogger } from "../../support/loggers.js";
import { scriptedWire, settled } from "../../support/scripted-wire.js";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"], now: 1_700_000_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const stream = streamPlan({ maxMessages: 100 });
const plan = durablePlan(stream, { ackWaitSeconds: 30 });
const seqs = (deliveries: readonly Delivery[]) => deliveries.map(({ seq }) => seq);
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

function world(adversary: Partial<Adversary> = {}) {
  const server = createSimulatedServer();
  server.port.ensureStream(stream);
  server.port.ensureConsumer(plan);
  const client = (name: string, wire?: Wire) =>
    connectSimulated({
      server,
      name,
      logger: recordingLogger(),
      adversary: { ...benign, ...adversary },
      ...(wire ? { wire } : {}),
    });
  const store = (...ids: string[]) => {
    for (const id of ids) server.inject(subjectIn(stream, id), bytes(id));
  };
  const durable = () => server.port.consumerState(stream.name, plan.durable);
  return { server, client, store, durable };
}

const message = (id: string) => ({ subject: subjectIn(stream, id), id, body: bytes("{}") });

describe("a publish over the simulated network", () => {
  const crossing = `publish ${subjectIn(stream, "a")}`;
  const ackCrossing = `publish ack ${subjectIn(stream, "a")}`;

  async function connected() {
    const wire = scriptedWire();
    const all = world();
    const broker = all.client("auth", wire);
    await wire.perform("connect auth");
    const outcome = broker.publish(message("a"));
    outcome.catch(() => undefined);
    await settled();
    return { ...all, wire, broker, outcome };
  }

  it("is stored, and not acked, when the connection is cut between its crossings", async () => {
    const { server, wire, broker, outcome } = await connected();
    await wire.perform(crossing);
    expect(wire.waiting()).toEqual([ackCrossing]);
    broker.cut();
    await expect(outcome).rejects.toMatchObject({ name: "PublishFailed", fault: "broker" });
    expect(server.port.streamState(stream.name)).toMatchObject({ messages: 1 });
    await wire.performAll();
    const again = broker.publish(message("a"));
    await wire.performAll();
    expect(await again).toMatchObject({ seq: 1, duplicate: true });
  });

  it("is not stored when the connection is cut before", async () => {
    const { server, wire, broker, outcome } = await connected();
    broker.cut();
    await expect(outcome).rejects.toMatchObject({ fault: "broker" });
    await wire.performAll();
    expect(server.port.streamState(stream.name)).toMatchObject({ messages: 0 });
  });

  it("fails when the ack takes too long", async () => {
    const { wire, outcome } = await connected();
    await wire.perform(crossing);
    await pass(4_999);
    const early = await Promise.race([outcome.catch(() => "failed"), settled().then(() => "waiting")]);
    expect(early).toBe("waiting");
    await pass(1);
    await expect(outcome).rejects.toMatchObject({ name: "PublishFailed", fault: "broker" });
  });

  it("reaches the stream after the one that was called before it", async () => {
    const { server, wire, broker } = await connected();
    void broker.publish(message("b"));
    await settled();
    expect(wire.waiting()).toEqual([crossing]);
    await wire.perform(crossing);
    await wire.performAt(wire.waiting().indexOf(`publish ${subjectIn(stream, "b")}`));
    expect(server.log(stream.name).map(({ subject }) => subject)).toEqual([
      subjectIn(stream, "a"),
      subjectIn(stream, "b"),
    ]);
  });

  it.each([
    ["before", 0],
    ["after", 1],
  ] as const)("that the adversary loses %s it is stored fails after the time", async (loses, messages) => {
    const { server, client } = world({ losesPublish: () => loses });
    const broker = client("auth");
    await settled();
    const outcome = broker.publish(message("a"));
    outcome.catch(() => undefined);
    await pass(5_000);
    await expect(outcome).rejects.toMatchObject({ fault: "broker" });
    expect(server.port.streamState(stream.name)).toMatchObject({ messages });
  });

  it("counts its headers towards max_payload, as JetStream's client does", async () => {
    const { client } = world();
    const broker = client("auth");
    await settled();
    const body = new Uint8Array((broker.maxPayload() ?? 0) - 10);
    await expect(broker.publish({ ...message("a"), body })).rejects.toMatchObject({ fault: "message" });
  });
});

describe("a message in flight at a client of the simulated server", () => {
  it("is redelivered after the ack wait when its process died, and nothing of that process crosses", async () => {
    const { client, store, durable } = world();
    store("a", "b");
    const [doomed, other] = [client("one"), client("other")];
    await settled();
    const first = await doomed.consume(plan, 10);
    await settled();
    const [a] = await first.next(1, 0);
    doomed.die();
    a?.ack();
    await first.stop();
    await doomed.close();
    await settled();
    expect(durable()).toMatchObject({ ackPending: 2, ackFloor: 0 });
    const second = await other.consume(plan, 10);
    await pass(29_900);
    expect(await second.next(10, 0)).toEqual([]);
    const waiting = second.next(10, 1_000);
    await pass(200);
    const again = await waiting;
    expect(again.map(({ seq, deliveries }) => [seq, deliveries])).toEqual([
      [1, 2],
      [2, 2],
    ]);
    expect(doomed.connected()).toBe(false);
  });

  it("is redelivered when the ack was under way over a connection that was cut", async () => {
    const wire = scriptedWire();
    const { client, store, durable } = world();
    store("a");
    const broker = client("sfs", wire);
    const seen: BrokerStatus["kind"][] = [];
    broker.onStatus(({ kind }) => seen.push(kind));
    await wire.performAll();
    const subscription = await broker.consume(plan, 10);
    await wire.perform("pull reader");
    const [a] = await subscription.next(1, 0);
    a?.ack();
    expect(wire.waiting()).toContain("ack reader #1");
    broker.cut();
    await wire.performAll();
    expect(seen).toEqual(["connected", "disconnected", "connected"]);
    expect(durable()).toMatchObject({ ackPending: 1 });
    const again = subscription.next(1, 40_000);
    await pass(30_000);
    await wire.performAll();
    expect(await again).toMatchObject([{ seq: 1, deliveries: 2 }]);
  });

  it("is redelivered when the adversary loses the ack", async () => {
    const lost: string[] = [];
    const { client, store } = world({
      losesSettling: (what) => {
        lost.push(what);
        return lost.length === 1;
      },
    });
    store("a");
    const broker = client("sfs");
    await settled();
    const subscription = await broker.consume(plan, 10);
    await settled();
    for (const held of await subscription.next(1, 0)) held.ack();
    const waiting = subscription.next(1, 40_000);
    await pass(31_000);
    const again = await waiting;
    expect(again).toMatchObject([{ seq: 1, deliveries: 2 }]);
    for (const held of again) held.ack();
    await pass(100_000);
    expect(await subscription.next(1, 0)).toEqual([]);
    expect(lost).toEqual(["ack reader #1", "ack reader #1"]);
  });

  it("is a duplicate when the adversary delivers it twice, acked or not", async () => {
    const { client, store, server, durable } = world({ duplicates: (_, seq) => seq === 2 });
    const broker = client("sfs");
    await settled();
    for (const id of ["a", "b"]) await broker.publish(message(id));
    const subscription = await broker.consume(plan, 10);
    await settled();
    const firsts = await subscription.next(10, 0);
    expect(seqs(firsts)).toEqual([1, 2]);
    for (const held of firsts) held.ack();
    await settled();
    expect(durable()).toMatchObject({ ackPending: 1, ackFloor: 1 });
    store("c");
    const waiting = subscription.next(10, 1_000);
    await pass(100);
    const more = await waiting;
    expect(more.map(({ seq, deliveries }) => [seq, deliveries])).toEqual([
      [2, 2],
      [3, 1],
    ]);
    for (const held of more) held.ack();
    await settled();
    expect(durable()).toMatchObject({ ackPending: 0, ackFloor: 3, pending: 0 });
    expect(server.redeliver(stream.name, plan.durable, 1)).toBe(true);
    expect(durable()).toMatchObject({ ackPending: 1, ackFloor: 0 });
    await settled();
    expect(await subscription.next(10, 0)).toMatchObject([{ seq: 1, deliveries: 2 }]);
    expect(server.redeliver(stream.name, plan.durable, 1)).toBe(false);
    expect(server.redeliver(stream.name, plan.durable, 9)).toBe(false);
  });

  it("is what the adversary picks, and what it left comes later", async () => {
    const shown: number[][] = [];
    const { client, store, durable } = world({
      pick: (due) => {
        shown.push(due.map(({ seq }) => seq));
        return shown.length === 1 ? [3, 1] : shown.length === 2 ? [] : due.map((_, place) => place);
      },
    });
    store("a", "b", "c", "d", "e");
    const broker = client("sfs");
    await settled();
    const subscription = await broker.consume(plan, 10);
    await settled();
    expect(seqs(await subscription.next(10, 0))).toEqual([4, 2]);
    expect(durable()).toMatchObject({ pending: 3, ackPending: 2, lastDelivered: 4 });
    const waiting = subscription.next(10, 1_000);
    await pass(200);
    expect(seqs(await waiting)).toEqual([1, 3, 5]);
    expect(shown).toEqual([
      [1, 2, 3, 4, 5],
      [1, 3, 5],
      [1, 3, 5],
    ]);
  });

  it("is not asked of an adversary that picks what is not there", async () => {
    const { client, store } = world({ pick: () => [7] });
    store("a");
    const broker = client("sfs");
    await settled();
    const subscription = await broker.consume(plan, 10);
    await settled();
    await expect(subscription.next(1, 0)).rejects.toThrow(/picked index 7 of 1/);
  });

  it("is settled by sequence alone, also by an answer to a stream that was made anew: as in JetStream", async () => {
    const { client, store, server, durable } = world();
    store("a");
    const broker = client("sfs");
    await settled();
    const subscription = await broker.consume(plan, 10);
    await settled();
    const [old] = await subscription.next(1, 0);
    server.deleteStream(stream.name);
    await settled();
    await expect(subscription.next(1, 0)).rejects.toBeInstanceOf(ConsumerGone);
    server.port.ensureStream(stream);
    server.port.ensureConsumer(plan);
    store("other");
    await broker.consume(plan, 10);
    await settled();
    expect(durable()).toMatchObject({ ackPending: 1 });
    old?.ack();
    await settled();
    expect(durable()).toMatchObject({ ackPending: 0, ackFloor: 1 });
  });
});

describe("the simulated server", () => {
  it("gives the sequences of a lost tail again, and its durables fall back with it", async () => {
    const { client, server, durable } = world();
    const broker = client("sfs");
    await settled();
    for (const id of ["a", "b", "c", "d"]) await broker.publish(message(id));
    const subscription = await broker.consume(plan, 10);
    await settled();
    const [a, b, c] = await subscription.next(3, 0);
    for (const held of [a, b, c]) held?.ack();
    await settled();
    expect(durable()).toMatchObject({ lastDelivered: 4, ackFloor: 3, ackPending: 1 });
    server.loseTail(stream.name, 2);
    expect(server.port.streamState(stream.name)).toMatchObject({ firstSeq: 1, lastSeq: 2, messages: 2 });
    expect(durable()).toMatchObject({ lastDelivered: 2, ackFloor: 2, ackPending: 0, pending: 0 });
    await subscription.next(10, 0);
    expect(await broker.publish(message("d"))).toMatchObject({ seq: 3, duplicate: false });
    expect(await broker.publish(message("a"))).toMatchObject({ seq: 1, duplicate: true });
    await settled();
    expect(await subscription.next(10, 0)).toMatchObject([
      { seq: 3, deliveries: 1, subject: subjectIn(stream, "d") },
    ]);
    expect(server.log(stream.name).map(({ seq, gone }) => [seq, gone])).toEqual([
      [1, undefined],
      [2, undefined],
      [3, "lost"],
      [4, "lost"],
      [3, undefined],
    ]);
  });

  it("keeps the sequence when it is purged, and its durables go on behind it", async () => {
    const { client, server, store, durable } = world();
    store("a", "b", "c");
    server.purge(stream.name);
    expect(server.port.streamState(stream.name)).toMatchObject({ firstSeq: 4, lastSeq: 3, messages: 0 });
    expect(durable()).toMatchObject({ pending: 0, ackPending: 0, lastDelivered: 3, ackFloor: 3 });
    store("d");
    const broker = client("sfs");
    await settled();
    const subscription = await broker.consume(plan, 10);
    await settled();
    expect(seqs(await subscription.next(10, 0))).toEqual([4]);
    expect(server.log(stream.name).map(({ gone }) => gone)).toEqual([
      "purged",
      "purged",
      "purged",
      undefined,
    ]);
  });

  it("takes and delivers nothing while it is down, and forgets nothing", async () => {
    const { client, server, store } = world();
    const broker = client("sfs");
    await settled();
    await broker.publish(message("a"));
    const subscription = await broker.consume(plan, 10);
    await settled();
    expect(seqs(await subscription.next(10, 0))).toEqual([1]);
    server.setUp(false);
    expect(broker.connected()).toBe(false);
    await expect(broker.publish(message("b"))).rejects.toMatchObject({ fault: "broker" });
    expect(server.inject(subjectIn(stream, "x"), bytes("{}"))).toBeUndefined();
    const state = broker.streamState(stream.name);
    state.catch(() => undefined);
    await pass(5_000);
    await expect(state).rejects.toThrow(/not connected/);
    const waiting = subscription.next(10, 60_000);
    await pass(50_000);
    server.setUp(true);
    await settled();
    expect(await waiting).toMatchObject([{ seq: 1, deliveries: 2 }]);
    expect(await broker.streamState(stream.name)).toMatchObject({ messages: 1 });
    store("b");
    await settled();
    expect(seqs(await subscription.next(10, 0))).toEqual([2]);
  });

  it("evicts by age and by number, unread messages too", async () => {
    const { server, store, durable } = world();
    store("a", "b");
    await pass((stream.maxAgeSeconds - 1) * 1_000);
    store(...Array.from({ length: 99 }, (_, place) => `m${place}`));
    expect(server.port.streamState(stream.name)).toMatchObject({
      firstSeq: 2,
      lastSeq: 101,
      messages: 100,
    });
    await pass(1_000);
    expect(server.port.streamState(stream.name)).toMatchObject({ firstSeq: 3, messages: 99 });
    expect(durable()).toMatchObject({ pending: 99, lastDelivered: 0 });
    expect(server.log(stream.name)).toHaveLength(101);
  });

  it("stores an id again after the dedupe window", async () => {
    const { client } = world();
    const broker = client("auth");
    await settled();
    await broker.publish(message("a"));
    await pass(stream.duplicateWindowSeconds * 1_000 - 1);
    expect(await broker.publish(message("a"))).toMatchObject({ seq: 1, duplicate: true });
    await pass(1);
    expect(await broker.publish(message("a"))).toMatchObject({ seq: 2, duplicate: false });
  });

  it("makes no two streams or durables with one time of creation", () => {
    const { server, durable } = world();
    const stamps = new Set<string | undefined>();
    for (let turn = 0; turn < 50; turn += 1) {
      server.port.ensureStream(stream);
      server.port.ensureConsumer(plan);
      stamps.add(server.port.streamState(stream.name)?.created);
      stamps.add(durable()?.created);
      server.deleteStream(stream.name);
    }
    expect(stamps.size).toBe(100);
    for (const stamp of stamps) expect(new Date(stamp ?? "").getTime()).toBe(Date.now());
  });

  it("lowers the ack floor to before a message whose ack it lost", async () => {
    const { client, server, store, durable } = world();
    store("a", "b");
    const broker = client("sfs");
    await settled();
    const subscription = await broker.consume(plan, 10);
    await settled();
    for (const held of await subscription.next(10, 0)) held.ack();
    await subscription.stop();
    expect(durable()).toMatchObject({ ackFloor: 2, ackPending: 0 });
    expect(server.redeliver(stream.name, plan.durable, 2)).toBe(true);
    expect(durable()).toMatchObject({ ackFloor: 1, ackPending: 1 });
  });

  it("wakes nobody for a process that died", async () => {
    const { client, store } = world();
    store("a", "b");
    const broker = client("sfs");
    await settled();
    const subscription = await broker.consume(plan, 10);
    await settled();
    await subscription.next(1, 0);
    broker.die();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("comes to rest: no timer is left when its clients have gone", async () => {
    const { client, store } = world();
    store("a", "b");
    const broker = client("sfs");
    await settled();
    const subscription = await broker.consume(plan, 10);
    await settled();
    await subscription.next(1, 0);
    expect(vi.getTimerCount()).toBeGreaterThan(0);
    await subscription.stop();
    await broker.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});
