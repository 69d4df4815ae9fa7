import { once } from "node:events";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { listDeadLetters } from "../../runtime/consumer/dead-letters.js";
import { streamPlan } from "../support/broker-plans.js";
import { emitUser, type Owner, openOwner, orderFaults } from "../support/event-owner.js";
import { runToDeath, spawnDoomed } from "../support/killed-process.js";
import { waitFor } from "../support/servers.js";
import { type Copy, openCopy } from "../support/user-copy.js";

/*
 * kill -9 at each step that an event goes through, and a successor that finds what is left.
 */

describe("a relay that is killed with -9", () => {
  let owner: Owner;
  beforeEach(async () => {
    // A dedupe window so short that the broker hides no duplicate.
    owner = await openOwner({ stream: streamPlan({ duplicateWindowSeconds: 1 }) });
  });
  afterEach(() => owner.close());

  it.each([
    "before the publish",
    "after the publish, before its ack is seen",
    "after the ack, before the outbox row is removed",
  ])("%s: each outbox event is in the stream once, in order", async (step) => {
    await owner.emit("before", 1);
    await owner.emit("victim", 1);
    await owner.emit("victim", 2);
    const { url, stream } = owner;
    await runToDeath({ url, natsUrl: inject("nats"), step, stream });
    expect(await owner.waiting()).toBeGreaterThan(0);
    await new Promise((wake) => setTimeout(wake, 1_100));
    owner.relay();
    await owner.drained();
    const wire = await owner.wire();
    expect(orderFaults(wire)).toEqual([]);
    expect(wire).toHaveLength(3);
  });

  it("while a writer dies before its commit: nothing of its transaction is published", async () => {
    const writer = new pg.Client({ connectionString: owner.url });
    writer.on("error", () => undefined);
    await writer.connect();
    await writer.query("BEGIN");
    await emitUser(writer, { service: owner.service, id: "unfinished" });
    const cut = new Promise<void>((resolve) => writer.once("end", resolve));
    await owner.pool.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'",
    );
    await cut;
    await owner.emit("finished");
    owner.relay();
    await owner.drained();
    expect((await owner.wire()).map(({ event }) => event.metadata.entity_id)).toEqual(["finished"]);
  });
});

describe("a consumer that is killed with -9", () => {
  let copy: Copy;
  beforeEach(async () => {
    copy = await openCopy();
  });
  afterEach(() => copy.close());

  const doom = (step: string, attempts = 5) => ({
    url: copy.url,
    natsUrl: inject("nats"),
    step,
    definition: { stream: copy.stream, ackWaitSeconds: 1, attempts },
  });
  const countingHooks = {
    created: async ({
      event,
      tx,
    }: {
      event: { user_id: string };
      tx: { query(...given: unknown[]): unknown };
    }) => {
      await tx.query("INSERT INTO calls (what) VALUES ($1)", [event.user_id]);
    },
  };
  const prepare = async () => {
    // Started once before, so that stream and durable exist.
    const first = await copy.start({ ackWaitSeconds: 1 });
    await first.stop();
  };

  it.each(["in the handler, before the commit", "after the commit, before the ack"])(
    "%s: its effect is there once",
    async (step) => {
      await prepare();
      await copy.say({ id: "victim", action: "created", version: 1 });
      await runToDeath(doom(step));
      const applied = await copy.names();
      expect("victim" in applied).toBe(step.startsWith("after"));
      const successor = await copy.start({ hooks: countingHooks, ackWaitSeconds: 1 });
      await waitFor(
        () => successor.stats().applied + successor.stats().stale === 1 && successor.stats().ackPending === 0,
        { what: "the event to be settled" },
      );
      expect(await copy.names()).toEqual({ victim: "name-victim" });
      expect((await copy.pool.query("SELECT what FROM calls")).rows).toEqual([{ what: "victim" }]);
    },
  );

  it("after the dead letter, before the term: redelivery writes no second dead letter", async () => {
    await prepare();
    await copy.sayRaw("victim", Buffer.from("not JSON"));
    await runToDeath(doom("after the dead letter, before the term"));
    const successor = await copy.start({ ackWaitSeconds: 1 });
    await waitFor(() => successor.stats().deadLetters === 1 && successor.stats().ackPending === 0);
    expect(await listDeadLetters(copy.pool)).toHaveLength(1);
  });

  it.each(["in the handler, before the commit", "while it is read"])(
    "by an event, each time, %s: a dead letter after its attempts, and the others flow",
    async (step) => {
      await prepare();
      await copy.say({ id: "victim", action: "created", version: 1 });
      await copy.say(
        { id: "other", action: "created", version: 1 },
        { id: "victim", version: 2, username: "later" },
      );
      const killed = doom(step, 2);
      let deaths = 0;
      for (; deaths < 8 && (await listDeadLetters(copy.pool)).length === 0; deaths += 1) {
        const child = spawnDoomed(killed);
        const ended = once(child, "exit");
        const deadLettered = waitFor(async () => (await listDeadLetters(copy.pool)).length > 0);
        const survived = await Promise.race([ended.then(() => false), deadLettered.then(() => true)]);
        deadLettered.catch(() => undefined);
        if (!survived) continue;
        await copy.untilNames({ other: "name-other", victim: "later" });
        child.kill("SIGKILL");
        await ended;
        break;
      }
      // Two deliveries before it is suspected, and its attempts.
      expect(deaths).toBe(4);
      expect(await listDeadLetters(copy.pool)).toMatchObject([
        { attempts: 2, error: "the process ended while applying it, each time", entityId: "victim" },
      ]);
    },
  );
});
