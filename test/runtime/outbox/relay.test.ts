import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { emitUser, type Owner, openOwner, orderFaults, withTransaction } from "../../support/event-owner.js";
import { waitFor } from "../../support/servers.js";

describe("the relay", () => {
  let owner: Owner;
  beforeEach(async () => {
    owner = await openOwner();
  });
  afterEach(() => owner.close());

  it("publishes each event once, with its id, and deletes its row", async () => {
    const relay = owner.relay();
    await owner.emit("a", 1, "created");
    await owner.emit("a", 2);
    await owner.emit("b", 3, "created");
    await owner.drained();
    const wire = await owner.wire();
    expect(
      wire.map(({ subject, event }) => `${subject.split(".").slice(2).join(".")} ${event.n}`).sort(),
    ).toEqual(["a.created 1", "a.updated 2", "b.created 3"]);
    expect(orderFaults(wire)).toEqual([]);
    for (const { messageId, event } of wire) expect(messageId).toBe(event.metadata.event_id);
    expect(relay.stats()).toMatchObject({ leader: true, published: 3, retries: 0, paused: false });
    await waitFor(() => relay.stats().lag === 0);
  });

  it("is woken by the commit", async () => {
    const relay = owner.relay();
    await waitFor(() => relay.stats().leader);
    await new Promise((wake) => setTimeout(wake, 300));
    const waits: number[] = [];
    for (let n = 1; n <= 20; n += 1) {
      const started = performance.now();
      await owner.emit("a", n);
      await waitFor(() => relay.stats().published === n, { everyMs: 1 });
      waits.push(performance.now() - started);
      await new Promise((wake) => setTimeout(wake, 30));
    }
    waits.sort((one, other) => one - other);
    // Far below the poll, which would find it too.
    expect(waits[10]).toBeLessThan(100);
  });

  it("passes a traceparent on as a header", async () => {
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    await owner.emit("a");
    await owner.pool.query("UPDATE mesh.outbox SET headers = $1", [{ traceparent }]);
    owner.relay();
    await owner.drained();
    expect((await owner.wire())[0]?.headers).toMatchObject({ traceparent });
  });

  it("publishes the largest event whatever headers its row has: as many as fit beside it", async () => {
    const most = "m".repeat(128);
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const own = { "Mesh-Causation-Id": most, "Mesh-Correlation-Id": most, traceparent };
    const many = Object.fromEntries(
      Array.from({ length: 40 }, (_, index) => [`X-${index}`, "x".repeat(200)]),
    );
    const forged = { "Nats-Msg-Id": "forged", "nats-rollup": "all", "a\r\nb": "c", d: "e\r\nf", g: { h: 1 } };
    const cases = [own, { ...many, ...own }, forged, ["x"], "x", 7, null, { huge: "x".repeat(1_000_000) }];
    const { rows } = await owner.pool.query<{ max: number }>(
      "SELECT max_event_bytes AS max FROM mesh.broker",
    );
    for (const index of cases.keys()) {
      await owner.emit(`e${index}`);
      await owner.pool.query(
        `UPDATE mesh.outbox SET headers = $1, body = body || repeat(' ', $2 - octet_length(body)) WHERE entity_id = $3`,
        [JSON.stringify(cases[index]), rows[0]?.max, `e${index}`],
      );
    }
    owner.relay();
    await owner.drained();
    const wire = await owner.wire();
    const headersOf = (index: number) =>
      wire.find(({ event }) => event.metadata.entity_id === `e${index}`)?.headers;
    expect(wire).toHaveLength(cases.length);
    expect(headersOf(0)).toEqual({ ...own, "Nats-Msg-Id": expect.any(String) });
    for (const index of cases.keys()) {
      const { "Nats-Msg-Id": id, ...others } = headersOf(index) ?? {};
      expect(id).toMatch(/^[\da-f-]{36}$/);
      if (index > 1) expect(others).toEqual({});
    }
  });

  it("keeps a dead letter of a row whose headers are none", async () => {
    for (const headers of [["x"], "x", 7]) {
      await owner.emit("a");
      await owner.pool.query("UPDATE mesh.outbox SET subject = 'other.user.a.updated', headers = $1", [
        JSON.stringify(headers),
      ]);
    }
    owner.relay();
    await owner.drained();
    const { rows } = await owner.pool.query("SELECT jsonb_typeof(headers) AS type FROM mesh.dead_letter");
    expect(rows).toEqual([{ type: "object" }, { type: "object" }, { type: "object" }]);
  });

  it("publishes what a rolled back transaction left: nothing", async () => {
    owner.relay();
    const failing = withTransaction(owner.pool, async (tx) => {
      await emitUser(tx, { service: owner.service, id: "gone" });
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    await owner.emit("stays");
    await owner.drained();
    expect((await owner.wire()).map(({ event }) => event.metadata.entity_id)).toEqual(["stays"]);
  });

  it("drains a backlog in order, switches notify suppression on, and off again", async () => {
    await owner.fill("e", 1_000, 12);
    const relay = owner.relay();
    const isSuppressed = async () => {
      const { rows } = await owner.pool.query<{ notify_suppressed: boolean }>(
        "SELECT notify_suppressed FROM mesh.relay",
      );
      return rows[0]?.notify_suppressed;
    };
    await waitFor(isSuppressed, { everyMs: 2 });
    await owner.drained();
    const wire = await owner.wire();
    expect(wire).toHaveLength(12_000);
    expect(orderFaults(wire)).toEqual([]);
    expect(relay.stats().retries).toBe(0);
    await waitFor(async () => !(await isSuppressed()));
    await owner.emit("after");
    await owner.drained(2_000);
  });

  it("lets writers that would queue to notify not notify, though each page is small", async () => {
    const relay = owner.relay();
    await waitFor(() => relay.stats().leader && !relay.stats().paused);
    const others = new pg.Pool({ connectionString: owner.pool.options.connectionString, max: 16 });
    const clients = await Promise.all(Array.from({ length: 16 }, () => others.connect()));
    try {
      for (const client of clients) {
        await client.query("BEGIN");
        await client.query("SELECT pg_current_xact_id()");
      }
      const { rows } = await owner.pool.query<{ on: boolean }>(
        "SELECT notify_suppressed AS on FROM mesh.relay",
      );
      expect(rows[0]?.on).toBe(false);
      await owner.emit("a");
      await waitFor(
        async () => {
          await owner.emit("a");
          const found = await owner.pool.query("SELECT FROM mesh.relay WHERE notify_suppressed");
          return found.rowCount === 1;
        },
        { timeoutMs: 1_800 },
      );
    } finally {
      for (const client of clients) client.release(true);
      await others.end();
    }
    await owner.drained();
  });

  it("lets several writers that go on not notify either", async () => {
    const relay = owner.relay();
    await waitFor(() => relay.stats().leader && !relay.stats().paused);
    const others = new pg.Pool({ connectionString: owner.pool.options.connectionString, max: 4 });
    const clients = await Promise.all(Array.from({ length: 4 }, () => others.connect()));
    const isSuppressed = async () => {
      const found = await owner.pool.query("SELECT FROM mesh.relay WHERE notify_suppressed");
      return found.rowCount === 1;
    };
    try {
      await waitFor(
        async () => {
          // Anew each time: those that run for two seconds are set aside.
          for (const client of clients) await client.query("BEGIN; SELECT pg_current_xact_id()");
          await owner.pool.query(commitOneByOne(owner.service));
          for (const client of clients) await client.query("COMMIT");
          return await isSuppressed();
        },
        { everyMs: 1 },
      );
    } finally {
      for (const client of clients) client.release(true);
      await others.end();
    }
    await owner.drained();
    await waitFor(async () => !(await isSuppressed()));
  });

  it("tells up to where all rows are deleted, which whoever has yet to commit keeps low", async () => {
    const relay = owner.relay();
    const releasedTo = async () => {
      const { rows } = await owner.pool.query<{ to: number; last: number }>(
        "SELECT released_to::int AS to, (SELECT max(seq)::int FROM mesh.outbox) AS last FROM mesh.relay_progress",
      );
      return rows[0];
    };
    await owner.fill("e", 10, 20);
    await owner.drained();
    await waitFor(async () => (await releasedTo())?.to === 200);
    await owner.pool.query("SELECT setval(pg_get_serial_sequence('mesh.outbox', 'seq'), 210)");
    const client = await owner.pool.connect();
    try {
      await client.query("BEGIN");
      await emitUser(client, { service: owner.service, id: "late" });
      await owner.emit("soon");
      await waitFor(() => relay.stats().published === 201);
      // The held one is set aside after two seconds.
      await new Promise((wake) => setTimeout(wake, 3_500));
      await owner.emit("soon");
      await waitFor(() => relay.stats().published === 202);
      await new Promise((wake) => setTimeout(wake, 1_500));
      expect((await releasedTo())?.to).toBe(200);
      await client.query("COMMIT");
    } finally {
      client.release();
    }
    await owner.drained();
    await waitFor(async () => ((await releasedTo())?.to ?? 0) >= 212);
    expect(orderFaults(await owner.wire())).toEqual([]);
  });

  it("keeps one entity's order under its own backlog", async () => {
    await owner.fill("hot", 1, 300);
    owner.relay();
    await owner.drained();
    expect((await owner.wire()).map(({ event }) => event.n)).toEqual(
      Array.from({ length: 300 }, (_, place) => place + 1),
    );
  });

  it("publishes a row that commits out of order, after later ones, however long it took", async () => {
    const relay = owner.relay();
    const slow = await owner.pool.connect();
    await slow.query("BEGIN");
    await emitUser(slow, { service: owner.service, id: "slow", n: 1 });
    const until = Date.now() + 4_500;
    let n = 0;
    while (Date.now() < until) {
      n += 1;
      await owner.emit(`quick${n % 7}`, n);
      await new Promise((wake) => setTimeout(wake, 5));
    }
    await waitFor(() => relay.stats().published === n);
    await slow.query("COMMIT");
    slow.release();
    // Its successor has a far later sequence, and is there when the slow one first can be seen.
    await owner.emit("slow", 2);
    await owner.drained(3_000);
    const wire = await owner.wire();
    expect(orderFaults(wire)).toEqual([]);
    expect(
      wire.filter(({ event }) => event.metadata.entity_id === "slow").map(({ event }) => event.n),
    ).toEqual([1, 2]);
    expect(wire).toHaveLength(n + 2);
  });

  it("never publishes a subject that is not the service's: it becomes a dead letter", async () => {
    const body = '{"metadata":{"version":1}}';
    await owner.pool.query(
      `INSERT INTO mesh.outbox (event_id, subject, entity, entity_id, version, body)
       VALUES ($1, 'foreign.user.a.created', 'foreign.user', 'a', 1, $2)`,
      [randomUUID(), body],
    );
    await owner.emit("own");
    owner.relay();
    await owner.drained();
    const { rows } = await owner.pool.query(
      "SELECT *, convert_from(body, 'UTF8') AS text FROM mesh.dead_letter",
    );
    expect(rows).toMatchObject([
      {
        durable: "outbox",
        subject: "foreign.user.a.created",
        entity: "foreign.user",
        entity_id: "a",
        text: body,
      },
    ]);
    expect(rows[0]).toMatchObject({
      error: expect.stringMatching(/not a subject of this service/) as unknown,
    });
    expect((await owner.wire()).map(({ event }) => event.metadata.entity_id)).toEqual(["own"]);
    expect(owner.lines.some(({ level }) => level === "error")).toBe(true);
  });

  it("quarantines the one entity whose event the broker refuses, and retries it with back-off", async () => {
    await owner.emit("large", 1);
    await owner.emit("large", 2);
    // As if written before the broker's limit was lowered.
    await owner.pool.query(
      `UPDATE mesh.outbox SET body = left(body, -1) || ',"pad":"' || repeat('x', 1200000) || '"}' WHERE version = 1`,
    );
    const relay = owner.relay();
    await owner.emit("other", 1);
    await waitFor(async () => (await owner.waiting()) === 2 && relay.stats().quarantined === 1);
    expect(owner.lines.filter(({ level }) => level === "error")).not.toEqual([]);
    await owner.emit("large", 3);
    await new Promise((wake) => setTimeout(wake, 700));
    expect((await owner.wire()).map(({ event }) => event.metadata.entity_id)).toEqual(["other"]);
    await owner.pool.query(
      "UPDATE mesh.outbox SET body = regexp_replace(body, ',\"pad\":\"x*\"', '') WHERE version = 1",
    );
    await owner.drained();
    const wire = await owner.wire();
    expect(orderFaults(wire)).toEqual([]);
    expect(wire.map(({ event }) => event.n)).toEqual([1, 1, 2, 3]);
    await waitFor(() => relay.stats().quarantined === 0);
  });

  it("counts no refused event any more once somebody has deleted its row", async () => {
    await owner.emit("large", 1);
    await owner.pool.query(
      `UPDATE mesh.outbox SET body = left(body, -1) || ',"pad":"' || repeat('x', 1200000) || '"}'`,
    );
    const relay = owner.relay();
    await waitFor(() => relay.stats().quarantined === 1);
    await owner.pool.query("DELETE FROM mesh.outbox");
    await waitFor(() => relay.stats().quarantined === 0, { timeoutMs: 30_000 });
  });

  it("learns the broker's limit", async () => {
    await owner.pool.query("UPDATE mesh.broker SET max_event_bytes = 600");
    owner.relay();
    const limit = await waitFor(() => owner.broker.maxPayload());
    await waitFor(async () => {
      const { rows } = await owner.pool.query<{ max: number }>(
        "SELECT max_event_bytes AS max FROM mesh.broker",
      );
      return rows[0]?.max === limit - 512;
    });
  });

  it("has one leader; another takes over when it stops", async () => {
    const first = owner.relay();
    await waitFor(() => first.stats().leader);
    const second = owner.relay(await owner.connect());
    await waitFor(() => !second.stats().paused);
    await owner.emit("a", 1);
    await owner.drained();
    expect([first.stats().published, second.stats().published]).toEqual([1, 0]);
    expect(second.stats()).toMatchObject({ leader: false, paused: false });
    await first.stop();
    await waitFor(() => second.stats().leader, { timeoutMs: 3_000 });
    await owner.emit("a", 2);
    await owner.drained();
    expect(orderFaults(await owner.wire())).toEqual([]);
    expect(second.stats().published).toBe(1);
  });

  it("has one leader; another takes over when its connection is cut, with no loss and no duplicate", async () => {
    const relays = [owner.relay(), owner.relay(await owner.connect())];
    await waitFor(() => relays.some((relay) => relay.stats().leader));
    const admin = new pg.Client({ connectionString: owner.url });
    await admin.connect();
    for (let round = 0; round < 5; round += 1) {
      await owner.fill("e", 400, 2);
      await admin.query(
        `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = 1835365224
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      );
      await waitFor(() => relays.filter((relay) => relay.stats().leader).length === 1);
    }
    await owner.drained();
    await admin.end();
    const wire = await owner.wire();
    expect(orderFaults(wire)).toEqual([]);
    expect(wire).toHaveLength(4_000);
  });
});

/** SQL: events in transactions of their own, so fast that pages follow each other. */
const commitOneByOne = (service: string) => `DO $$ BEGIN
  FOR n IN 1..200 LOOP
    INSERT INTO mesh.outbox (event_id, subject, entity, entity_id, version, body)
    VALUES (gen_random_uuid(), '${service}.user.a.updated', '${service}.user', 'a', mesh.next_version('${service}.user', 'a'), '{}');
    NOTIFY mesh_outbox;
    COMMIT;
    PERFORM pg_sleep(0.001);
  END LOOP;
END $$`;
