import type { ServerResponse } from "node:http";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { listDeadLetters } from "../../runtime/consumer/dead-letters.js";
import { waitFor } from "../support/servers.js";
import { type Copy, openCopy, type SentUser } from "../support/user-copy.js";

let copy: Copy;
beforeEach(async () => {
  copy = await openCopy();
});
afterEach(() => copy.close());

describe("unique values, across two replicas that take one event at a time", () => {
  const start = async () => {
    const replicas = [await copy.start({ batch: 1 }), await copy.start({ batch: 1 })];
    await copy.say(
      { id: "a", action: "created", version: 1, username: "x" },
      { id: "b", action: "created", version: 1, username: "y" },
    );
    await copy.untilNames({ a: "x", b: "y" });
    return replicas;
  };
  const expectAllAcked = async (replicas: Awaited<ReturnType<typeof start>>) => {
    await waitFor(() => replicas.every((one) => one.stats().pending === 0 && one.stats().ackPending === 0));
    expect(await listDeadLetters(copy.pool)).toEqual([]);
    expect(replicas.every((one) => one.stats().applied > 0)).toBe(true);
  };

  it("two users swap unique names, again and again", async () => {
    const replicas = await start();
    for (let round = 0; round < 21; round += 1) {
      const [first, second] = round % 2 === 0 ? ["y", "x"] : ["x", "y"];
      await copy.say(
        { id: "a", version: round + 2, username: first },
        { id: "b", version: round + 2, username: second },
      );
    }
    await copy.untilNames({ a: "y", b: "x" });
    await expectAllAcked(replicas);
  });

  it("a unique name can be used again at once after a rename, and after a deletion", async () => {
    const replicas = await start();
    const said: SentUser[] = [];
    for (let round = 0; round < 12; round += 1) {
      const version = round + 2;
      said.push({ id: "a", version, username: `a${round}` });
      said.push({
        id: `r${round}`,
        action: "created",
        version: 1,
        username: round === 0 ? "x" : `a${round - 1}`,
      });
      said.push({ id: `r${round}`, action: "deleted", version: 2 });
      said.push({
        id: `d${round}`,
        action: "created",
        version: 1,
        username: round === 0 ? "x" : `a${round - 1}`,
      });
    }
    // One by one, as a relay publishes one entity's events.
    for (const one of said) await copy.say(one);
    const expected = { a: "a11", b: "y", d0: "x" } as Record<string, string>;
    for (let round = 1; round < 12; round += 1) expected[`d${round}`] = `a${round - 1}`;
    const sorted = Object.fromEntries(
      Object.entries(expected).sort(([one], [other]) => (one < other ? -1 : 1)),
    );
    await waitFor(async () => {
      expect(await copy.names()).toEqual(sorted);
      return true;
    });
    await expectAllAcked(replicas);
  });
});

it("back-pressure: while the database does not answer no more messages are pulled, and all are applied later", async () => {
  const consumer = await copy.start({ batch: 100 });
  const holder = new pg.Client({ connectionString: copy.url });
  await holder.connect();
  await holder.query("BEGIN; LOCK TABLE user_cache IN EXCLUSIVE MODE");
  const said = (at: number): SentUser => ({
    id: `u${at}`,
    action: "created",
    version: 1,
    padding: "x".repeat(1_000),
  });
  for (let from = 0; from < 4_000; from += 500) {
    await copy.say(...Array.from({ length: 500 }, (_, at) => said(from + at)));
  }
  await waitFor(() => (consumer.stats().pending ?? 0) > 3_000);
  await new Promise((wake) => setTimeout(wake, 500));
  // The batch that is being applied, the next one, and a prefetch of two; the durable's own limit is 5,000.
  expect(consumer.stats().ackPending).toBeLessThanOrEqual(500);
  await holder.end();
  await waitFor(async () => (await copy.pool.query("SELECT FROM user_cache")).rowCount === 4_000);
  expect(await listDeadLetters(copy.pool)).toEqual([]);
});

describe("events while a snapshot is read", () => {
  /** Starts a consumer whose source has read its rows and begun to answer. */
  const startReading = async (rest: string) => {
    let answer: ServerResponse | undefined;
    copy.serve((_, response) => {
      response.write("[");
      answer = response;
    });
    const consumer = await copy.start({ sync: true });
    await waitFor(() => answer !== undefined);
    const finish = async () => {
      copy.serve(JSON.parse(`[${rest}]`) as object[]);
      answer?.end(`${rest}]`);
      await waitFor(() => consumer.stats().lastSnapshot?.at != null);
    };
    return { finish };
  };

  it("a user created meanwhile is not removed by the snapshot", async () => {
    const { finish } = await startReading("");
    await copy.say({ id: "new", action: "created", version: 1 });
    await copy.untilNames({ new: "name-new" });
    await finish();
    expect(await copy.names()).toEqual({ new: "name-new" });
  });

  it("a user deleted or renamed meanwhile is not overwritten by the snapshot's older row", async () => {
    await copy.start();
    await copy.say(
      { id: "gone", action: "created", version: 1 },
      { id: "renamed", action: "created", version: 1 },
    );
    await copy.untilNames({ gone: "name-gone", renamed: "name-renamed" });
    const { finish } = await startReading(
      '{"user_id":"gone","username":"name-gone","_version":1},{"user_id":"renamed","username":"name-renamed","_version":1}',
    );
    await copy.say(
      { id: "gone", action: "deleted", version: 2 },
      { id: "renamed", version: 2, username: "new" },
    );
    await copy.untilNames({ renamed: "new" });
    await finish();
    expect(await copy.names()).toEqual({ renamed: "new" });
  });
});
