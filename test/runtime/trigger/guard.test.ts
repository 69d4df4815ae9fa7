import type pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { compile, readMesh } from "../../support/compile.js";
import type { TestDatabase } from "../../support/migrations.js";
import { openService } from "../../support/trigger-events.js";

let compute: TestDatabase;
let attacher: pg.Client;
let consumer: pg.Client;
beforeAll(async () => {
  compute = await openService(inject("postgres"), compile(readMesh()), "compute");
  [attacher, consumer] = await Promise.all([compute.connect(), compute.connect()]);
});
afterAll(() => compute.close());
// A failed test must not leave locks behind. The waiting session is closed first, since it waits for the other.
afterEach(() => Promise.all([consumer.query("ROLLBACK"), attacher.query("ROLLBACK")]));
beforeEach(() =>
  compute.client.query("DELETE FROM ssh_keys; DELETE FROM mesh.applied; DELETE FROM mesh.outbox"),
);

const attach = (session: pg.Client, key: string, user: string) =>
  session.query(
    "INSERT INTO ssh_keys (key_id, user_id, name, public_key, fingerprint) VALUES ($1, $2, 'n', 'p', $1)",
    [key, user],
  );

/** As the consumer applies a deletion: first the row in mesh.applied, then the cascade as another statement. */
const recordDeletion = (session: pg.Client, user: string) =>
  session.query(
    `INSERT INTO mesh.applied (entity, entity_id, version, versioned, deleted, stream_seq) VALUES ('auth.user', $1, 2, true, true, 5)
     ON CONFLICT (entity, entity_id) DO UPDATE SET deleted = true, version = 2, stream_seq = 5`,
    [user],
  );
const cascade = (session: pg.Client, user: string) =>
  session.query("DELETE FROM ssh_keys WHERE user_id = $1", [user]);

const keys = async () => {
  const { rows } = await compute.client.query("SELECT key_id FROM ssh_keys ORDER BY 1");
  return rows.map((row) => row.key_id);
};

async function isBlocked(session: pg.Client): Promise<boolean> {
  const { rows } = await compute.client.query("SELECT cardinality(pg_blocking_pids($1)) > 0 AS blocked", [
    Reflect.get(session, "processID"),
  ]);
  return rows[0]?.blocked === true;
}

describe.each(["known", "unknown"])("a reference to a user that is %s", (state) => {
  beforeEach(async () => {
    if (state === "known") {
      await compute.client.query(
        "INSERT INTO mesh.applied (entity, entity_id, version, versioned, stream_seq) VALUES ('auth.user', 'u', 1, true, 4)",
      );
    }
  });

  test("the deletion comes first: the insert waits for it, and is refused", async () => {
    await consumer.query("BEGIN");
    await recordDeletion(consumer, "u");
    const attached = attach(attacher, "k", "u").then(
      () => "attached",
      (error: { code: string }) => error.code,
    );
    await expect.poll(() => isBlocked(attacher)).toBe(true);
    await cascade(consumer, "u");
    await consumer.query("COMMIT");
    expect(await attached).toBe("23503");
    expect(await keys()).toEqual([]);
  });

  test("the insert comes first: the deletion waits for it, and its cascade removes the row", async () => {
    await attacher.query("BEGIN");
    await attach(attacher, "k", "u");
    await consumer.query("BEGIN");
    const recorded = recordDeletion(consumer, "u");
    await expect.poll(() => isBlocked(consumer)).toBe(true);
    await attacher.query("COMMIT");
    await recorded;
    await cascade(consumer, "u");
    await consumer.query("COMMIT");
    expect(await keys()).toEqual([]);
  });

  test("the deletion is rolled back: the waiting insert succeeds", async () => {
    await consumer.query("BEGIN");
    await recordDeletion(consumer, "u");
    const attached = attach(attacher, "k", "u");
    await expect.poll(() => isBlocked(attacher)).toBe(true);
    await consumer.query("ROLLBACK");
    await attached;
    expect(await keys()).toEqual(["k"]);
  });

  test("two rows for one user do not wait for each other for long, and many sessions lose none", async () => {
    const sessions = await Promise.all(Array.from({ length: 5 }, () => compute.connect()));
    await Promise.all(
      sessions.map(async (session, number) => {
        for (let round = 0; round < 10; round += 1) await attach(session, `${number}/${round}`, "u");
      }),
    );
    expect(await keys()).toHaveLength(50);
  });
});

test("under any interleaving no row outlives the deletion of its user", async () => {
  const sessions = await Promise.all(Array.from({ length: 4 }, () => compute.connect()));
  for (let round = 0; round < 20; round += 1) {
    const user = `u${round}`;
    const attaching = sessions.map((session, number) =>
      attach(session, `${user}/${number}`, user).catch((error: { code: string }) =>
        expect(error.code).toBe("23503"),
      ),
    );
    await consumer.query("BEGIN");
    await recordDeletion(consumer, user);
    await cascade(consumer, user);
    await consumer.query("COMMIT");
    await Promise.all(attaching);
  }
  expect(await keys()).toEqual([]);
});

describe("the refusal", () => {
  test("names the table, the column and the entity", async () => {
    await recordDeletion(consumer, "gone");
    await expect(attach(attacher, "k", "gone")).rejects.toMatchObject({
      code: "23503",
      message: "ssh_keys.user_id refers to auth.user 'gone', which is deleted",
      table: "ssh_keys",
      column: "user_id",
    });
  });

  test("covers moving a row to a deleted user, and statements of many rows", async () => {
    await recordDeletion(consumer, "gone");
    await attach(attacher, "k", "alive");
    await expect(attacher.query("UPDATE ssh_keys SET user_id = 'gone'")).rejects.toMatchObject({
      code: "23503",
    });
    await expect(
      attacher.query(
        `INSERT INTO ssh_keys (key_id, user_id, name, public_key, fingerprint)
         SELECT 'k' || i, CASE i WHEN 77 THEN 'gone' ELSE 'u' || i END, 'n', 'p', i FROM generate_series(1, 100) i`,
      ),
    ).rejects.toMatchObject({ code: "23503" });
    expect(await keys()).toEqual(["k"]);
  });

  test("spares rows that stay with a user whose deletion waits for a hook, and rows without a user", async () => {
    await attach(attacher, "k", "u");
    await recordDeletion(consumer, "u");
    await attacher.query("UPDATE ssh_keys SET name = 'other', user_id = user_id");
    const sfs = await openService(inject("postgres"), compile(readMesh()), "sfs");
    await sfs.client.query("INSERT INTO namespaces (namespace_id, name) VALUES ('n', 'n')");
    await sfs.client.query("UPDATE namespaces SET owner_id = 'someone'");
    await sfs.client.query("UPDATE namespaces SET owner_id = NULL");
    await sfs.close();
  });

  test("ends with a true re-creation", async () => {
    await recordDeletion(consumer, "u");
    await consumer.query("UPDATE mesh.applied SET deleted = false, version = 3");
    await attach(attacher, "k", "u");
    expect(await keys()).toEqual(["k"]);
  });
});

test("an id without any event leaves a row in mesh.applied that is only referred to", async () => {
  await attach(attacher, "k", "new");
  const { rows } = await compute.client.query("SELECT * FROM mesh.applied");
  const unheard = { version: null, versioned: false, deleted: false, deleted_at: null, deleted_seq: null };
  expect(rows).toEqual([{ entity: "auth.user", entity_id: "new", stream_seq: null, ...unheard }]);
});
