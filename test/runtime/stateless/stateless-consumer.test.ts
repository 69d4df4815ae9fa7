import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, expect, inject, test } from "vitest";
import type { Broker } from "../../../runtime/broker/broker.js";
import { connectJetStream } from "../../../runtime/broker/jetstream.js";
import type { RunningConsumer } from "../../../runtime/consumer/consumer.js";
import type { StatelessConsumerDefinition } from "../../../runtime/definition/consumer-definition.js";
import type { MeshEvent } from "../../../runtime/definition/event-definition.js";
import type { MessageHandler } from "../../../runtime/definition/hook-definition.js";
import { lettersInStream } from "../../../runtime/operate/letters.js";
import { serviceStatus } from "../../../runtime/operate/status.js";
import {
  type DeadLetterStream,
  deadLetterStreamOf,
  openDeadLetterStream,
} from "../../../runtime/stateless/dead-letter-stream.js";
import { startStatelessConsumer } from "../../../runtime/stateless/stateless-consumer.js";
import { streamPlan } from "../../support/broker-plans.js";
import { openRig, type Rig } from "../../support/consumer-rig.js";
import { eventDefinition } from "../../support/event-definition.js";
import { silent } from "../../support/loggers.js";
import { waitFor } from "../../support/servers.js";
import { defineService } from "../../support/service-definition.js";
import { startTcpProxy, type TcpProxy } from "../../support/tcp-proxy.js";

/*
 * A service without a database on a real broker: order, back-off, attempts and dead letters, with nothing but the broker to
 * remember them.
 */

const DURABLE = "courier_user";

let rig: Rig;
let broker: Broker;
let letters: DeadLetterStream;
let heard: string[];
const running: RunningConsumer[] = [];
const fars: (() => Promise<void>)[] = [];
beforeEach(async () => {
  rig = await openRig();
  broker = await rig.connect();
  const service = rig.stream.toLowerCase();
  letters = openDeadLetterStream(broker, deadLetterStreamOf({ service, name: `DEAD_${rig.stream}` }));
  heard = [];
});
afterEach(async () => {
  for (const consumer of running.splice(0)) await consumer.stop();
  for (const end of fars.splice(0)) await end();
  await rig.manager.streams.delete(letters.definition.name).catch(() => false);
  await rig.close();
});

interface Choices {
  readonly attempts?: number;
  readonly backoffSeconds?: readonly number[];
  readonly ackWaitSeconds?: number;
}

function courier(handler: MessageHandler<MeshEvent>, choices: Choices = {}): StatelessConsumerDefinition {
  return {
    durable: DURABLE,
    stream: streamPlan({ name: rig.stream, subjects: [`${rig.stream}.user.*.*`] }),
    filter: `${rig.stream}.user.*.*`,
    entity: "auth.user",
    delivery: { attempts: 3, backoffSeconds: [0.2], ackWaitSeconds: 30, ...choices },
    events: ["created", "updated"].map((action) => ({
      event: eventDefinition({ name: `User${action}`, action, change: "none" }),
      handler,
    })) as StatelessConsumerDefinition["events"],
  };
}

type Hook = (line: string, attempt: number, signal: AbortSignal) => Promise<void> | void;

/** Hears after the hook has come through: `a 1`. */
function hearing(hook: Hook = () => undefined): MessageHandler<MeshEvent> {
  return async ({ event, attempt, signal }) => {
    const line = `${event.metadata.entity_id} ${event.metadata.version}`;
    await hook(line, attempt, signal);
    heard.push(line);
  };
}

function start(definition: StatelessConsumerDefinition): RunningConsumer {
  // A stop waits for a hook that hangs: not the minute that it has in production.
  const quick = { watchMs: 200, hookTimeoutMs: 8_000 };
  const consumer = startStatelessConsumer({ broker, definition, letters, logger: silent, ...quick });
  running.push(consumer);
  return consumer;
}

const settled = () => waitFor(() => rig.settled(DURABLE), { what: "every message to be settled" });
const versions = async (id: string, count: number) => {
  for (let version = 1; version <= count; version += 1) await rig.say({ id, action: "updated", version });
};
const never = () => new Promise<void>(() => undefined);

