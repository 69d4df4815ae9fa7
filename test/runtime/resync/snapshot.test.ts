import type { RequestListener } from "node:http";
import type pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { buildModel } from "../../../runtime/inbox/consumer-model.js";
import type { SnapshotOptions } from "../../../runtime/resync/snapshot-run.js";
import { type AnsweringServer, startAnswering } from "../../support/answering-server.js";
import { readSnapshot } from "../../support/read-snapshot.js";
import { waitFor } from "../../support/servers.js";
import {
  createPool,
  createServiceDatabase,
  type DefinitionChoices,
  userConsumer,
} from "../../support/user-consumer.js";

let pool: pg.Pool;
let server: AnsweringServer;
let answer: RequestListener;

beforeAll(async () => {
  pool = createPool(await createServiceDatabase(inject("postgres")));
  server = await startAnswering((request, response) => answer(request, response));
});
afterAll(async () => {
  await server.close();
  await pool.end();
});
beforeEach(async () => {
  await pool.query("INSERT INTO mesh.subscription (durable, stream) VALUES ('compute_auth_user', 'AUTH')");
});
afterEach(async () => {
  await pool.query(`TRUNCATE user_cache, namespaces, containers, ssh_keys, calls, mesh.applied, mesh.subscription,
    mesh.cascade_task`);
});

interface SourceUser {
  readonly user_id: string;
  readonly username: string;
  readonly display_name?: string;
  readonly _version?: number;
}

const user = (user_id: string, username: string, _version?: number): SourceUser => ({
  user_id,
  username,
  ...(_version === undefined ? {} : { _version }),
});

function serve(users: readonly SourceUser[]): void {
  answer = (request, response) => {
    const allowed =
      request.headers.authorization === "Bearer secret" && request.headers["mesh-snapshot"] === "versions";
    response.statusCode = allowed && request.url === "/api/users" ? 200 : 401;
    response.end(JSON.stringify(users));
  };
}

async function snapshot(
  noted: number,
  choices: DefinitionChoices = {},
  overrides: Partial<SnapshotOptions> = {},
) {
  return await readSnapshot({
    pool,
    model: buildModel(userConsumer({ ...choices, sync: true })),
    env: {
      AUTH_SERVICE_URL: server.url,
      SFS_TO_AUTH_KEY: "secret",
    },
    noteSeq: async () => noted,
    ...overrides,
  });
}

interface Known {
  readonly id: string;
  readonly name: string;
  readonly version: number | null;
  readonly seq: number;
}

async function know(...rows: readonly Known[]): Promise<void> {
  for (const { id, name, version, seq } of rows) {
    await pool.query("INSERT INTO user_cache (user_id, username) VALUES ($1, $2)", [id, name]);
    await pool.query(
      "INSERT INTO mesh.applied (entity, entity_id, version, versioned, stream_seq) VALUES ('auth.user', $1, $2::bigint, $2::bigint IS NOT NULL, $3)",
      [id, version, seq],
    );
  }
}

async function users(): Promise<Record<string, string>> {
  const { rows } = await pool.query("SELECT user_id, username FROM user_cache ORDER BY user_id");
  return Object.fromEntries(rows.map((row) => [row.user_id, row.username]));
}

