import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { listDeadLetters } from "../../runtime/consumer/dead-letters.js";
import { startRelay } from "../../runtime/outbox/relay.js";
import { streamPlan } from "../support/broker-plans.js";
import { type CommitCutter, startCommitCutter } from "../support/commit-cutter.js";
import { openOwner, orderFaults } from "../support/event-owner.js";
import { silent } from "../support/loggers.js";
import { waitFor } from "../support/servers.js";
import { createPool, type UserHooks } from "../support/user-consumer.js";
import { type Copy, openCopy } from "../support/user-copy.js";

/*
 * The connection is lost while committing: nobody knows whether it was done. Both happen here, and either way it
 * is done once.
 */

describe.each(["before", "after"] as const)(
  "the connection is lost %s the database has committed",
  (moment) => {
    let copy: Copy;
    let cutter: CommitCutter;
    let pool: pg.Pool;
    beforeEach(async () => {
      copy = await openCopy();
      cutter = await startCommitCutter(copy.url);
      pool = createPool(cutter.url);
    });
    afterEach(async () => {
      await copy.close();
      await pool.end();
      await cutter.close();
    });

    /** Only one attempt is allowed: a counted failure would become a dead letter. */
    const expectNothingCounted = async () => {
      expect(cutter.cut()).toBe(true);
      expect(await listDeadLetters(copy.pool)).toEqual([]);
      expect((await copy.pool.query("SELECT FROM mesh.attempt")).rowCount).toBe(0);
    };

    it("a batch with hooks: redelivery after a lost commit answer is idempotent", async () => {
      const created: NonNullable<UserHooks["created"]> = async ({ event, tx }) => {
        await tx.query("INSERT INTO calls (what) VALUES ($1)", [event.user_id]);
      };
      const consumer = await copy.start({ hooks: { created }, attempts: 1 }, { pool });
      cutter.arm("COMMIT", moment);
      // Without a version, too: its duplicate is recognised by the event id.
      await copy.say({ id: "a", action: "created", version: 1 }, { id: "b", action: "created" });
      await copy.untilNames({ a: "name-a", b: "name-b" });
      await waitFor(() => cutter.cut() && consumer.stats().ackPending === 0);
      expect((await copy.pool.query("SELECT what FROM calls ORDER BY 1")).rows).toEqual([
        { what: "a" },
        { what: "b" },
      ]);
      await expectNothingCounted();
    });

    it("a fast-path batch, which is one statement: redelivery after a lost commit answer is idempotent", async () => {
      await copy.start({ attempts: 1 }, { pool });
      cutter.arm('"$arrived" AS', moment);
      await copy.say({ id: "a", action: "created", version: 1 });
      await waitFor(() => cutter.cut());
      await copy.say({ id: "a", version: 2, username: "later" });
      await copy.untilNames({ a: "later" });
      await expectNothingCounted();
    });

    it("deleting published outbox rows: none is published twice, none is kept", async () => {
      const owner = await openOwner({ stream: streamPlan({ duplicateWindowSeconds: 1 }) });
      const through = await startCommitCutter(owner.url);
      const relayPool = new pg.Pool({ connectionString: through.url });
      through.arm("DELETE FROM mesh.outbox", moment);
      const { broker, stream, service: name } = owner;
      const service = { name, stream, publishes: [`${name}.user.*.*`] };
      const relay = startRelay({ pool: relayPool, broker, service, logger: silent });
      await owner.fill("e", 50, 3);
      await waitFor(() => through.cut());
      await owner.drained();
      const wire = await owner.wire();
      expect(orderFaults(wire)).toEqual([]);
      expect(wire).toHaveLength(150);
      await relay.stop();
      await relayPool.end();
      await through.close();
      await owner.close();
    });
  },
);
