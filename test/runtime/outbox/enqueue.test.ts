import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { MeshEvent, Validator } from "../../../runtime/definition/event-definition.js";
import { EventTooLarge, enqueueEvent } from "../../../runtime/outbox/enqueue.js";
import { eventDefinition } from "../../support/event-definition.js";
import { emitUser, type Owner, openOwner, withTransaction } from "../../support/event-owner.js";
import { waitFor } from "../../support/servers.js";

describe("enqueueEvent", () => {
  let owner: Owner;
  beforeAll(async () => {
    owner = await openOwner();
  });
  afterAll(() => owner.close());

  const rows = async (id: string) => {
    const found = await owner.pool.query("SELECT * FROM mesh.outbox WHERE entity_id = $1 ORDER BY seq", [id]);
    return found.rows as {
      event_id: string;
      subject: string;
      entity: string;
      version: string;
      body: string;
    }[];
  };

  it("refuses an event that breaks its schema, as its readers would see it", async () => {
    const validate = ((event: { at?: unknown }) => {
      const holds = typeof event.at === "string";
      validate.errors = holds
        ? null
        : [{ instancePath: "/at", keyword: "type", params: {}, message: "must be string" }];
      return holds;
    }) as Validator<MeshEvent>;
    const event = eventDefinition({ name: "UserSeen", action: "seen", fields: ["at"], validate });
    const enqueue = (at: unknown) =>
      withTransaction(owner.pool, (tx) =>
        enqueueEvent(tx, { source: "s", service: owner.service, event, entityId: "seen", payload: { at } }),
      );
    await expect(enqueue(7)).rejects.toMatchObject({
      name: "InvalidEvent",
      message: 'UserSeen of "seen": /at must be string',
    });
    expect(await rows("seen")).toHaveLength(0);
    await enqueue(new Date());
    expect(await rows("seen")).toHaveLength(1);
  });

  it("is planned once for a connection, not for each event", async () => {
    await withTransaction(owner.pool, async (tx) => {
      for (let n = 0; n < 10; n += 1) await emitUser(tx, { service: owner.service, id: "often" });
      const { rows: plans } = await tx.query(
        "SELECT generic_plans::int AS generic FROM pg_prepared_statements WHERE name = 'enqueue mesh'",
      );
      // PostgreSQL plans the first five for their values, to compare.
      expect(plans[0]?.generic).toBeGreaterThanOrEqual(5);
    });
  });

  it("writes the event as it goes on the wire, keys in order", async () => {
    const before = Math.floor(Date.now() / 1_000);
    await withTransaction(owner.pool, (tx) =>
      emitUser(tx, { service: owner.service, id: 'a.b "é', n: 7, note: "x" }),
    );
    const [row] = await rows('a.b "é');
    expect(row).toMatchObject({
      subject: `${owner.service}.user.a%2Eb%20"%C3%A9.updated`,
      entity: `${owner.service}.user`,
      version: "1",
    });
    const event = JSON.parse(row?.body ?? "") as { metadata: { timestamp: number } };
    expect(Object.keys(event)).toEqual(["metadata", "n", "note"]);
    expect(Object.keys(event.metadata)).toEqual(["event_id", "entity_id", "timestamp", "source", "version"]);
    expect(event).toMatchObject({
      metadata: {
        event_id: row?.event_id,
        entity_id: 'a.b "é',
        source: `${owner.service}-service`,
        version: 1,
      },
      n: 7,
      note: "x",
    });
    expect(event.metadata.timestamp - before).toBeLessThan(5);
    expect(event.metadata.timestamp).toBeGreaterThanOrEqual(before - 1);
  });

  it("counts versions per entity, on from those that were taken before", async () => {
    for (let n = 0; n < 3; n += 1) await owner.emit("counted", n);
    await owner.emit("other");
    expect((await rows("counted")).map((row) => row.version)).toEqual(["1", "2", "3"]);
    expect((await rows("other")).map((row) => row.version)).toEqual(["1"]);
  });

  it("leaves nothing behind a rollback, not even a version", async () => {
    const failing = withTransaction(owner.pool, async (tx) => {
      await emitUser(tx, { service: owner.service, id: "rolled" });
      throw new Error("the caller's");
    });
    await expect(failing).rejects.toThrow("the caller's");
    expect(await rows("rolled")).toEqual([]);
    await owner.emit("rolled");
    expect((await rows("rolled")).map((row) => row.version)).toEqual(["1"]);
  });

  it("refuses an event that the broker would not take, with the whole transaction", async () => {
    const failing = withTransaction(owner.pool, async (tx) => {
      await emitUser(tx, { service: owner.service, id: "small" });
      await emitUser(tx, { service: owner.service, id: "large", note: "x".repeat(1_048_064) });
    });
    await expect(failing).rejects.toBeInstanceOf(EventTooLarge);
    await expect(failing).rejects.toThrow(/UserChanged of "large".*1048\d+ bytes/);
    expect([...(await rows("small")), ...(await rows("large"))]).toEqual([]);
  });

  it("refuses a field that the event does not have, and an empty id", async () => {
    const event = eventDefinition({ fields: ["n"] });
    const of = (entityId: string, payload: object) =>
      withTransaction(owner.pool, (tx) =>
        enqueueEvent(tx, { source: "s", service: owner.service, event, entityId, payload }),
      );
    await expect(of("a", { n: 1, misspelled: 2 })).rejects.toThrow(/no field "misspelled"/);
    await expect(of("", { n: 1 })).rejects.toThrow(RangeError);
  });

  it("notifies at commit, and not during notify suppression", async () => {
    const listener = await owner.pool.connect();
    let heard = 0;
    listener.on("notification", () => {
      heard += 1;
    });
    await listener.query("LISTEN mesh_outbox");
    await withTransaction(owner.pool, async (tx) => {
      await emitUser(tx, { service: owner.service, id: "told" });
      await new Promise((wake) => setTimeout(wake, 100));
      expect(heard).toBe(0);
    });
    await waitFor(() => heard === 1);
    await owner.pool.query("UPDATE mesh.relay SET notify_suppressed = true");
    await owner.emit("told");
    await new Promise((wake) => setTimeout(wake, 200));
    expect(heard).toBe(1);
    await owner.pool.query("UPDATE mesh.relay SET notify_suppressed = false");
    listener.release(true);
  });
});