describe("a snapshot", () => {
  it("adds what is missing, corrects what is stale, removes what is gone, with its cascades", async () => {
    await know(
      { id: "stale", name: "old", version: 1, seq: 5 },
      { id: "newer", name: "newest", version: 9, seq: 6 },
      { id: "gone", name: "gone", version: 2, seq: 7 },
      { id: "later", name: "later", version: 1, seq: 200 },
    );
    await pool.query("INSERT INTO ssh_keys VALUES ('k', 'gone'), ('l', 'later')");
    serve([user("stale", "new", 3), user("newer", "older", 8), user("missing", "found", 1)]);
    expect(await snapshot(100)).toMatchObject({ rows: 3, written: 2, removed: 1, failed: 0, seq: 100 });
    expect(await users()).toEqual({ later: "later", missing: "found", newer: "newest", stale: "new" });
    expect((await pool.query("SELECT key_id FROM ssh_keys")).rows).toEqual([{ key_id: "l" }]);
    const { rows } = await pool.query(
      "SELECT version, deleted, versioned FROM mesh.applied WHERE entity_id = 'gone'",
    );
    expect(rows).toEqual([{ version: "2", deleted: true, versioned: false }]);
    const record = await pool.query(
      "SELECT snapshot_seq, snapshot_rows, snapshot_error FROM mesh.subscription",
    );
    expect(record.rows).toEqual([{ snapshot_seq: "100", snapshot_rows: "3", snapshot_error: null }]);
  });

  it("writes nothing where nothing differs", async () => {
    serve([user("a", "x", 1), user("b", "y", 4)]);
    expect(await snapshot(10)).toMatchObject({ written: 2 });
    expect(await snapshot(20)).toMatchObject({ written: 0, removed: 0 });
  });

  it("goes by sequence with an owner that keeps no versions", async () => {
    await know(
      { id: "a", name: "old", version: null, seq: 50 },
      { id: "b", name: "after", version: null, seq: 150 },
    );
    serve([user("a", "new"), user("b", "before"), user("c", "found")]);
    await snapshot(100);
    expect(await users()).toEqual({ a: "new", b: "after", c: "found" });
  });

  it("resolves names that went from one to another, newer claims included", async () => {
    await know(
      { id: "a", name: "x", version: 1, seq: 1 },
      { id: "b", name: "y", version: 1, seq: 2 },
      { id: "c", name: "z", version: 5, seq: 200 },
    );
    serve([user("a", "y", 2), user("b", "x", 2), user("d", "z", 1)]);
    await snapshot(100);
    expect(await users()).toEqual({ a: "y", b: "x", c: "z", d: "superseded:d" });
  });

  it("brings nothing deleted back that was deleted after it was read", async () => {
    await pool.query(`INSERT INTO mesh.applied (entity, entity_id, version, versioned, deleted, stream_seq) VALUES
      ('auth.user', 'a', 3, true, true, 150), ('auth.user', 'b', NULL, false, true, 150), ('auth.user', 'c', 3, true, true, 50)`);
    serve([user("a", "a", 2), user("b", "b"), user("c", "c", 4)]);
    await snapshot(100);
    expect(await users()).toEqual({ c: "c" });
  });

  it("leaves an entity that is only referred to alone", async () => {
    await pool.query("INSERT INTO containers (container_id, user_id) VALUES ('c', 'not-heard-of')");
    serve([user("a", "a", 1)]);
    await snapshot(100);
    expect((await pool.query("SELECT FROM containers")).rowCount).toBe(1);
  });

  it("calls hooks for what was lost, and leaves out only the row whose hook throws", async () => {
    await know(
      { id: "gone", name: "gone", version: 1, seq: 1 },
      { id: "same", name: "same", version: 1, seq: 1 },
    );
    const calls: string[] = [];
    const note =
      (what: string) => async (context: { event: { user_id: string; username: string }; origin: string }) => {
        if (context.event.user_id === "bad") throw new Error("no");
        calls.push(`${what} ${context.event.user_id} ${context.event.username} ${context.origin}`);
      };
    const hooks = { created: note("created"), updated: note("updated"), deleted: note("deleted") };
    serve([user("new", "n", 1), user("bad", "b", 1), user("same", "same", 1)]);
    expect(await snapshot(100, { hooks })).toMatchObject({ removed: 1, failed: 1 });
    expect(calls).toContain("created new n snapshot");
    expect(calls.at(-1)).toBe("deleted gone gone snapshot");
    expect(await users()).toEqual({ new: "n", same: "same" });
    await know({ id: "bad", name: "worse", version: 0, seq: 1 });
    await expect(snapshot(100, { hooks })).resolves.toMatchObject({ removed: 0, failed: 1 });
    expect(await users()).toHaveProperty("bad", "worse");
    const { rows } = await pool.query("SELECT snapshot_error FROM mesh.subscription");
    expect(rows[0].snapshot_error).toBe("hooks failed on 1 row");
  });

  it("leaves the hook to the event that another replica is just applying", async () => {
    const calls: string[] = [];
    const created = async ({ event }: { event: { user_id: string } }) => {
      calls.push(event.user_id);
    };
    serve([user("a", "ada", 1), user("b", "bob", 1)]);
    const replica = await pool.connect();
    try {
      await replica.query("BEGIN");
      await replica.query(
        "INSERT INTO mesh.applied (entity, entity_id, version, versioned, stream_seq) VALUES ('auth.user', 'a', 1, true, 1)",
      );
      await replica.query("INSERT INTO user_cache (user_id, username) VALUES ('a', 'ada')");
      const taken = snapshot(100, { hooks: { created } });
      await waitFor(async () => {
        const { rows } = await pool.query(
          "SELECT FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()",
        );
        return rows.length > 0;
      });
      await replica.query("COMMIT");
      await taken;
    } finally {
      replica.release();
    }
    expect(calls).toEqual(["b"]);
    expect(await users()).toEqual({ a: "ada", b: "bob" });
  });

  it("keeps what its hooks were decided by locked while names make way", async () => {
    await know({ id: "a", name: "ada", version: 1, seq: 1 }, { id: "b", name: "bob", version: 1, seq: 2 });
    serve([user("a", "bob", 2), user("b", "ada", 2)]);
    await pool.query(`CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.username LIKE 'superseded:%' THEN PERFORM pg_sleep(0.7); END IF; RETURN NEW; END $$;
      CREATE TRIGGER dawdle BEFORE UPDATE ON user_cache FOR EACH ROW EXECUTE FUNCTION dawdle()`);
    const taken = snapshot(100, { hooks: { updated: async () => undefined } });
    await waitFor(async () => {
      const { rowCount } = await pool.query("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
      return (rowCount ?? 0) > 0;
    });
    const taking = pool.query("SELECT FROM mesh.applied WHERE entity_id = 'a' FOR UPDATE NOWAIT");
    await expect(taking).rejects.toThrow("could not obtain lock");
    await taken;
    expect(await users()).toEqual({ a: "bob", b: "ada" });
  });

  it("writes a cascade task for each row pending deletion whose hook comes first", async () => {
    await know({ id: "gone", name: "gone", version: 1, seq: 1 });
    await pool.query("INSERT INTO containers (container_id, user_id) VALUES ('c', 'gone')");
    serve([]);
    let woken = 0;
    await snapshot(100, { hooks: { before: async () => undefined } }, { onTasks: () => (woken += 1) });
    expect((await pool.query("SELECT row_key FROM mesh.cascade_task")).rows).toEqual([{ row_key: "c" }]);
    expect(woken).toBe(1);
  });

  it("takes many chunks", async () => {
    serve(Array.from({ length: 25_000 }, (_, at) => user(`u${at}`, `name ${at}`, 1)));
    expect(await snapshot(10)).toMatchObject({ rows: 25_000, written: 25_000 });
    serve(Array.from({ length: 24_000 }, (_, at) => user(`u${at}`, `name ${at}`, 1)));
    expect(await snapshot(20)).toMatchObject({ written: 0, removed: 1_000 });
  });

  it("fills a cache of which a little is there already", async () => {
    const known = (at: number): Known => ({
      id: `u${at}`,
      name: `old ${at}`,
      version: at === 77 ? 3 : 1,
      seq: 1,
    });
    await know(known(1), known(77), known(4_001));
    await pool.query(
      "INSERT INTO mesh.applied (entity, entity_id, deleted, stream_seq) VALUES ('auth.user', 'u9001', true, 500)",
    );
    serve(Array.from({ length: 14_000 }, (_, at) => user(`u${at}`, `name ${at}`, 2)));
    expect(await snapshot(10)).toMatchObject({ rows: 14_000, written: 13_998, removed: 0 });
    const all = await users();
    expect([all.u0, all.u1, all.u77, all.u4001]).toEqual(["name 0", "name 1", "old 77", "name 4001"]);
    expect(all).not.toHaveProperty("u9001");
  });

  it("is taken by one replica at a time", async () => {
    serve([user("a", "a", 1)]);
    const atOnce = answer;
    let refuse: () => void = () => undefined;
    const refused = new Promise<void>((resolve) => {
      refuse = resolve;
    });
    answer = (request, response) => void refused.then(() => atOnce(request, response));
    const take = async () => {
      const report = await snapshot(10);
      if (report === undefined) refuse();
      return report;
    };
    const both = await Promise.all([take(), take()]);
    expect(both.filter((report) => report === undefined)).toHaveLength(1);
  });
});

describe("a broken snapshot deletes nothing", () => {
  const whole = JSON.stringify([user("a", "a", 1), user("b", "b", 1)]);
  const cases: readonly (readonly [string, RequestListener, RegExp])[] = [
    ["an error", (_, response) => response.writeHead(500).end("boom"), /answered 500: boom/],
    ["a web page", (_, response) => response.end("<html>"), /not a JSON array/],
    ["half of it", (_, response) => response.end(whole.slice(0, 50)), /ends after 1 element/],
    [
      "a cut connection",
      (_, response) => {
        response.write(whole.slice(0, 50));
        setTimeout(() => response.destroy(), 20);
      },
      /failed/,
    ],
    [
      "a row without its name",
      (_, response) => response.end('[{"user_id":"a"}]'),
      /nothing is taken for deleted, for not one of its rows can be taken: a: it has no username/,
    ],
    [
      "a row of the wrong type",
      (_, response) => response.end('[{"user_id":"a","username":5}]'),
      /username is 5, not of type text/,
    ],
    ["no rows at all", (_, response) => response.end("[null]"), /element 1: not an object/],
  ];

  it.each(cases)("%s", async (_, listener, message) => {
    await know({ id: "kept", name: "kept", version: 1, seq: 1 });
    answer = listener;
    await expect(snapshot(100)).rejects.toThrow(message);
    expect(await users()).toHaveProperty("kept");
    const { rows } = await pool.query("SELECT snapshot_error FROM mesh.subscription");
    expect(rows[0].snapshot_error).toMatch(message);
    serve([user("a", "a", 1)]);
    expect(await snapshot(100)).toMatchObject({ removed: 1 });
  });

  it("waits for a slow source", async () => {
    answer = (_, response) => {
      let at = 0;
      const timer = setInterval(() => {
        response.write(whole.slice(at, at + 10));
        at += 10;
        if (at >= whole.length) {
          clearInterval(timer);
          response.end();
        }
      }, 10);
    };
    expect(await snapshot(100)).toMatchObject({ rows: 2 });
  });
});
