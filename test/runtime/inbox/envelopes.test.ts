import { randomUUID } from "node:crypto";
import { connect, type NatsConnection, headers as natsHeaders } from "nats";
import type pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import type { Broker } from "../../../runtime/broker/broker.js";
import { connectJetStream } from "../../../runtime/broker/jetstream.js";
import { type RunningConsumer, startConsumer } from "../../../runtime/consumer/consumer.js";
import type { ConsumerDefinition } from "../../../runtime/definition/consumer-definition.js";
import type { EventDefinition, MeshEvent, Metadata } from "../../../runtime/definition/event-definition.js";
import { streamPlan } from "../../support/broker-plans.js";
import { silent } from "../../support/loggers.js";
import { waitFor } from "../../support/servers.js";
import { createPool, createServiceDatabase } from "../../support/user-consumer.js";

/*
 * Messages of external services as they are, published by a bare client: bare JSON and CloudEvents, on subjects of any form.
 */

let pool: pg.Pool;
let nats: NatsConnection;
let broker: Broker;
let running: RunningConsumer | undefined;
let stream: string;
let seen: { readonly metadata: Metadata; readonly payload: object; readonly event: string }[];

beforeAll(async () => {
  pool = createPool(await createServiceDatabase(inject("postgres")));
  await pool.query("CREATE TABLE device_cache (device TEXT PRIMARY KEY, celsius NUMERIC, settings JSONB)");
  nats = await connect({ servers: inject("nats") });
  broker = await connectJetStream({ url: inject("nats"), name: "test", logger: silent });
});
afterAll(async () => {
  await broker.close();
  await nats.close();
  await pool.end();
});
beforeEach(() => {
  stream = `E${randomUUID().slice(0, 8)}`;
  seen = [];
});
afterEach(async () => {
  await running?.stop();
  await (await nats.jetstreamManager()).streams.delete(stream).catch(() => false);
  await pool.query("TRUNCATE device_cache, mesh.applied, mesh.seen, mesh.dead_letter, mesh.subscription");
});

type Shape = Pick<EventDefinition, "subject" | "type" | "idField" | "eventIdField">;

function event(name: string, change: EventDefinition["change"], shape: Shape): EventDefinition {
  const validate = (data: unknown): data is MeshEvent => {
    const { metadata } = data as { readonly metadata?: Metadata };
    return typeof metadata?.event_id === "string" && metadata.event_id !== "" && metadata.entity_id !== "";
  };
  return {
    entity: "device",
    action: name,
    change,
    name,
    fields: ["celsius", "settings"],
    validate,
    ...shape,
  };
}

async function start(
  envelope: "cloudevents" | "none",
  filter: string,
  ...events: readonly EventDefinition[]
): Promise<void> {
  const definition: ConsumerDefinition = {
    durable: `d_${stream}`,
    stream: streamPlan({ name: stream, subjects: [filter], envelope }),
    filter,
    entity: "platform.device",
    cache: {
      name: "device_cache",
      key: "device",
      cacheOf: "platform.device",
      columns: [
        { name: "device", type: "text" },
        { name: "celsius", type: "number", nullable: true },
        { name: "settings", type: "json", nullable: true },
      ],
    },
    delivery: { attempts: 1, backoffSeconds: [0.1], ackWaitSeconds: 5, batch: 10, maxAckPending: 100 },
    events: events.map((one) => ({
      event: one,
      handler: async ({ event: { metadata, ...payload } }: { readonly event: MeshEvent }) => {
        seen.push({ metadata, payload, event: one.name });
      },
    })) as ConsumerDefinition["events"],
  };
  running = startConsumer({ pool, broker, definition, env: {}, logger: silent, watchMs: 100 });
  await waitFor(() => running?.stats().connected, { what: "the consumer to be attached" });
}

