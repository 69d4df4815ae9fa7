import { afterEach, expect, inject, test } from "vitest";
import { createPool } from "../../../runtime/database/pool.js";
import type { ConsumerDefinition } from "../../../runtime/definition/consumer-definition.js";
import type { TableDefinition } from "../../../runtime/definition/table-definition.js";
import type { Health } from "../../../runtime/http/health-routes.js";
import { publicReason } from "../../../runtime/service/public-reason.js";
import { type RunningService, startService } from "../../../runtime/service/start.js";
import { watchDatabase } from "../../../runtime/service/watch-database.js";
import { startAnswering } from "../../support/answering-server.js";
import { streamPlan } from "../../support/broker-plans.js";
import { recordingLogger } from "../../support/loggers.js";
import { createDatabase, waitFor } from "../../support/servers.js";
import { defineService, KEY } from "../../support/service-definition.js";
import { startTcpProxy } from "../../support/tcp-proxy.js";

/*
 * Anyone may ask `/readyz`: it gives figures, and failures by their class.
 */

const started: RunningService[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((service) => service.stop()));
});

const cache: TableDefinition = {
  name: "item_cache",
  key: "item_id",
  cacheOf: "shop.item",
  columns: [{ name: "item_id", type: "text" }],
};

function consumerOf(stream: string): ConsumerDefinition {
  return {
    durable: `auth_${stream.toLowerCase()}`,
    stream: streamPlan({ name: stream, subjects: [`${stream.toLowerCase()}.*.*.*`] }),
    filter: `${stream.toLowerCase()}.item.*.*`,
    entity: "shop.item",
    cache,
    sync: {
      urlVariable: "SHOP_SERVICE_URL",
      keyVariable: "AUTH_TO_SHOP_KEY",
      path: "/api/items",
      header: "authorization",
      everySeconds: 0,
    },
    delivery: { attempts: 1, backoffSeconds: [1], ackWaitSeconds: 5, maxAckPending: 100, batch: 10 },
    events: [],
  };
}

async function readiness(service: RunningService): Promise<Health> {
  return (await (await fetch(`${service.url}/readyz`)).json()) as Health;
}

test("a source that fails is named by its consumer and its class; the log has where it is and what it said", async () => {
  const source = await startAnswering((_request, response) => {
    response.statusCode = 500;
    response.end("out of cheese at db.internal.example");
  });
  const consumer = consumerOf(`READY${Date.now()}`);
  const logger = recordingLogger();
  const { lines } = logger;
  const definition = await defineService({ consumers: [consumer] });
  const service = await startService(
    definition,
    {
      AUTH_DB_URL: await createDatabase(inject("postgres"), "ready"),
      NATS_URL: inject("nats"),
      SHOP_SERVICE_URL: source.url,
      OPERATOR_KEY: KEY,
      AUTH_TO_SHOP_KEY: "for the shop alone",
      PORT: "0",
    },
    { logger },
  );
  started.push(service);
  const reason = `consumer ${consumer.durable}: its last snapshot failed: HTTP 500 (the log says why)`;
  await waitFor(async () => (await readiness(service)).reasons?.includes(reason), { what: reason });
  // Also once the failure is read back from the database.
  await new Promise((read) => setTimeout(read, 3_500));
  const health = await readiness(service);
  expect(health).toMatchObject({
    status: "degraded",
    reasons: [reason],
    checks: {
      outbox: { waiting: 0, oldest_seconds: null, dead_letters: 0 },
      consumers: {
        [consumer.durable]: { pending: 0, ack_pending: 0, redelivered: 0, dead_letters: 0 },
      },
    },
  });
  expect(JSON.stringify(health)).not.toMatch(/127\.0\.0\.1|cheese|internal/);
  expect(JSON.stringify(lines)).toContain(`${source.url}/api/items answered 500: out of cheese`);
  await source.close();
});

test("a database that hangs is logged once, and once when it answers again, though nobody asks for readiness", async () => {
  const url = new URL(await createDatabase(inject("postgres")));
  const proxy = await startTcpProxy({ host: url.hostname, port: Number(url.port) });
  url.hostname = "127.0.0.1";
  url.port = String(proxy.port);
  const logger = recordingLogger();
  const pool = createPool({ url: url.href, service: "watched", max: 2, logger, connectTimeoutMs: 500 });
  const stopping = new AbortController();
  const said = () => logger.lines.map(({ level, message }) => `${level}: ${message}`);
  const down = "warn: the database does not answer";
  const watching = watchDatabase({ pool, logger, signal: stopping.signal, everyMs: 100 });
  try {
    await waitFor(() => pool.totalCount > 0);
    proxy.setWeather({ silent: "down" });
    await waitFor(() => said().includes(down), { what: "the line of the hang" });
    // Longer than one more question takes.
    await new Promise((asked) => setTimeout(asked, 1_500));
    expect(said()).toEqual([down]);
    proxy.setWeather({});
    await waitFor(() => said().length > 1, { what: "the line of the recovery" });
    await new Promise((asked) => setTimeout(asked, 500));
    expect(said()).toEqual([down, "info: the database answers again"]);
  } finally {
    stopping.abort();
    await watching;
    await pool.end();
    await proxy.close();
  }
});

test.each([
  ["GET http://auth.internal:80/api/users failed: connect ECONNREFUSED 10.1.2.3:80", "ECONNREFUSED"],
  ["GET http://auth.internal:80/api/users failed: getaddrinfo ENOTFOUND auth.internal", "ENOTFOUND"],
  ["GET http://auth.internal/api/users answered 401: the key k-secret is wrong", "HTTP 401"],
  ["GET http://auth.internal/api/users failed: silent for 30 s", "silent for 30 s"],
  ["Request cannot be constructed from a URL that includes credentials: http://me:k-secret@auth", "the log"],
  ['password authentication failed for user "k-secret" (28P01)', "28P01"],
  ['invalid input syntax for type integer: "k-secret" (22P02)', "22P02"],
  ["the broker is not connected: connect ECONNREFUSED 10.1.2.3:4222", "the broker is not connected"],
  ["durable a of stream B is gone: consumer not found", "durable a of stream B is gone"],
  ["no namespace for k-secret in auth.internal", "the log says why"],
])("of %j anyone may read its class alone", (message, said) => {
  const reason = publicReason(message);
  expect(reason).toContain(said);
  expect(reason).not.toMatch(/internal|k-secret|10\.1|:\/\//);
});
