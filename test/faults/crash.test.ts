import pg from "pg";
import { expect, it } from "vitest";
import { acquireLease } from "../../runtime/outbox/leader-lease.js";
import { streamPlan } from "../support/broker-plans.js";
import { migrateMesh, openOwner, orderFaults } from "../support/event-owner.js";
import { silent } from "../support/loggers.js";
import { startPostgres, waitFor } from "../support/servers.js";

/*
 * kill -9 of a PostgreSQL server that flushes commits, and its recovery.
 */

it("what the relay deleted without waiting for the disk is not published again when the server has lost it", async () => {
  const postgres = await startPostgres({});
  try {
    const url = await postgres.createDatabase("owner");
    const pool = new pg.Pool({ connectionString: url });
    await migrateMesh(pool);
    await pool.end();
    // A dedupe window so short that the broker hides no duplicate.
    const owner = await openOwner({ url, stream: streamPlan({ duplicateWindowSeconds: 1 }) });
    // So that the server surely loses the deletions, however long they wait.
    const { rows } = await owner.pool.query<{ pid: number }>(
      "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'",
    );
    const [{ pid: walWriter }] = rows as [{ pid: number }];
    const relay = owner.relay();
    await waitFor(() => relay.stats().leader && !relay.stats().paused);
    process.kill(walWriter, "SIGSTOP");
    await owner.fill("e", 50, 3);
    await owner.drained();
    await postgres.kill();
    process.kill(walWriter, "SIGKILL");
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

it("what the relay has done in a transaction is on the disk", async () => {
  const postgres = await startPostgres({ wal_writer_delay: "10s" });
  try {
    const url = await postgres.createDatabase("owner");
    const pool = new pg.Pool({ connectionString: url });
    pool.on("error", () => undefined);
    await migrateMesh(pool);
    const { signal } = new AbortController();
    const lease = await acquireLease({
      ...{ pool, service: "owner", logger: silent, signal },
      onStandby: () => undefined,
      onNotify: () => undefined,
    });
    await lease?.query("UPDATE mesh.broker SET max_event_bytes = 600", []);
    await lease?.transaction(async () => {
      await lease.query("UPDATE mesh.relay SET minimum_version = 7", []);
    });
    await postgres.kill();
    await lease?.release();
    await postgres.restart();
    const { rows } = await pool.query(
      "SELECT minimum_version::int AS minimum, max_event_bytes AS most FROM mesh.relay CROSS JOIN mesh.broker",
    );
    expect(rows).toEqual([{ minimum: 7, most: 600 }]);
    await pool.end();
  } finally {
    await postgres.remove();
  }
});
