import type pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { emitUser, type Owner, openOwner, orderFaults } from "../../support/event-owner.js";
import { waitFor } from "../../support/servers.js";

/*
 * Sequence numbers are taken before their transactions commit, in any order: whoever commits late is read late, but no later
 * than its commit rings.
 */

describe("an event that commits out of order, after later ones", () => {
  let owner: Owner;
  const clients: pg.PoolClient[] = [];
  beforeEach(async () => {
    owner = await openOwner();
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.release(true);
    await owner.close();
  });

  const begin = async (how = "BEGIN") => {
    const client = await owner.pool.connect();
    clients.push(client);
    await client.query(how);
    await client.query("SELECT pg_current_xact_id()");
    return client;
  };
  const emit = (client: pg.PoolClient, id: string) => emitUser(client, { service: owner.service, id });
  const published = (count: number) => async () => (await owner.wire()).length === count;

  it.each([
    ["while nothing else runs", false],
    ["while a write transaction is held open", true],
  ])("is published at once, though it began after the last one that ended, %s", async (_, held) => {
    const relay = owner.relay();
    await waitFor(async () => relay.stats().leader && (await owner.broker.streamState(owner.stream.name)));
    if (held) {
      await begin("BEGIN ISOLATION LEVEL REPEATABLE READ");
      // Until the reader no longer waits for it.
      const since = performance.now();
      for (let n = 1; performance.now() - since < 2_500; n += 1) {
        await owner.emit("early", n);
        await new Promise((wake) => setTimeout(wake, 50));
      }
    }
    const before = (await owner.wire()).length;
    const [first, second] = [await begin(), await begin()];
    await emit(second, "late");
    await emit(first, "soon");
    await first.query("COMMIT");
    await waitFor(published(before + 1), { what: "the one that has committed" });
    // Read again and again meanwhile.
    await new Promise((wake) => setTimeout(wake, 600));
    const committed = performance.now();
    await second.query("COMMIT");
    await waitFor(published(before + 2), { what: "the late one" });
    expect(performance.now() - committed).toBeLessThan(1_000);
  });

  it("is never a second late among a thousand a second of many writers, beside a transaction that is held open", async () => {
    const relay = owner.relay();
    await waitFor(async () => relay.stats().leader && (await owner.broker.streamState(owner.stream.name)));
    const holder = await begin("BEGIN ISOLATION LEVEL REPEATABLE READ");
    const committed = new Map<string, number>();
    const seen = new Map<string, number>();
    const writers = Array.from({ length: 6 }, async (_, writer) => {
      const client = await begin();
      await client.query("COMMIT");
      const started = performance.now();
      for (let n = 0; performance.now() - started < 6_000; n += 1) {
        const id = `w${writer}-${n}`;
        await client.query("BEGIN");
        await emit(client, id);
        await client.query("COMMIT");
        committed.set(id, performance.now());
        await new Promise((wake) => setTimeout(wake, 5));
      }
    });
    let writing = true;
    const watching = (async () => {
      let after = 0;
      while (writing || seen.size < committed.size) {
        for await (const { seq, subject } of owner.broker.replay(owner.stream.name, ">", after + 1)) {
          seen.set(subject.split(".")[2] ?? "", performance.now());
          after = seq;
        }
        await new Promise((wake) => setTimeout(wake, 20));
      }
    })();
    await Promise.all(writers);
    writing = false;
    await watching;
    await holder.query("COMMIT");
    const latest = Math.max(
      ...[...committed].map(([id, at]) => (seen.get(id) ?? Number.POSITIVE_INFINITY) - at),
    );
    expect(committed.size).toBeGreaterThan(500);
    expect(latest).toBeLessThan(1_500);
    expect(orderFaults(await owner.wire())).toEqual([]);
  }, 40_000);
});