test("hooks run in the order of each entity, and one that hangs holds up no other entity", async () => {
  start(courier(hearing((line) => (line === "slow 1" ? never() : undefined))));
  await waitFor(() => rig.settled(DURABLE), { what: "the durable" });
  await Promise.all([versions("slow", 3), versions("a", 20), versions("b", 20)]);
  await waitFor(() => heard.length === 40, { what: "the events of the others" });
  for (const id of ["a", "b"])
    expect(heard.filter((line) => line.startsWith(id))).toEqual(
      Array.from({ length: 20 }, (_, at) => `${id} ${at + 1}`),
    );
});

test("a hook that fails is tried again after its back-off, before later events of its entity and after those of others", async () => {
  const tries: number[] = [];
  const hook: Hook = (line, attempt) => {
    if (line !== "a 1") return;
    tries.push(attempt);
    if (attempt < 3 || !heard.includes("b 1")) throw new Error("not yet");
  };
  start(courier(hearing(hook), { attempts: 100 }));
  await waitFor(() => rig.settled(DURABLE), { what: "the durable" });
  await versions("a", 3);
  await versions("b", 1);
  await settled();
  expect(heard).toEqual(["b 1", "a 1", "a 2", "a 3"]);
  expect(tries.length).toBeGreaterThanOrEqual(3);
  expect(tries).toEqual(tries.map((_, at) => at + 1));
  expect(await letters.list()).toEqual([]);
  await waitFor(async () => (await broker.streamState(letters.definition.name))?.messages === 0, {
    what: "the attempts to be forgotten",
  });
});

test("after its attempts an event is a dead letter of the service's stream: listed, shown, redriven, discarded", async () => {
  let broken = true;
  const definition = courier(
    hearing((line) => {
      if (line.startsWith("bad") && broken) throw new Error("no such number");
    }),
  );
  const consumer = start(definition);
  await waitFor(() => rig.settled(DURABLE), { what: "the durable" });
  await versions("bad", 2);
  await versions("good", 1);
  await settled();
  expect(heard).toEqual(["good 1"]);
  const stateless = { deadLetters: letters.definition, consumers: [definition] };
  const { database: _, ...rest } = await defineService();
  const service = { ...rest, stateless };
  const kept = lettersInStream({ definition: service, stateless, broker, env: {}, logger: silent });
  const listed = await kept.list(10);
  expect(listed).toMatchObject([
    { durable: DURABLE, attempts: 3, error: "hook: no such number", entityId: "bad" },
    { durable: DURABLE, attempts: 3, error: "hook: no such number", entityId: "bad" },
  ]);
  await waitFor(() => consumer.stats().lettersKept === 2, { what: "the count" });
  const { consumers } = await serviceStatus({ definition: service, broker });
  expect(consumers).toMatchObject([
    { durable: DURABLE, streamFound: true, deadLetters: 2, attemptsWaiting: 0 },
  ]);
  const [second, first] = listed.map(({ id }) => id);
  expect((await kept.show(first ?? 0))?.body.toString()).toContain('"version":1');
  await expect(kept.redrive(first ?? 0)).rejects.toThrow("no such number");
  broken = false;
  expect(await kept.redrive(first ?? 0)).toEqual({ outcome: "applied" });
  expect(heard).toEqual(["good 1", "bad 1"]);
  expect(await kept.discard(second ?? 0, { by: "ada", why: "no such parcel" })).toBe(true);
  expect(await kept.discard(second ?? 0)).toBe(false);
  expect(await kept.list(10)).toEqual([]);
  expect(await kept.list(10, { settled: true })).toMatchObject([
    {
      id: second,
      entityId: "bad",
      bodyBytes: 0,
      settled: { as: "discarded", by: "ada", why: "no such parcel" },
    },
    { id: first, entityId: "bad", bodyBytes: 0, settled: { as: "redriven", by: null, why: null } },
  ]);
});

