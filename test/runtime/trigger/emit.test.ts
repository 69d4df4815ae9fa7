import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { compile, readMesh } from "../../support/compile.js";
import type { TestDatabase } from "../../support/migrations.js";
import { brief, openService, takeEvents } from "../../support/trigger-events.js";

let auth: TestDatabase;
let compute: TestDatabase;
beforeAll(async () => {
  const mesh = compile(readMesh());
  auth = await openService(inject("postgres"), mesh, "auth");
  compute = await openService(inject("postgres"), mesh, "compute");
});
afterAll(() => Promise.all([auth.close(), compute.close()]));
beforeEach(async () => {
  await auth.client.query("DELETE FROM users; DELETE FROM mesh.outbox; DELETE FROM mesh.entity_version");
  await compute.client.query(
    "DELETE FROM containers; DELETE FROM mesh.outbox; DELETE FROM mesh.entity_version",
  );
});

const insert = (...ids: readonly string[]) =>
  auth.client.query(
    "INSERT INTO users (user_id, username) SELECT id, 'name ' || id FROM unnest($1::text[]) id",
    [ids],
  );

describe("the message in the outbox", () => {
  test("has the documented keys in the documented order, and nothing else", async () => {
    const before = Math.floor(Date.now() / 1000);
    await auth.client.query(
      "INSERT INTO users (user_id, username, display_name) VALUES ('V1StGXR8_Z5jdHi6B-myT', 'johndoe', 'John Doe')",
    );
    const [event] = await takeEvents(auth.client);
    const body = JSON.parse(event?.body ?? "");
    expect(Object.keys(body)).toEqual(["metadata", "user_id", "username", "display_name"]);
    expect(Object.keys(body.metadata)).toEqual(["event_id", "entity_id", "timestamp", "source", "version"]);
    expect(body).toEqual({
      metadata: {
        event_id: event?.event_id,
        entity_id: "V1StGXR8_Z5jdHi6B-myT",
        timestamp: expect.any(Number),
        source: "auth-service",
        version: 1,
      },
      user_id: "V1StGXR8_Z5jdHi6B-myT",
      username: "johndoe",
      display_name: "John Doe",
    });
    expect(body.metadata.event_id).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    expect(Number.isInteger(body.metadata.timestamp)).toBe(true);
    expect(body.metadata.timestamp).toBeGreaterThanOrEqual(before);
    expect(body.metadata.timestamp).toBeLessThanOrEqual(Math.floor(Date.now() / 1000));
    expect(event?.subject).toBe("auth.user.V1StGXR8_Z5jdHi6B-myT.created");
    expect(event?.entity).toBe("auth.user");
  });

  test.each([
    `quotes " and ' and \\ and \\n and %s %% %1$s`,
    "new\nline\ttab\rreturn\u0001control",
    "ünïcödé 😀 \u2028 ﷽ e\u0301",
    "</script>{}[]$$ $f$",
  ])("carries text unchanged: %j", async (text) => {
    await auth.client.query("INSERT INTO users (user_id, username, display_name) VALUES ($1, $1, $1)", [
      text,
    ]);
    await auth.client.query("DELETE FROM users");
    const [created, deleted] = await takeEvents(auth.client);
    const body = JSON.parse(created?.body ?? "");
    expect([body.metadata.entity_id, body.user_id, body.username, body.display_name]).toEqual([
      text,
      text,
      text,
      text,
    ]);
    expect(JSON.parse(deleted?.body ?? "").username).toBe(text);
    expect(created?.subject.split(".")).toHaveLength(4);
    expect(created?.subject).toMatch(/^auth\.user\.[!-~]+\.created$/);
  });

  test("says null where the column is NULL, and numbers as numbers", async () => {
    await compute.client.query(
      "INSERT INTO containers (container_id, user_id, name, namespace, image) VALUES ('c', 'u', 'n', 'ns', 'i')",
    );
    await compute.client.query("UPDATE containers SET status = 'running'");
    const [created, started] = await takeEvents(compute.client);
    expect(JSON.parse(created?.body ?? "").memory_mb).toBe(512);
    expect(started?.body).toContain('"external_ip":null}');
  });
});