async function publish(subject: string, body: unknown, headers: Readonly<Record<string, string>> = {}) {
  const sent = natsHeaders();
  for (const [name, value] of Object.entries(headers)) sent.set(name, value);
  const text = typeof body === "string" ? body : JSON.stringify(body);
  await nats.jetstream().publish(subject, Buffer.from(text), { headers: sent });
}

const rows = async () =>
  (await pool.query("SELECT device, celsius::float8, settings::text FROM device_cache ORDER BY 1")).rows;
const letters = async () =>
  (await pool.query("SELECT subject, error FROM mesh.dead_letter ORDER BY id")).rows;
/** Everything that was published is settled. */
const settled = () =>
  waitFor(
    async () => {
      const info = await (await nats.jetstreamManager()).consumers.info(stream, `d_${stream}`);
      return info.num_pending === 0 && info.num_ack_pending === 0;
    },
    { what: "the durable to be settled" },
  );

describe("bare JSON", () => {
  it("takes the entity from the token that the subject marks, and the event from its place in the stream", async () => {
    await start("none", `${stream}.>`, event("measured", "create", { subject: `${stream}.*.c.{id}.>` }));
    await publish(`${stream}.farm.c.a%2E1.telemetry.celsius`, '{"celsius": 20.5, "settings": {"x": 1.10}}');
    await publish(`${stream}.farm.c.a%2E1.telemetry.celsius`, { celsius: 21 });
    await settled();
    expect(await rows()).toEqual([{ device: "a.1", celsius: 21, settings: null }]);
    expect(seen.map(({ metadata }) => metadata)).toEqual([
      expect.objectContaining({
        entity_id: "a.1",
        source: "platform",
        event_id: expect.stringMatching(`^${stream}:1:`),
      }),
      expect.objectContaining({ event_id: expect.stringMatching(`^${stream}:2:`) }),
    ]);
    expect(seen[0]?.metadata).not.toHaveProperty("version");
    expect(await letters()).toEqual([]);
  });

  it("keeps the digits of documents", async () => {
    await start("none", `${stream}.>`, event("measured", "create", { subject: `${stream}.{id}` }));
    await publish(`${stream}.a`, '{"settings": {"x": 1.10, "y": 12345678901234567890}}');
    await settled();
    expect(await rows()).toMatchObject([{ settings: '{"x": 1.10, "y": 12345678901234567890}' }]);
  });

  it("takes ids from fields, an event that was sent twice for one", async () => {
    const shape = { subject: `${stream}.seen`, idField: "serial", eventIdField: "reading" };
    await start("none", `${stream}.>`, event("seen", "create", shape));
    await publish(`${stream}.seen`, { serial: 7, reading: "r1", celsius: 1 });
    await publish(`${stream}.seen`, { serial: 8, reading: "r2", celsius: 2 });
    await publish(`${stream}.seen`, { serial: 7, reading: "r1", celsius: 1 });
    await settled();
    expect((await rows()).map(({ device }) => device)).toEqual(["7", "8"]);
    expect(seen.map(({ metadata }) => metadata.event_id)).toEqual(["r1", "r2"]);
  });

  it("takes the event's id from Nats-Msg-Id, under whatever spelling", async () => {
    await start("none", `${stream}.>`, event("seen", "create", { subject: `${stream}.{id}` }));
    await publish(`${stream}.a`, { celsius: 1 }, { "nats-msg-id": "m-1" });
    await settled();
    expect(seen.map(({ metadata }) => metadata.event_id)).toEqual(["m-1"]);
  });

  it("makes dead letters of what is no such payload, and none of subjects that the file does not declare", async () => {
    await start("none", `${stream}.>`, event("seen", "create", { subject: `${stream}.{id}.state` }));
    await publish(`${stream}.a.state`, "no JSON");
    await publish(`${stream}.b.state`, "[1]");
    await publish(`${stream}.c.other`, "no JSON");
    await publish(`${stream}.d.state`, { celsius: 3 });
    await settled();
    expect((await rows()).map(({ device }) => device)).toEqual(["d"]);
    expect((await letters()).map(({ subject }) => subject)).toEqual([
      `${stream}.a.state`,
      `${stream}.b.state`,
    ]);
  });
});

