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

  // Trace and its events by the ids of their envelopes, which no header has.
  const trace = async (...what: readonly string[]) => {
    const { stdout, stderr } = await mesh(folder, "trace", ...what, "--json");
    expect(stderr.replace(/^asking.*\n/, "")).toBe("");
    return JSON.parse(stdout);
  };
  const channel = await trace("platform.channel", "bed-7");
  expect(channel.problems).toEqual([]);
  expect(
    channel.stream.events.map(({ action, eventId }: Record<string, string>) => [action, eventId]),
  ).toEqual([
    ["described", expect.stringMatching(/^messages:1:/)],
    ["measured", "r1"],
    ["measured", "r1"],
  ]);
  expect(channel.subscribers).toMatchObject([
    { standing: { kind: "applied" }, trace: { copy: { row: "there" } } },
  ]);
  expect(await trace("r1")).toMatchObject({ entity: "platform.channel", id: "bed-7", event: { seq: 2 } });
  const order = await trace("shop.order", "o1");
  expect(order.problems).toEqual([]);
  expect(order.event).toMatchObject({ action: "moved", eventId: "/shop 2" });
  expect(order.subscribers).toMatchObject([{ standing: { kind: "applied" } }]);
  expect(await trace("/shop 1")).toMatchObject({
    entity: "shop.order",
    id: "o1",
    event: { action: "placed" },
  });
  // A till is written by hand: the documented envelope, without Nats-Msg-Id and without a version.
  const tills = await client(folder, "tills");
  const metadata = { event_id: "sale-1", entity_id: "T.1:7", timestamp: 1705920000, source: "tills" };
  await tills
    .jetstream()
    .publish(
      "tills.sale.T%2E1:7.created",
      JSON.stringify({ metadata, till: "T.1", receipt_no: "7", total: "9.90" }),
    );
  await waitFor(async () => (await read("SELECT till FROM sale_cache")) === '[{"till":"T.1"}]', {
    what: "the sale",
  });
  const sale = await trace("tills.sale", "T.1:7");
  expect(sale).toMatchObject({
    problems: [],
    subscribers: [{ standing: { kind: "applied" }, trace: { copy: { row: "there" } } }],
  });
  expect(await trace("sale-1")).toMatchObject({ entity: "tills.sale", id: "T.1:7" });

  // The external subscriber pulls from its durable with the same credentials.
  await db.query("INSERT INTO alarms (alarm_id, channel) VALUES ('a1', 'bed-7')");
  const consumer = await shop.jetstream().consumers.get("MONITOR", "shop_monitor_alarm");
  const message = await consumer.next({ expires: 10_000 });
  expect(message?.subject).toBe("monitor.alarm.a1.raised");
  message?.ack();
});
