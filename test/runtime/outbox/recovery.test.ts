import { randomUUID } from "node:crypto";
import { connect } from "nats";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { type Owner, openOwner } from "../../support/event-owner.js";
import { createDatabase, waitFor } from "../../support/servers.js";

/*
 * A database restored from a backup, played by a second database that is a copy of the first at an
 * earlier time.
 */
describe("the relay of a restored database", () => {
  let owner: Owner;
  const others: Owner[] = [];
  beforeEach(async () => {
    owner = await openOwner();
  });
  afterEach(async () => {
    for (const other of others.splice(0)) await other.close();
    await owner.close();
  });

  /** A copy of the database as it is now. */
  const backup = async () => {
    const admin = new pg.Client({ connectionString: inject("postgres") });
    await admin.connect();
    const url = new URL(await createDatabase(inject("postgres"), "restored"));
    const [from, to] = [new URL(owner.url).pathname.slice(1), url.pathname.slice(1)];
    await admin.query(`DROP DATABASE ${to}`);
    await admin.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()",
      [from],
    );
    await waitFor(() => admin.query(`CREATE DATABASE ${to} TEMPLATE ${from}`));
    await admin.end();
    return url.href;
  };
  const restore = async (url: string) => {
    const restored = await openOwner({ url, stream: owner.stream });
    others.push(restored);
    return restored;
  };
  const versionsOf = async (of: Owner, id: string) =>
    (await of.wire())
      .filter(({ event }) => event.metadata.entity_id === id)
      .map(({ event }) => event.metadata.version);
  const publishAll = async (of: Owner) => {
    const relay = of.relay();
    await of.drained();
    await relay.stop();
  };

  it("publishes versions above everything that consumers saw", async () => {
    await owner.emit("a", 1);
    await owner.emit("b", 1);
    await publishAll(owner);
    const url = await backup();
    for (let n = 2; n <= 5; n += 1) await owner.emit("a", n);
    await owner.emit("later", 1);
    await publishAll(owner);

    const restored = await restore(url);
    // Written after the restore and before a relay compared versions: its version is stale.
    await restored.emit("a", 100);
    await restored.emit("a", 101);
    const relay = restored.relay();
    await restored.drained();
    await restored.emit("a", 102);
    await restored.emit("b", 102);
    await restored.emit("later", 102);
    await restored.drained();
    expect(await versionsOf(restored, "a")).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(await versionsOf(restored, "b")).toEqual([1, 2]);
    // Its counter was raised above the stream's version: snapshots of it are newer, too.
    expect(await versionsOf(restored, "later")).toEqual([1, 3]);
    expect(relay.stats().retries).toBe(0);
  });

  it("counts what the backup brought back as newer than what was published since, for a snapshot to say so", async () => {
    await owner.emit("gone", 1);
    await owner.emit("kept", 1);
    await publishAll(owner);
    const url = await backup();
    await owner.emit("gone", 2);
    await publishAll(owner);

    const restored = await restore(url);
    await restored.emit("other", 1);
    await publishAll(restored);
    const { rows } = await restored.pool.query<{ entity_id: string; version: string }>(
      "SELECT entity_id, version FROM mesh.entity_version WHERE entity_id IN ('gone', 'kept') ORDER BY 1",
    );
    expect(rows.map(({ version }) => Number(version))).toEqual([3, 1]);
  });

  it("publishes no duplicate of what was waiting in the backup and went out since", async () => {
    await owner.emit("a", 1);
    await owner.emit("a", 2);
    const url = await backup();
    await publishAll(owner);
    await owner.emit("a", 3);
    await publishAll(owner);

    const restored = await restore(url);
    expect(await restored.waiting()).toBe(2);
    await publishAll(restored);
    expect(await versionsOf(restored, "a")).toEqual([1, 2, 3]);
    await restored.emit("a", 4);
    await publishAll(restored);
    // Version 4 is for the restored row, in case a snapshot reads it.
    expect(await versionsOf(restored, "a")).toEqual([1, 2, 3, 5]);
  });

  it("starts above a minimum version where what was published is purged", async () => {
    await owner.emit("a", 1);
    await publishAll(owner);
    const url = await backup();
    for (let n = 2; n <= 6; n += 1) await owner.emit("a", n);
    await publishAll(owner);
    const admin = await connect({ servers: inject("nats") });
    await (await admin.jetstreamManager()).streams.purge(owner.stream.name);
    await admin.close();

    const restored = await restore(url);
    await restored.emit("a", 100);
    await restored.emit("new", 100);
    restored.relay();
    await restored.drained();
    await restored.emit("a", 101);
    await restored.drained();
    const [first = 0, second = 0] = await versionsOf(restored, "a");
    expect(first).toBeGreaterThan(6);
    expect(second).toBe(first + 1);
    const { rows } = await restored.pool.query<{ floor: string }>(
      "SELECT minimum_version AS floor FROM mesh.relay",
    );
    expect(Number(rows[0]?.floor)).toBeGreaterThanOrEqual(6);
    expect((await versionsOf(restored, "new"))[0]).toBeGreaterThan(Number(rows[0]?.floor));
  });

  it("of an empty database on a stream with a past goes on after it", async () => {
    for (let n = 1; n <= 3; n += 1) await owner.emit("a.b", n);
    await publishAll(owner);
    const fresh = await openOwner({ stream: owner.stream });
    others.push(fresh);
    await fresh.emit("a.b", 100);
    await publishAll(fresh);
    expect(await versionsOf(fresh, "a.b")).toEqual([1, 2, 3, 4]);
  });

  it("changes nothing but the version in a rewritten outbox body", async () => {
    const url = await backup();
    await owner.emit('x","version":1,"', 1);
    await publishAll(owner);
    const restored = await restore(url);
    const id = 'x","version":1,"';
    await restored.emit(id, 12_345);
    const { rows } = await restored.pool.query<{ body: string }>("SELECT body FROM mesh.outbox");
    await publishAll(restored);
    const wire = await restored.wire();
    const before = JSON.parse(rows[0]?.body ?? "") as { metadata: object };
    expect(wire.at(-1)?.event).toEqual({ ...before, metadata: { ...before.metadata, version: 2 } });
  });

  it("rewrites the first version of an incarnation together with the event that had it", async () => {
    const url = await backup();
    for (let n = 1; n <= 5; n += 1) await owner.emit("a", n);
    await publishAll(owner);
    const restored = await restore(url);
    await restored.emit("a", 1, "deleted");
    await restored.emit("a", 2, "created");
    // As the triggers of the generated tables note it.
    await restored.pool.query("UPDATE mesh.entity_version SET first_version = version");
    await restored.emit("a", 3);
    await publishAll(restored);
    expect((await versionsOf(restored, "a")).slice(-3)).toEqual([6, 7, 8]);
    const firstVersion = async () =>
      (await restored.pool.query<{ first_version: string }>("SELECT first_version FROM mesh.entity_version"))
        .rows[0]?.first_version;
    expect(await firstVersion()).toBe("7");
    // An incarnation that began before the rewritten versions keeps its first version.
    await owner.emit("a", 9);
    await owner.emit("a", 9);
    await owner.emit("a", 9);
    await owner.emit("a", 9);
    await publishAll(owner);
    await restored.emit("a", 4);
    await publishAll(restored);
    expect(await firstVersion()).toBe("7");
  });

  it("takes no version from what is not ours", async () => {
    const publish = (body: string) =>
      owner.broker.publish({
        subject: `${owner.service}.user.odd.created`,
        id: randomUUID(),
        body: Buffer.from(body),
      });
    await owner.broker.ensureStream(owner.stream);
    for (const body of ["not json", "null", '{"metadata":{"version":"9"}}', "{}"]) await publish(body);
    await owner.emit("odd", 1);
    await publishAll(owner);
    const { rows } = await owner.pool.query<{ floor: string }>(
      "SELECT minimum_version AS floor FROM mesh.relay",
    );
    expect(Number(rows[0]?.floor)).toBeGreaterThanOrEqual(4);
    const last = (await owner.broker.streamState(owner.stream.name))?.lastSeq;
    expect(last).toBe(5);
  });

  describe("what counting cannot explain", () => {
    const put = (subject: string, version: number, id?: string) =>
      owner.broker.publish({
        subject: `${owner.service}.${subject}`,
        id: id ?? randomUUID(),
        body: Buffer.from(JSON.stringify({ metadata: { version } })),
      });
    const counted = async (of: Owner) => {
      const { rows } = await of.pool.query<{ floor: number; highest: number }>(
        `SELECT minimum_version::float8 AS floor, (SELECT max(version)::float8 FROM mesh.entity_version) AS highest
FROM mesh.relay`,
      );
      return rows[0];
    };

    it("raises no version, whichever entity the last message is of, and leaves the rest as it is", async () => {
      await owner.emit("a", 1);
      await publishAll(owner);
      await put("user.a.updated", 1e12);
      await put("user.a.updated", Number.MAX_SAFE_INTEGER);
      // Two unknown messages can explain versions up to that, not above.
      await put("user.b.updated", 1e6);
      await put("user.%00.updated", 3);
      await put(`user.${"x".repeat(3000)}.updated`, 3);
      // An entity of which the service publishes nothing.
      await put("session.s.updated", 4);
      await owner.emit("a", 2);
      await publishAll(owner);
      expect(await counted(owner)).toEqual({ floor: 0, highest: 2 });
      expect(await versionsOf(owner, "a")).toEqual([1, 2]);
      const errors = owner.lines.filter(({ message }) => message.includes("not believed"));
      expect(errors).toHaveLength(3);
    });

    it("does not follow a recreated stream beyond what it may have forgotten", async () => {
      await owner.emit("a", 1);
      await publishAll(owner);
      await owner.pool.query("UPDATE mesh.relay SET stream_created = 'another'");
      await put("user.a.updated", 5_000);
      await put("user.b.updated", 2 ** 40);
      await owner.emit("a", 2);
      await publishAll(owner);
      expect(await versionsOf(owner, "a")).toEqual([1, 5_001]);
      expect(await counted(owner)).toEqual({ floor: 0, highest: 5_001 });
    });
  });
});