test("what is no event is a dead letter at once, whole: as large as the broker takes it, without a body, not UTF-8", async () => {
  start(courier(hearing()));
  await waitFor(() => rig.settled(DURABLE), { what: "the durable" });
  const publish = (id: string, body: Uint8Array) =>
    rig.nats.jetstream().publish(`${rig.stream}.user.${id}.created`, body);
  const large = randomBytes((rig.nats.info?.max_payload ?? 0) - 64);
  await publish("large", large);
  await publish("empty", new Uint8Array());
  await publish("odd", Buffer.from([0xff, 0xfe]));
  await rig.say({ id: "a", action: "promoted", version: 1 });
  await versions("a", 1);
  await settled();
  expect(heard).toEqual(["a 1"]);
  const listed = await letters.list();
  expect(listed.map(({ error, attempts }) => `${attempts} ${error}`).toSorted()).toEqual([
    "0 empty message",
    "0 not UTF-8",
    "0 not UTF-8",
    '0 unknown action "promoted" of auth.user; known: created, updated',
  ]);
  const letter = listed.find(({ bodyBytes }) => bodyBytes === large.length);
  expect((await letters.show(letter?.id ?? 0))?.body.equals(large)).toBe(true);
  expect(await letters.settle(letter?.id ?? 0, { as: "discarded" })).toBe(true);
  // The record that stands for it, in place of all its parts.
  expect(await broker.subjectsOf(letters.definition.name, ">")).toHaveLength(4);
});