describe("versions", () => {
  test("count up per entity, past a tombstone, without a gap", async () => {
    await insert("a", "b");
    await auth.client.query("UPDATE users SET username = username || '!' WHERE user_id = 'a'");
    await auth.client.query("DELETE FROM users WHERE user_id = 'a'");
    await insert("a");
    await auth.client.query("DELETE FROM users");
    expect(brief(await takeEvents(auth.client)).toSorted()).toEqual([
      "created a v1",
      "created a v4",
      "created b v1",
      "deleted a v3",
      "deleted a v5",
      "deleted b v2",
      "updated a v2",
    ]);
  });

  test("a rolled back statement leaves neither an outbox row nor a version gap", async () => {
    await auth.client.query("BEGIN");
    await insert("a");
    await auth.client.query("SAVEPOINT s");
    await auth.client.query("UPDATE users SET display_name = 'x'");
    await auth.client.query("ROLLBACK TO s");
    await auth.client.query("UPDATE users SET display_name = 'y'");
    await auth.client.query("COMMIT");
    const events = await takeEvents(auth.client);
    expect(brief(events)).toEqual(["created a v1", "updated a v2"]);
    expect(events[1]?.body).toContain('"display_name":"y"');
  });

  test("exceed the minimum version of a restored database", async () => {
    await insert("a");
    await auth.client.query("UPDATE mesh.relay SET minimum_version = 100");
    await insert("b");
    await auth.client.query("UPDATE users SET display_name = 'x' WHERE user_id = 'a'");
    await auth.client.query("UPDATE users SET display_name = 'y' WHERE user_id = 'a'");
    await auth.client.query("UPDATE mesh.relay SET minimum_version = 0");
    expect(brief(await takeEvents(auth.client))).toEqual([
      "created a v1",
      "created b v101",
      "updated a v101",
      "updated a v102",
    ]);
  });
});

describe("the first version of the present incarnation", () => {
  const incarnations = async ({ client }: TestDatabase) =>
    Object.fromEntries(
      (
        await client.query(
          "SELECT entity || ' ' || entity_id AS id, version, first_version FROM mesh.entity_version",
        )
      ).rows.map(({ id, version, first_version }) => [id, `v${version} since ${first_version}`]),
    );

  test("is that of the creation, and stays the same until after its deletion", async () => {
    await insert("a", "b");
    await auth.client.query("UPDATE users SET display_name = 'x' WHERE user_id = 'a'");
    await auth.client.query("DELETE FROM users WHERE user_id = 'b'");
    expect(await incarnations(auth)).toEqual({ "auth.user a": "v2 since 1", "auth.user b": "v2 since 1" });
    await auth.client.query("DELETE FROM users WHERE user_id = 'a'");
    await insert("a", "b");
    await auth.client.query(
      `INSERT INTO users (user_id, username) VALUES ('a', 'name a'), ('c', 'name c')
       ON CONFLICT (user_id) DO UPDATE SET display_name = 'upserted'`,
    );
    expect(await incarnations(auth)).toEqual({
      "auth.user a": "v5 since 4",
      "auth.user b": "v3 since 3",
      "auth.user c": "v1 since 1",
    });
  });

  test("is above the minimum version of a restored database and above earlier versions", async () => {
    await insert("a");
    await auth.client.query("UPDATE mesh.relay SET minimum_version = 100");
    await auth.client.query("DELETE FROM users");
    await insert("a", "b");
    await auth.client.query("UPDATE mesh.relay SET minimum_version = 0");
    expect(await incarnations(auth)).toEqual({
      "auth.user a": "v102 since 102",
      "auth.user b": "v101 since 101",
    });
  });

  test("is that of the first of several events, and absent for a row that no event creates", async () => {
    const mesh = compile(SEVERAL);
    const several = await openService(inject("postgres"), mesh);
    await several.client.query(
      "INSERT INTO orders VALUES ('draft', 'draft'), ('paid', 'paid'); INSERT INTO notes VALUES ('paid'), ('noted')",
    );
    expect(await incarnations(several)).toEqual({
      "shop.order draft": "v1 since null",
      "shop.order paid": "v4 since 1",
      "shop.order noted": "v1 since null",
    });
    await several.client.query("DELETE FROM orders");
    await several.client.query("INSERT INTO orders VALUES ('draft', 'paid'), ('paid', 'draft')");
    // A consumer that knows version 4 of "paid" must not infer a deletion here: no creation was published.
    expect(await incarnations(several)).toMatchObject({
      "shop.order draft": "v5 since 3",
      "shop.order paid": "v6 since 1",
    });
    await several.close();
  });
});

const SEVERAL = `
mesh: test
services:
  shop: { database: shop_db, publishes: [shop.*] }
databases:
  shop_db:
    tables:
      orders: { columns: { order_id: { type: nanoid, key: true }, status: { type: text } } }
      notes: { columns: { order_id: { type: nanoid, key: true } } }
subjects:
  shop.order.{id}.opened: { event: OrderOpened, change: none, emit: { table: orders, on: insert }, payload: { order_id: string } }
  shop.order.{id}.created: { event: OrderCreated, emit: { table: orders, on: [insert, update], when: { status: paid } }, payload: { order_id: string } }
  shop.order.{id}.paid: { event: OrderPaid, change: none, emit: { table: orders, on: [insert, update], when: { status: paid } }, payload: { order_id: string } }
  shop.order.{id}.deleted: { event: OrderDeleted, emit: { table: orders, on: delete }, payload: { order_id: string } }
  shop.order.{id}.noted: { event: OrderNoted, change: none, emit: { table: notes, on: insert }, payload: { order_id: string } }
`;

