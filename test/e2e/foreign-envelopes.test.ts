import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, headers } from "nats";
import pg from "pg";
import { expect, test } from "vitest";
import { afterTest } from "../support/after-test.js";
import { readMesh } from "../support/compile.js";
import { testProject } from "../support/generated-project.js";
import { mesh, startDev } from "../support/mesh-command.js";
import { waitFor } from "../support/servers.js";

/*
 * External services in their own envelopes, from the file to the copy: each publishes with its own credentials.
 */

async function generated(text: string): Promise<string> {
  const folder = testProject();
  writeFileSync(join(folder, "mesh.yaml"), text);
  const generated = await mesh(folder, "generate");
  expect(generated.code, generated.stderr).toBe(0);
  return folder;
}

/** What `mesh dev` wrote for the external service. */
function credentials(folder: string, service: string): Record<string, string> {
  const text = readFileSync(join(folder, ".mesh", `${service}.env`), "utf8");
  return Object.fromEntries(
    text.split("\n").flatMap((line) => (/^[A-Z]/.test(line) ? [line.split("=") as [string, string]] : [])),
  );
}

async function client(folder: string, service: string) {
  const { NATS_URL = "", NATS_USER = "", NATS_PASSWORD = "" } = credentials(folder, service);
  const nats = await connect({ servers: NATS_URL, user: NATS_USER, pass: NATS_PASSWORD });
  afterTest(() => nats.close());
  return nats;
}

test("bare JSON and CloudEvents of external services fill copies, and reach nobody else's subjects", async () => {
  const folder = await generated(readMesh("test/scenarios/emit/foreign-envelopes/mesh.yaml"));
  const dev = await startDev(folder, join(folder, ".mesh"));
  afterTest(() => dev.end());
  const db = new pg.Client({ connectionString: dev.endpoints.databases.monitor_db ?? "" });
  await db.connect();
  afterTest(() => db.end());

  const platform = await client(folder, "platform");
  await platform.jetstream().publish("m.greenhouse.c.bed-7.description", '{"name": "Bed 7"}');
  await platform
    .jetstream()
    .publish("m.greenhouse.c.bed-7.telemetry.air.warmth", '{"reading": "r1", "celsius": 21.25}');
  await platform
    .jetstream()
    .publish("m.greenhouse.c.bed-7.telemetry.air.warmth", '{"reading": "r1", "celsius": 21.25}');
  // As the mesh hears nothing of it, the durable is delivered it and passes it over.
  await expect(platform.jetstream().publish("m.greenhouse.c.bed-7.other", "x")).rejects.toThrow();
  await expect(platform.jetstream().publish("shop.events.1", "{}")).rejects.toThrow();

  const shop = await client(folder, "shop");
  const attributes = { specversion: "1.0", source: "/shop", time: "2026-01-02T03:04:05Z" };
  const placed = {
    ...attributes,
    id: "1",
    type: "com.example.order.placed",
    data: { order_id: "o1", total: 5 },
  };
  await shop.jetstream().publish("shop.events.o1", JSON.stringify(placed));
  const binary = headers();
  for (const [name, value] of Object.entries({ ...attributes, id: "2", type: "com.example.order.moved" }))
    binary.set(`ce-${name}`, value);
  await shop
    .jetstream()
    .publish("shop.events.o1", '{"order_id": "o1", "state": "packed"}', { headers: binary });
  await shop
    .jetstream()
    .publish("shop.events.o1", JSON.stringify({ ...placed, id: "3", type: "com.example.order.priced" }));

  const read = async (sql: string) => JSON.stringify((await db.query(sql)).rows);
  await waitFor(
    async () =>
      (await read("SELECT * FROM channel_cache")) === '[{"channel":"bed-7","name":"Bed 7","celsius":21.25}]',
    { what: "the channel" },
  );
  await waitFor(
    async () =>
      (await read("SELECT * FROM order_cache")) === '[{"order_id":"o1","total":5,"state":"packed"}]',
    { what: "the order" },
  );
  expect(await read("SELECT * FROM mesh.dead_letter")).toBe("[]");

  // The external subscriber pulls from its durable with the same credentials.
  await db.query("INSERT INTO alarms (alarm_id, channel) VALUES ('a1', 'bed-7')");
  const consumer = await shop.jetstream().consumers.get("MONITOR", "shop_monitor_alarm");
  const message = await consumer.next({ expires: 10_000 });
  expect(message?.subject).toBe("monitor.alarm.a1.raised");
  message?.ack();
});
