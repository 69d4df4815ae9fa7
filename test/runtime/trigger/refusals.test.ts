import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { compile, readMesh } from "../../support/compile.js";
import type { TestDatabase } from "../../support/migrations.js";
import { brief, openService, takeEvents } from "../../support/trigger-events.js";

let auth: TestDatabase;
beforeAll(async () => {
  auth = await openService(inject("postgres"), compile(readMesh()), "auth");
});
afterAll(() => auth.close());
beforeEach(() =>
  auth.client.query("DELETE FROM users; DELETE FROM mesh.outbox; DELETE FROM mesh.entity_version"),
);

const insert = (id: string, name = id) =>
  auth.client.query("INSERT INTO users (user_id, username) VALUES ($1, $2)", [id, name]);

describe("what would separate rows from their events is refused", () => {
  test("a change of the key (0A000), but not its repetition", async () => {
    await insert("a");
    await auth.client.query("UPDATE users SET user_id = user_id, display_name = 'x'");
    await expect(auth.client.query("UPDATE users SET user_id = 'b'")).rejects.toMatchObject({
      code: "0A000",
      message: expect.stringContaining("the key of public.users cannot be changed"),
      table: "users",
    });
    expect(brief(await takeEvents(auth.client))).toEqual(["created a v1", "updated a v2"]);
  });

  test("TRUNCATE (0A000), also by way of another table", async () => {
    await insert("a");
    for (const statement of ["TRUNCATE users, sessions", "TRUNCATE users CASCADE"]) {
      await expect(auth.client.query(statement)).rejects.toMatchObject({
        code: "0A000",
        hint: expect.stringContaining("DELETE"),
      });
    }
    await auth.client.query("TRUNCATE sessions");
  });

  test("an event that the broker would not take (54000), with its subject, size and limit", async () => {
    await auth.client.query("UPDATE mesh.broker SET max_event_bytes = 2000");
    await expect(insert("big", "x".repeat(2000))).rejects.toMatchObject({
      code: "54000",
      message: expect.stringMatching(
        /^the event on auth\.user\.big\.created has 2\d{3} bytes, the broker takes at most 2000$/,
      ),
    });
    await insert("fits", "x".repeat(1700));
    await auth.client.query("UPDATE mesh.broker SET max_event_bytes = DEFAULT");
    await insert("big", "x".repeat(2000));
    const events = await takeEvents(auth.client);
    expect(brief(events)).toEqual(["created fits v1", "created big v1"]);
    expect(Buffer.byteLength(events[0]?.body ?? "")).toBeLessThanOrEqual(2000);
  });

  test("the limit counts bytes, not characters", async () => {
    await auth.client.query("UPDATE mesh.broker SET max_event_bytes = 2000");
    await expect(insert("big", "é".repeat(1000))).rejects.toMatchObject({ code: "54000" });
    await auth.client.query("UPDATE mesh.broker SET max_event_bytes = DEFAULT");
  });

  test("an empty id (22023): it cannot be a token of a subject", async () => {
    await expect(insert("")).rejects.toMatchObject({ code: "22023" });
  });
});