describe("updates", () => {
  test("are emitted only when a payload column changed", async () => {
    await insert("a", "b");
    await takeEvents(auth.client);
    await auth.client.query("UPDATE users SET created_at = now()");
    await auth.client.query("UPDATE users SET username = username, display_name = ''");
    expect(await takeEvents(auth.client)).toEqual([]);
    await auth.client.query("UPDATE users SET display_name = CASE user_id WHEN 'b' THEN 'B' ELSE '' END");
    expect(brief(await takeEvents(auth.client))).toEqual(["updated b v2"]);
  });

  test("with `when` are emitted when the condition becomes true, not while it stays true", async () => {
    await compute.client.query(
      "INSERT INTO containers (container_id, user_id, name, namespace, image) VALUES ('c', 'u', 'n', 'ns', 'i')",
    );
    const set = (status: string) => compute.client.query("UPDATE containers SET status = $1", [status]);
    await set("running");
    await set("running");
    await set("stopped");
    await set("pending");
    await set("running");
    expect(brief(await takeEvents(compute.client))).toEqual([
      "created c v1",
      "started c v2",
      "stopped c v3",
      "started c v4",
    ]);
  });

  test("of many rows in one statement emit an event for each row", async () => {
    await compute.client.query(
      `INSERT INTO containers (container_id, user_id, name, namespace, image)
       SELECT 'c' || i, 'u', 'n', 'ns', 'i' FROM generate_series(1, 50) i`,
    );
    await takeEvents(compute.client);
    await compute.client.query(
      "UPDATE containers SET status = CASE WHEN right(container_id, 1) < '5' THEN 'running' ELSE 'stopped' END",
    );
    const events = await takeEvents(compute.client);
    expect(events).toHaveLength(50);
    for (const event of events) {
      expect(event.subject.endsWith(".started")).toBe((event.entity_id.at(-1) ?? "") < "5");
      expect(JSON.parse(event.body).container_id).toBe(event.entity_id);
      expect(event.version).toBe(2);
    }
  });
});

