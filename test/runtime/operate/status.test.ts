import { Pool } from "pg";
import { expect, inject, test } from "vitest";
import { serviceStatus } from "../../../runtime/operate/status.js";
import { meshMigrations } from "../../../runtime/schema/files.js";
import { migrate } from "../../../runtime/schema/index.js";
import { startAnswering } from "../../support/answering-server.js";
import { streamPlan } from "../../support/broker-plans.js";
import { silent } from "../../support/loggers.js";
import { createDatabase } from "../../support/servers.js";
import { defineService } from "../../support/service-definition.js";

test("a service's status is read from its database, before its migrations and after", async () => {
  const pool = new Pool({ connectionString: await createDatabase(inject("postgres"), "status"), max: 4 });
  const stream = streamPlan({ name: "S" });
  const consumer = {
    durable: "auth_shop_item",
    stream,
    filter: "shop.item.*.*",
    entity: "shop.item",
    delivery: { attempts: 1, backoffSeconds: [1], ackWaitSeconds: 1, maxAckPending: 1, batch: 1 },
    events: [],
  };
  const definition = await defineService({ consumers: [consumer] });
  expect(await serviceStatus({ definition, pool })).toEqual({
    service: "auth",
    migrations: { applied: 0, pending: [...meshMigrations.map(({ name }) => name), "0001_initial.sql"] },
    consumers: [],
  });
  await migrate(pool, {
    service: "auth",
    migrations: definition.database?.migrations ?? new URL("file:///"),
    logger: silent,
  });
  await pool.query(`
    INSERT INTO mesh.outbox (event_id, subject, entity, entity_id, version, body, created_at)
    VALUES (gen_random_uuid(), 's', 'auth.user', 'u', 1, '{}', now() - interval '90 seconds');
    INSERT INTO mesh.subscription (durable, stream, last_seq, snapshot_at, snapshot_rows)
    VALUES ('auth_shop_item', 'S', 42, '2024-01-01T00:00:00Z', 7);
    INSERT INTO mesh.dead_letter (durable, stream, stream_seq, subject, body, error)
    VALUES ('auth_shop_item', 'S', 41, 's', '', 'bad');
    INSERT INTO mesh.cascade_task (entity, entity_id, hook, table_name, row_key, attempts, last_error)
    VALUES ('shop.item', 'i', 'r', 't', 'k', 3, 'no cluster')`);
  const status = await serviceStatus({ definition, pool });
  expect(status).toMatchObject({
    migrations: { applied: meshMigrations.length + 1, pending: [] },
    outbox: { waiting: 1, lastSeq: 0 },
    consumers: [
      {
        durable: "auth_shop_item",
        lastSeq: 42,
        snapshot: { at: "2024-01-01T00:00:00Z", rows: 7, error: null },
        deadLetters: 1,
        attemptsWaiting: 0,
      },
    ],
    cascades: { waiting: 1, failing: 1, lastError: "no cluster" },
  });
  expect(status.outbox?.oldestSeconds).toBeGreaterThan(80);
  await pool.end();
});

/** What status makes of a `/readyz` that answers like this. */
async function healthFrom(answer: string) {
  const server = await startAnswering((_request, response) => response.end(answer));
  const pool = new Pool({ connectionString: await createDatabase(inject("postgres"), "status") });
  const { url } = server;
  const definition = await defineService({ consumers: [] });
  const answered = await serviceStatus({ definition, pool, url });
  await server.close();
  const { health: gone } = await serviceStatus({ definition, pool, url });
  await pool.end();
  return { health: answered.health, gone };
}

test("a running service is asked what it lacks, consumer by consumer", async () => {
  const answer = {
    status: "degraded",
    reasons: ["relay: paused", "consumer a: no such durable"],
    checks: {
      consumers: {
        a: { stalled: true, last_error: "no such durable" },
        b: { stalled: false },
        c: { stalled: true },
      },
    },
  };
  const { health, gone } = await healthFrom(JSON.stringify(answer));
  expect(health).toEqual({
    status: "degraded",
    reasons: answer.reasons,
    stalled: [
      { durable: "a", reason: "no such durable" },
      { durable: "c", reason: "messages wait and none is settled" },
    ],
  });
  expect(gone).toMatchObject({ status: "silent", reasons: [expect.stringMatching(/^GET .* failed: /)] });
});

test("an answer that no service gives counts as silent", async () => {
  for (const answer of ["<html>", "null", "{}"]) {
    expect((await healthFrom(answer)).health).toMatchObject({ status: "silent", stalled: [] });
  }
});
