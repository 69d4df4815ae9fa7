import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { PullSubscription } from "../../../runtime/broker/broker.js";
import {
  type Adversary,
  connectSimulated,
  createSimulatedServer,
  type SimulatedBroker,
} from "../../../simulator/broker/index.js";
import { bytes, durablePlan, streamPlan, subjectIn } from "../../support/broker-plans.js";
import { recordingLogger } from "../../support/loggers.js";
import { scriptedWire, settled } from "../../support/scripted-wire.js";

/*
 * Random schedules of the simulated broker alone: at least once holds in each of them, and the same
 * seed makes the same run.
 */

const START = 1_700_000_000_000;
const MESSAGES = 15;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"], now: START });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Mulberry32. */
function dice(seed: number): (sides: number) => number {
  let state = seed >>> 0;
  return (sides) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides;
  };
}

const stream = streamPlan();
const plan = durablePlan(stream, { ackWaitSeconds: 5, maxAckPending: 6 });

async function run(seed: number) {
  const roll = dice(seed);
  const trace: string[] = [];
  const seen = new Map<string, number>();
  const acked = new Set<string>();
  let hostile = true;
  const adversary: Adversary = {
    pick(due, max) {
      const places = due.map((_, place) => place);
      if (!hostile) return places.slice(0, max);
      for (let place = places.length - 1; place > 0; place -= 1) {
        const other = roll(place + 1);
        [places[place], places[other]] = [places[other] ?? 0, places[place] ?? 0];
      }
      return places.slice(0, roll(max + 1));
    },
    losesSettling: () => hostile && roll(4) === 0,
    losesPublish: () => (hostile && roll(5) === 0 ? (["before", "after"] as const)[roll(2)] : undefined),
    duplicates: () => hostile && roll(5) === 0,
  };
  const server = createSimulatedServer();
  server.port.ensureStream(stream);
  server.port.ensureConsumer(plan);
  const wire = scriptedWire();
  const logger = recordingLogger();
  const connect = (name: string) => connectSimulated({ server, name, wire, adversary, logger });

  const publisher = connect("auth");
  const publishing = Array.from({ length: MESSAGES }, async (_, place) => {
    const id = `m${place}`;
    while (!acked.has(id)) {
      await publisher.publish({ subject: subjectIn(stream, id), id, body: bytes(id) }).then(
        () => acked.add(id),
        () => new Promise((wake) => setTimeout(wake, 300)),
      );
    }
  });

  const consumers: SimulatedBroker[] = [];
  const consume = async (broker: SimulatedBroker, alive: () => boolean) => {
    let subscription: PullSubscription | undefined;
    while (alive()) {
      try {
        subscription ??= await broker.consume(plan, 8);
        for (const held of await subscription.next(3, 1_000)) {
          if (!alive()) return;
          seen.set(held.subject, (seen.get(held.subject) ?? 0) + 1);
          if (hostile && roll(5) === 0) held.nak(roll(2_000));
          else held.ack();
        }
      } catch {
        await new Promise((wake) => setTimeout(wake, 200));
      }
    }
  };
  const start = (place: number) => {
    const broker = connect(`sfs${place}`);
    consumers[place] = broker;
    void consume(broker, () => consumers[place] === broker);
  };
  start(0);
  start(1);

  const step = async () => {
    const waiting = wire.waiting();
    const what = roll(hostile ? 40 : 2);
    if (hostile && what === 39) publisher.cut();
    else if (hostile && what === 38) server.setUp(!server.port.up());
    else if (hostile && what === 37) consumers[roll(2)]?.cut();
    else if (hostile && what === 36) {
      const place = roll(2);
      consumers[place]?.die();
      start(place);
    } else if (what % 4 === 0 || waiting.length === 0) await vi.advanceTimersByTimeAsync(1 + roll(700));
    else {
      const place = roll(waiting.length);
      trace.push(`${Date.now() - START} ${waiting[place]}`);
      await wire.performAt(place);
    }
    await settled();
  };
  for (let turn = 0; turn < 600; turn += 1) await step();
  hostile = false;
  server.setUp(true);
  const quiet = () => {
    const state = server.port.consumerState(stream.name, plan.durable);
    return acked.size === MESSAGES && state?.pending === 0 && state.ackPending === 0;
  };
  for (let turn = 0; turn < 5_000 && !quiet(); turn += 1) await step();
  const outcome = { quiet: quiet(), seen, log: server.log(stream.name) };
  const floor = server.port.consumerState(stream.name, plan.durable)?.ackFloor;
  for (const broker of [publisher, ...consumers.splice(0)]) broker.die();
  void publishing;
  return { ...outcome, floor, trace };
}

describe("random schedules over the simulated broker", () => {
  it("lose nothing, whatever is lost, cut, killed or reordered", async () => {
    for (let seed = 1; seed <= 60; seed += 1) {
      vi.setSystemTime(START);
      const { quiet, seen, log, floor } = await run(seed);
      expect({ seed, quiet }).toEqual({ seed, quiet: true });
      const stored = new Set(log.map(({ subject }) => subject));
      expect({ seed, stored: stored.size, seen: seen.size }).toEqual({
        seed,
        stored: MESSAGES,
        seen: MESSAGES,
      });
      expect({ seed, floor }).toEqual({ seed, floor: log.length });
      vi.clearAllTimers();
    }
  });

  it("are the same from the same seed, to the last crossing", async () => {
    for (const seed of [7, 8, 9]) {
      vi.setSystemTime(START);
      const first = await run(seed);
      vi.clearAllTimers();
      vi.setSystemTime(START);
      const second = await run(seed);
      vi.clearAllTimers();
      expect(first.trace.length).toBeGreaterThan(100);
      expect(second.trace).toEqual(first.trace);
      expect(second.seen).toEqual(first.seen);
    }
  });
});