describe("every way to write a row", () => {
  test("INSERT … ON CONFLICT DO UPDATE: created or updated, as it went", async () => {
    await insert("a");
    await auth.client.query(
      `INSERT INTO users (user_id, username, display_name) VALUES ('a', 'name a', 'A'), ('b', 'name b', 'B')
       ON CONFLICT (user_id) DO UPDATE SET display_name = excluded.display_name`,
    );
    await auth.client.query(
      "INSERT INTO users (user_id, username) VALUES ('a', 'zzz') ON CONFLICT DO NOTHING",
    );
    expect(brief(await takeEvents(auth.client)).toSorted()).toEqual([
      "created a v1",
      "created b v1",
      "updated a v2",
    ]);
  });

  test("MERGE", async () => {
    await insert("a", "b");
    await takeEvents(auth.client);
    await auth.client.query(
      `MERGE INTO users USING (VALUES ('a', 'x'), ('b', NULL), ('c', 'z')) AS v (id, name) ON user_id = id
       WHEN MATCHED AND name IS NULL THEN DELETE
       WHEN MATCHED THEN UPDATE SET display_name = name
       WHEN NOT MATCHED THEN INSERT (user_id, username, display_name) VALUES (id, id, name)`,
    );
    expect(brief(await takeEvents(auth.client)).toSorted()).toEqual([
      "created c v1",
      "deleted b v2",
      "updated a v2",
    ]);
  });

  test("data-modifying CTEs and COPY from a program's side", async () => {
    await auth.client.query(
      `WITH gone AS (DELETE FROM users RETURNING user_id)
       INSERT INTO users (user_id, username) SELECT 'd', 'D' || (SELECT count(*) FROM gone)`,
    );
    await auth.client.query("CREATE TEMP TABLE source AS SELECT 'e' AS user_id, 'E' AS username");
    await auth.client.query("INSERT INTO users (user_id, username) TABLE source");
    await auth.client.query("DROP TABLE source");
    expect(brief(await takeEvents(auth.client))).toEqual(["created d v1", "created e v1"]);
  });

  test("ON DELETE CASCADE of a foreign key", async () => {
    const mesh = compile(FAMILY);
    const family = await openService(inject("postgres"), mesh);
    await family.client.query(
      `INSERT INTO parents VALUES ('p1'), ('p2');
       INSERT INTO children VALUES ('c1', 'p1', NULL, NULL), ('c2', 'p1', 'p2', 'p1'), ('c3', NULL, 'p1', 'p2'), ('c4', 'p2', 'p1', 'p1')`,
    );
    await takeEvents(family.client);
    await family.client.query("DELETE FROM parents WHERE parent_id = 'p1'");
    expect(brief(await takeEvents(family.client)).toSorted()).toEqual([
      "deleted c1 v2",
      "deleted c2 v2",
      "deleted p1 v2",
      "updated c3 v2",
      "updated c4 v2",
    ]);
    await family.close();
  });

  test("a row that several keys set to NULL in one statement changes once", async () => {
    const family = await openService(inject("postgres"), compile(FAMILY));
    await family.client.query(
      "INSERT INTO parents VALUES ('p1'), ('p2'); INSERT INTO children VALUES ('c', NULL, 'p1', 'p2')",
    );
    await takeEvents(family.client);
    await family.client.query("DELETE FROM parents");
    const events = await takeEvents(family.client);
    expect(brief(events).toSorted()).toEqual(["deleted p1 v2", "deleted p2 v2", "updated c v2"]);
    expect(events.find((event) => event.entity_id === "c")?.body).toContain('"home":null,"work":null');
    await family.close();
  });

  test("a row that one key sets to NULL and another deletes ends as deleted, whatever fires last", async () => {
    const swapped = FAMILY.replace(/( +guardian.*\n)((?: +(?:home|work).*\n)+)/, "$2$1");
    for (const text of [FAMILY, swapped]) {
      const family = await openService(inject("postgres"), compile(text));
      await family.client.query(
        `INSERT INTO parents VALUES ('p1'), ('p2'), ('p3'), ('p4');
         INSERT INTO children (child_id, home, guardian) VALUES ('c', 'p1', 'p2'), ('d', 'p3', NULL), ('e', 'p4', 'p1')`,
      );
      await takeEvents(family.client);
      await family.client.query("DELETE FROM parents");
      const events = (await takeEvents(family.client)).filter((event) => event.entity === "shop.child");
      for (const id of ["c", "e"]) {
        expect(brief(events.filter((event) => event.entity_id === id)).at(-1)).toMatch(/^deleted/);
      }
      expect(brief(events)).toContain("updated d v2");
      await family.close();
    }
  });

  test("10,000 deletions are one statement of each kind", async () => {
    await auth.client.query(
      "INSERT INTO users (user_id, username) SELECT 'u' || i, 'n' || i FROM generate_series(1, 10000) i",
    );
    await auth.client.query("DELETE FROM mesh.outbox");
    const started = performance.now();
    await auth.client.query("DELETE FROM users");
    // Nested loops over the transition table take a minute here.
    expect(performance.now() - started).toBeLessThan(5_000);
    const { rows } = await auth.client.query(
      "SELECT count(*)::int AS events, count(DISTINCT xmin::text)::int AS writers, min(version)::int AS version FROM mesh.outbox",
    );
    expect(rows).toEqual([{ events: 10_000, writers: 1, version: 2 }]);
  });

  test("more rows than a batch of events holds: each is told once", async () => {
    await auth.client.query(
      "INSERT INTO users (user_id, username) SELECT 'u' || i, 'n' || i FROM generate_series(1, 25000) i",
    );
    await auth.client.query("UPDATE users SET display_name = 'x'");
    const { rows } = await auth.client.query(
      "SELECT split_part(subject, '.', 4) AS action, count(*)::int AS events, count(DISTINCT entity_id)::int AS users, max(version)::int AS version FROM mesh.outbox GROUP BY 1 ORDER BY 1",
    );
    expect(rows).toEqual([
      { action: "created", events: 25_000, users: 25_000, version: 1 },
      { action: "updated", events: 25_000, users: 25_000, version: 2 },
    ]);
  });
});

const FAMILY = `
mesh: test
services:
  shop: { database: shop_db, publishes: [shop.*] }
databases:
  shop_db:
    tables:
      parents: { columns: { parent_id: { type: nanoid, key: true } } }
      children:
        columns:
          child_id: { type: nanoid, key: true }
          guardian: { type: text, null: true, references: parents, on_delete: cascade }
          home: { type: text, null: true, references: parents, on_delete: set_null }
          work: { type: text, null: true, references: parents, on_delete: set_null }
subjects:
  shop.parent.{id}.deleted: { event: ParentDeleted, emit: { table: parents, on: delete }, payload: { parent_id: string } }
  shop.parent.{id}.created: { event: ParentCreated, emit: { table: parents, on: insert }, payload: { parent_id: string } }
  shop.child.{id}.created: { event: ChildCreated, emit: { table: children, on: insert }, payload: { child_id: string } }
  shop.child.{id}.updated: { event: ChildUpdated, emit: { table: children, on: update }, payload: { child_id: string, home: string?, work: string? } }
  shop.child.{id}.deleted: { event: ChildDeleted, emit: { table: children, on: delete }, payload: { child_id: string } }
`;