describe("CloudEvents", () => {
  const attributes = { specversion: "1.0", id: "1", source: "/shop", time: "2026-01-02T03:04:05Z" };
  const placed = () => event("placed", "create", { subject: `${stream}.{id}`, type: "placed" });
  const gone = () => event("gone", "delete", { subject: `${stream}.{id}`, type: "gone" });

  it("are read in structured mode, told apart by type, others passed over", async () => {
    await start("cloudevents", `${stream}.*`, placed(), gone());
    const structured = { "content-type": "application/cloudevents+json; charset=utf-8" };
    await publish(`${stream}.a`, { ...attributes, type: "placed", data: { celsius: 1 } }, structured);
    await publish(`${stream}.b`, {
      ...attributes,
      id: "2",
      type: "placed",
      data_base64: btoa('{"celsius": 2}'),
    });
    await publish(`${stream}.a`, { ...attributes, id: "3", type: "gone" }, structured);
    await publish(`${stream}.b`, { ...attributes, id: "4", type: "weighed", data: "whatever" });
    await settled();
    expect(await rows()).toMatchObject([{ device: "b", celsius: 2 }]);
    expect(seen.map(({ event: name }) => name)).toEqual(["placed", "placed", "gone"]);
    expect(seen[0]?.metadata).toEqual({
      event_id: "/shop 1",
      entity_id: "a",
      timestamp: Date.parse(attributes.time) / 1000,
      source: "/shop",
    });
    expect(await letters()).toEqual([]);
  });

  it("are read in binary mode, with percent-encoded headers", async () => {
    await start("cloudevents", `${stream}.*`, placed());
    const binary = { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/caf%C3%A9", "Ce-Type": "placed" };
    await publish(`${stream}.a`, '{"celsius": 1.5, "settings": {"x": 1.10}}', {
      ...binary,
      "content-type": "application/json",
    });
    await settled();
    expect(await rows()).toEqual([{ device: "a", celsius: 1.5, settings: '{"x": 1.10}' }]);
    expect(seen[0]?.metadata).toMatchObject({ source: "/café", event_id: "/café 1" });
  });

  it("of one id are two where their sources differ, and one where it is the same", async () => {
    await start("cloudevents", `${stream}.*`, placed());
    for (const source of ["/a", "/b", "/a"])
      await publish(`${stream}.x`, { ...attributes, source, type: "placed", data: { celsius: 1 } });
    await settled();
    expect(seen.map(({ metadata }) => metadata.source)).toEqual(["/a", "/b"]);
  });

  it("are named by their subject where no token names them", async () => {
    await start("cloudevents", `${stream}.*`, event("placed", "create", { subject: `${stream}.all` }));
    await publish(`${stream}.all`, { ...attributes, type: "t", subject: "device/9", data: { celsius: 1 } });
    await settled();
    expect((await rows()).map(({ device }) => device)).toEqual(["device/9"]);
  });

  it("become dead letters that say what they lack", async () => {
    await start("cloudevents", `${stream}.*`, placed());
    await publish(`${stream}.a`, { ...attributes, id: "", type: "placed", data: {} });
    await publish(`${stream}.b`, [{ ...attributes, type: "placed" }]);
    await publish(`${stream}.c`, { ...attributes, specversion: "0.3", type: "placed", data: {} });
    await publish(`${stream}.d`, "");
    await settled();
    expect((await letters()).map(({ error }) => error)).toEqual([
      "no CloudEvent: it has no id",
      "no CloudEvent: it is a batch",
      "a CloudEvent of specversion 0.3, not 1.0",
      expect.stringContaining("not JSON"),
    ]);
  });
});
