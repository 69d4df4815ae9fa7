import pg from "pg";
import { expect, it } from "vitest";
import { streamPlan } from "../support/broker-plans.js";
import { migrateMesh, openOwner, orderFaults } from "../support/event-owner.js";
import { startPostgres, waitFor } from "../support/servers.js";

/*
 * kill -9 of a PostgreSQL server that flushes commits, and its recovery.
 */

it("what the relay deleted without waiting for the disk is not published again when the server has lost it", async () => {
  // The WAL writer flushes late, so that the server surely loses the deletions.
  const postgres = await startPostgres({ wal_writer_delay: "10s" });
  try {
    const url = await postgres.createDatabase("owner");
    const pool = new pg.Pool({ connectionString: url });
    await migrateMesh(pool);
    await pool.end();
    // A dedupe window so short that the broker hides no duplicate.
    const owner = await openOwner({ url, stream: streamPlan({ duplicateWindowSeconds: 1 }) });
    const relay = owner.relay();
    await owner.fill("e", 50, 3);
    await owner.drained();
    await postgres.kill();
    await relay.stop();
    await postgres.restart();
    const lost = await waitFor(async () => await owner.waiting());
    expect(lost).toBeGreaterThan(0);
    await new Promise((wake) => setTimeout(wake, 1_100));
    owner.relay();
    await owner.emit("after");
    await owner.drained();
    const wire = await owner.wire();
    expect(orderFaults(wire)).toEqual([]);
    expect(wire).toHaveLength(151);
    await owner.close();
  } finally {
    await postgres.remove();
  }
});