test("a message that was in the hands of a process that died is tried alone, on record, and given up after its attempts", async () => {
  const alone: string[] = [];
  let inHand = 0;
  const definition = courier(
    hearing(async (line) => {
      inHand += 1;
      alone.push(`${line} ${inHand}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
      inHand -= 1;
    }),
    { ackWaitSeconds: 1 },
  );
  const { ackWaitSeconds = 1, maxAckPending = 100 } = definition.delivery ?? {};
  await broker.ensureStream(definition.stream);
  await broker.ensureStream(letters.definition);
  const plan = {
    stream: rig.stream,
    durable: DURABLE,
    filter: definition.filter,
    ackWaitSeconds,
    maxAckPending,
  };
  await broker.ensureConsumer(plan);
  for (const id of ["a", "b", "c"]) await versions(id, 1);
  // The process that died: it took all three, and settled none.
  const subscription = await broker.consume(plan, 10);
  const taken: Awaited<ReturnType<typeof subscription.next>>[number][] = [];
  while (taken.length < 3) taken.push(...(await subscription.next(10, 500)));
  const [killer] = taken;
  await subscription.stop();
  // It had died of the first one before, as often as it may.
  const place = { durable: DURABLE, seq: killer?.seq ?? 0, time: killer?.time ?? new Date() };
  await letters.recordAttempts(place, { attempts: 3, error: null });
  start(definition);
  await waitFor(() => rig.settled(DURABLE), { what: "all to be settled", timeoutMs: 20_000 });
  expect(alone).toEqual(["b 1 1", "c 1 1"]);
  expect(await letters.list()).toMatchObject([
    { entityId: "a", attempts: 3, error: "the process ended while applying it, each time" },
  ]);
});

test("a stop in the middle of a hook hands the message back, and counts no attempt", async () => {
  const attempts: number[] = [];
  const definition = courier(
    hearing(async (_, attempt, signal) => {
      attempts.push(attempt);
      if (attempts.length === 1)
        await new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
        });
    }),
  );
  const first = start(definition);
  await versions("a", 1).catch(() => undefined);
  await waitFor(() => attempts.length === 1, { what: "the hook" });
  await first.stop();
  start(definition);
  await waitFor(() => heard.length === 1, { what: "the second try" });
  expect(attempts).toEqual([1, 1]);
  await settled();
  expect(await letters.list()).toEqual([]);
});

test("while the stream of its dead letters takes nothing, what cannot be handled stays unacknowledged, and others go on", async () => {
  const consumer = start(
    courier(
      hearing((line) => {
        if (line.startsWith("bad")) throw new Error("never");
      }),
      { attempts: 1 },
    ),
  );
  await waitFor(() => rig.settled(DURABLE), { what: "the durable" });
  await rig.manager.streams.update(letters.definition.name, { max_bytes: 1 });
  await versions("bad", 1);
  await versions("good", 1);
  await waitFor(() => heard.includes("good 1"), { what: "the other entity" });
  await waitFor(() => consumer.stats().ownError !== undefined, { what: "the trouble to be said" });
  expect((await rig.manager.consumers.info(rig.stream, DURABLE)).num_ack_pending).toBe(1);
  await rig.manager.streams.update(letters.definition.name, { max_bytes: 1 << 20 });
  await settled();
  expect(await letters.list()).toHaveLength(1);
  expect(consumer.stats().ownError).toBeUndefined();
});

test("two replicas share the work: every event is handled, and none of them is a dead letter", async () => {
  const definition = courier(hearing());
  start(definition);
  start(definition);
  const ids = Array.from({ length: 30 }, (_, at) => `u${at}`);
  await Promise.all(ids.map((id) => versions(id, 3)));
  await settled();
  expect(new Set(heard).size).toBe(90);
  expect(await letters.list()).toEqual([]);
});

test("a durable that is deleted is made again, and what the stream still has is handled again", async () => {
  start(courier(hearing()));
  await waitFor(() => rig.settled(DURABLE), { what: "the durable" });
  await versions("a", 2);
  await waitFor(() => heard.length === 2, { what: "both" });
  await rig.manager.consumers.delete(rig.stream, DURABLE);
  await waitFor(() => heard.length === 4, { what: "both again" });
  expect(heard).toEqual(["a 1", "a 2", "a 1", "a 2"]);
});

interface Far {
  readonly broker: Broker;
  readonly proxy: TcpProxy;
  /** Whatever the broker sends from now on reaches nobody, and with `restore` the connection ends. */
  swallow(): void;
  restore(): Promise<void>;
}

/** A broker behind a proxy, for as long as the test runs. */
async function openFar(): Promise<Far> {
  const { hostname: host, port } = new URL(inject("nats"));
  const proxy = await startTcpProxy({ host, port: Number(port) });
  const far = await connectJetStream({ url: `nats://${host}:${proxy.port}`, name: "far", logger: silent });
  const end = async () => {
    await far.close();
    await proxy.close();
  };
  fars.push(end);
  return {
    broker: far,
    proxy,
    swallow: () => proxy.setWeather({ silent: "down" }),
    async restore() {
      const lost = new Promise<void>((resolve) => {
        const stop = far.onStatus(({ kind }) => {
          if (kind === "disconnected") resolve(stop());
        });
      });
      proxy.cut();
      proxy.setWeather({});
      await lost;
      await waitFor(() => far.connected(), { what: "the broker to be back" });
    },
  };
}

function startFar({ broker: far }: Far, definition: StatelessConsumerDefinition): RunningConsumer {
  const own = openDeadLetterStream(far, letters.definition);
  const consumer = startStatelessConsumer({
    broker: far,
    definition,
    letters: own,
    logger: silent,
    watchMs: 200,
  });
  running.push(consumer);
  return consumer;
}

const delivered = async () => (await rig.manager.consumers.info(rig.stream, DURABLE)).delivered.consumer_seq;

test("what was delivered into a lost connection is handled first, without waiting for the ack wait", async () => {
  const far = await openFar();
  startFar(far, courier(hearing()));
  await waitFor(() => rig.settled(DURABLE), { what: "the durable" });
  await versions("a", 1);
  await settled();
  far.swallow();
  await versions("b", 2);
  await waitFor(async () => (await delivered()) === 3, { what: "the broker to deliver both into nothing" });
  await far.restore();
  await rig.say({ id: "b", action: "updated", version: 3 });
  await waitFor(() => heard.includes("b 3"), { what: "the last one" });
  await settled();
  expect(heard).toEqual(["a 1", "b 1", "b 2", "b 3"]);
});

test("an event whose next attempt was delivered into a lost connection is still tried before later ones of its entity", async () => {
  const far = await openFar();
  let tries = 0;
  const hook: Hook = (line) => {
    if (line !== "a 1") return;
    tries += 1;
    if (tries === 1) throw new Error("not yet");
  };
  const consumer = startFar(far, courier(hearing(hook), { backoffSeconds: [1] }));
  await waitFor(() => rig.settled(DURABLE), { what: "the durable" });
  await versions("a", 1);
  await waitFor(() => consumer.stats().attemptsWaiting === 1, { what: "the first attempt to be put off" });
  far.swallow();
  await waitFor(async () => (await delivered()) === 2, {
    what: "the broker to deliver the second into nothing",
  });
  await far.restore();
  await rig.say({ id: "a", action: "updated", version: 2 });
  await waitFor(() => heard.includes("a 2"), { what: "the later event" });
  expect(heard).toEqual(["a 1", "a 2"]);
});

test("where other replicas have messages in hand, a lost connection has none of them handled twice", async () => {
  const far = await openFar();
  const begun: string[] = [];
  const hook: Hook = async (line) => {
    begun.push(line);
    if (line.startsWith("slow")) await new Promise((resolve) => setTimeout(resolve, 5_000));
  };
  startFar(far, courier(hearing(hook)));
  await waitFor(() => rig.settled(DURABLE), { what: "the durable" });
  await versions("a", 3);
  await settled();
  await far.proxy.close();
  start(courier(hearing(hook)));
  await Promise.all([versions("slow", 1), versions("other", 1)]);
  await waitFor(() => heard.includes("other 1") && begun.length === 5, {
    what: "the other replica to take both",
  });
  await far.proxy.reopen();
  await waitFor(() => heard.includes("slow 1"), { what: "the end of the hook" });
  await settled();
  expect(begun.toSorted()).toEqual(["a 1", "a 2", "a 3", "other 1", "slow 1"]);
});

test("nor where such a replica asks for nothing, since it has its hands full", async () => {
  const far = await openFar();
  startFar(far, courier(hearing()));
  await waitFor(() => rig.settled(DURABLE), { what: "the durable" });
  await versions("first", 1);
  await settled();
  const other = await rig.nats.jetstream().consumers.get(rig.stream, DURABLE);
  const taken = other.next({ expires: 10_000 });
  for (let version = 1; heard.length === version; version += 1) {
    await rig.say({ id: "a", action: "updated", version });
    await Promise.race([taken, waitFor(() => heard.length > version, { what: "it" })]);
  }
  (await taken)?.ack();
  await versions("b", 2);
  await waitFor(() => heard.includes("b 2"), { what: "what follows the other's" });
  await far.proxy.close();
  await waitFor(async () => (await other.info()).num_waiting === 0, {
    what: "the broker to miss the connection",
  });
  const held = other.next({ expires: 10_000 });
  await versions("held", 1);
  await held;
  const before = await delivered();
  await far.proxy.reopen();
  await waitFor(() => far.broker.connected(), { what: "the broker to be back" });
  await versions("c", 1);
  await waitFor(() => heard.includes("c 1"), { what: "what came afterwards" });
  expect(await delivered()).toBe(before + 1);
  (await held)?.ack();
});

test("while the broker is away a hook runs to its end, its message comes again, and what came meanwhile follows", async () => {
  const far = await openFar();
  let begun = 0;
  let goOn: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const hook: Hook = async (line) => {
    begun += 1;
    if (line === "a 1") await gate;
  };
  const consumer = startFar(far, courier(hearing(hook), { ackWaitSeconds: 2 }));
  await waitFor(() => rig.settled(DURABLE), { what: "the durable", timeoutMs: 30_000 });
  await versions("a", 2);
  await waitFor(() => begun === 1, { what: "the hook" });
  await far.proxy.close();
  await versions("b", 2);
  await waitFor(() => !consumer.stats().connected, { what: "the consumer to miss the broker" });
  goOn();
  await waitFor(() => heard.includes("a 1"), { what: "the end of the hook" });
  await far.proxy.reopen();
  await waitFor(() => heard.includes("b 2") && rig.settled(DURABLE), {
    what: "every message",
    timeoutMs: 30_000,
  });
  const first = (id: string) => [...new Set(heard)].filter((line) => line.startsWith(id));
  expect([first("a"), first("b")]).toEqual([
    ["a 1", "a 2"],
    ["b 1", "b 2"],
  ]);
  expect(heard.filter((line) => line === "a 1").length).toBeGreaterThan(1);
  expect(await letters.list()).toEqual([]);
}, 90_000);
