import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { listDeadLetters, redriveDeadLetter } from "../../runtime/consumer/dead-letters.js";
import type { Tx } from "../../runtime/definition/hook-definition.js";
import { silent } from "../support/loggers.js";
import { waitFor } from "../support/servers.js";
import { type UserHooks, userConsumer } from "../support/user-consumer.js";
import { type Copy, openCopy } from "../support/user-copy.js";

let copy: Copy;
beforeEach(async () => {
  copy = await openCopy();
});
afterEach(() => copy.close());

const pause = (ms: number) => new Promise((wake) => setTimeout(wake, ms));

describe("a hook that never answers", () => {
  const start = (onBad: (tx: Tx) => Promise<unknown>) => {
    const created: NonNullable<UserHooks["created"]> = async ({ event, tx }) => {
      if (event.user_id === "bad") await onBad(tx);
    };
    const choices = { hooks: { created }, attempts: 2, backoffSeconds: [0.1] };
    return copy.start(choices, { hookTimeoutMs: 300 });
  };
  const say = async () => {
    await copy.say({ id: "bad", action: "created", version: 1 });
    await copy.say(
      { id: "other", action: "created", version: 1 },
      { id: "bad", version: 2, username: "later" },
    );
  };

  it("times out, is retried, and becomes a dead letter as poison; other entities go on", async () => {
    let healed = false;
    await start(() => (healed ? Promise.resolve() : new Promise(() => undefined)));
    await say();
    await copy.untilNames({ bad: "later", other: "name-other" });
    const [letter, ...more] = await listDeadLetters(copy.pool);
    expect(more).toEqual([]);
    expect(letter).toMatchObject({ attempts: 2, error: "hook: no answer within 0.3 s", entityId: "bad" });
    healed = true;
    const definition = userConsumer({ stream: copy.stream });
    const redriven = { pool: copy.pool, definition, id: letter?.id ?? 0, logger: silent };
    expect(await redriveDeadLetter(redriven)).toEqual({ outcome: "stale" });
  });

  it("also while its statement waits for a lock; what it does after its time-out has no effect", async () => {
    const holder = new pg.Client({ connectionString: copy.url });
    await holder.connect();
    await holder.query("BEGIN");
    await holder.query("LOCK TABLE namespaces");
    const late: unknown[] = [];
    await start(async (tx) => {
      const [waiting] = await Promise.allSettled([
        tx.query("INSERT INTO namespaces (namespace_id, name) VALUES ('n', 'n')"),
      ]);
      late.push(waiting?.status);
      await pause(200);
      await tx
        .query("INSERT INTO calls (what) VALUES ('too late')")
        .catch((error) => late.push(String(error)));
    });
    await say();
    await copy.untilNames({ bad: "later", other: "name-other" });
    await holder.end();
    // Perhaps once in a batch, and twice one by one.
    await waitFor(() => late.length >= 4 && late.length % 2 === 0);
    expect(late).toContain("rejected");
    expect(late).toContain("Error: the transaction of this hook has ended");
    expect(await listDeadLetters(copy.pool)).toMatchObject([{ attempts: 2 }]);
    const { rows } = await copy.pool.query(
      "SELECT (SELECT count(*)::int FROM calls) + (SELECT count(*)::int FROM namespaces) AS n",
    );
    expect(rows).toEqual([{ n: 0 }]);
  });

  it("does not block a snapshot's other rows", async () => {
    copy.serve([
      { user_id: "bad", username: "b", _version: 1 },
      { user_id: "good", username: "g", _version: 1 },
    ]);
    const created: NonNullable<UserHooks["created"]> = async ({ event }) => {
      if (event.user_id === "bad") await new Promise(() => undefined);
    };
    const consumer = await copy.start({ hooks: { created }, sync: true }, { hookTimeoutMs: 200 });
    await copy.untilNames({ good: "g" });
    await waitFor(() => consumer.stats().lastSnapshot?.error === "hooks failed on 1 row");
  });
});

it("events as large as the broker takes them are applied, and a dead letter holds as much", async () => {
  const consumer = await copy.start();
  const most = 1_048_576 - 1_000;
  await copy.say({ id: "large", action: "created", version: 1, padding: "x".repeat(most) });
  const garbage = Buffer.alloc(1_048_576 - 200, 0x7b);
  await copy.sayRaw("garbage", garbage);
  await copy.say({ id: "small", action: "created", version: 1 });
  await copy.untilNames({ large: "name-large", small: "name-small" });
  await waitFor(() => consumer.stats().deadLetters === 1);
  expect(await listDeadLetters(copy.pool)).toMatchObject([{ bodyBytes: garbage.length }]);
});