describe("sessions", () => {
  test("two transactions on one entity: versions and sequence follow the order of commits", async () => {
    await insert("a");
    await takeEvents(auth.client);
    const sessions = await Promise.all(Array.from({ length: 6 }, () => auth.connect()));
    const order: string[] = [];
    await Promise.all(
      sessions.map(async (session, number) => {
        for (let round = 0; round < 15; round += 1) {
          await session.query("BEGIN");
          await session.query("UPDATE users SET display_name = $1 WHERE user_id = 'a'", [
            `${number}/${round}`,
          ]);
          // The version counter's row is locked until the commit, so this is the order of commits.
          order.push(`${number}/${round}`);
          await session.query("COMMIT");
        }
      }),
    );
    const events = await takeEvents(auth.client);
    expect(events.map((event) => event.version)).toEqual(Array.from({ length: 90 }, (_, index) => index + 2));
    expect(events.map((event) => JSON.parse(event.body).display_name)).toEqual(order);
  });

  test("a deletion and a re-creation by another session go on counting", async () => {
    await insert("a");
    const other = await auth.connect();
    await auth.client.query("BEGIN");
    await auth.client.query("DELETE FROM users WHERE user_id = 'a'");
    const waiting = other.query("INSERT INTO users (user_id, username) VALUES ('a', 'again')");
    await new Promise((resolve) => setTimeout(resolve, 50));
    await auth.client.query("COMMIT");
    await waiting;
    expect(brief(await takeEvents(auth.client))).toEqual(["created a v1", "deleted a v2", "created a v3"]);
  });

  test("one that has the function planned goes on when a column is added, which needs no new function", async () => {
    const other = await auth.connect();
    await other.query("INSERT INTO users (user_id, username) VALUES ('a', 'a')");
    await auth.client.query("ALTER TABLE users ADD COLUMN note TEXT DEFAULT 'n'");
    await other.query("INSERT INTO users (user_id, username) VALUES ('b', 'b')");
    await other.query("UPDATE users SET display_name = 'x', note = 'm'");
    await auth.client.query("ALTER TABLE users DROP COLUMN note");
    await other.query("DELETE FROM users WHERE user_id = 'b'");
    expect(brief(await takeEvents(auth.client))).toEqual([
      "created a v1",
      "created b v1",
      "updated a v2",
      "updated b v2",
      "deleted b v3",
    ]);
  });

  test("one whose first statement had one row plans no nested loop for the thousands that follow", async () => {
    const other = await auth.connect();
    await other.query("INSERT INTO users (user_id, username) VALUES ('a', 'a')");
    // Nested loops take half a minute here, hash joins less than a second.
    const started = performance.now();
    await other.query(
      "INSERT INTO users (user_id, username) SELECT 'u' || i, i FROM generate_series(1, 10000) i",
    );
    await other.query("UPDATE users SET display_name = 'x'");
    expect(performance.now() - started).toBeLessThan(8_000);
  });

  test("COPY writes events too", async () => {
    await auth.client.query("COPY users (user_id, username) FROM PROGRAM 'printf \"x\\tX\\ny\\tY\\n\"'");
    expect(brief(await takeEvents(auth.client))).toEqual(["created x v1", "created y v1"]);
  });

  test("a commit notifies the relay, except during notify suppression", async () => {
    const listener = await auth.connect();
    let heard = 0;
    listener.on("notification", () => {
      heard += 1;
    });
    await listener.query("LISTEN mesh_outbox");
    await insert("a");
    await auth.client.query("UPDATE mesh.relay SET notify_suppressed = true");
    await insert("b");
    await auth.client.query("UPDATE mesh.relay SET notify_suppressed = false");
    await listener.query("SELECT 1");
    await expect.poll(() => heard).toBe(1);
  });
});

describe("a role that may only write the tables", () => {
  test("writes events, without any right on the mesh schema, and cannot put its own objects in their way", async () => {
    const role = `writer_${process.pid}_${Date.now()}`;
    await auth.client.query(
      `CREATE ROLE ${role}; GRANT SELECT, INSERT, UPDATE, DELETE ON users, sessions TO ${role}`,
    );
    const session = await auth.connect();
    await session.query(`SET ROLE ${role}`);
    await expect(session.query("SELECT * FROM mesh.outbox")).rejects.toMatchObject({ code: "42501" });
    await session.query("CREATE TEMP TABLE new_rows (user_id text); CREATE TEMP TABLE text (a int)");
    await session.query(
      `CREATE FUNCTION pg_temp.to_json(text) RETURNS json LANGUAGE sql AS 'SELECT ''"forged"''::json';
       SET search_path = pg_temp, public`,
    );
    await session.query("INSERT INTO users (user_id, username) VALUES ('a', 'a')");
    await session.query("UPDATE users SET display_name = 'x'");
    await session.query("DELETE FROM users");
    await session.query("RESET ROLE");
    const events = await takeEvents(auth.client);
    expect(brief(events)).toEqual(["created a v1", "updated a v2", "deleted a v3"]);
    expect(events[0]?.body).toContain('"username":"a"');
    await auth.client.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  });
});
