import pg from "pg";
import Cursor from "pg-cursor";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { openList } from "../../runtime/http/list.js";
import { type Backends, openBackends } from "../../simulator/postgres/backends.js";
import { type DatabaseNetwork, type RequestFault, SimulatedSocket } from "../../simulator/postgres/socket.js";
import { createRandom } from "../../simulator/random.js";
import { type Actor, createSchedule, type Schedule } from "../../simulator/schedule.js";
import { createDatabase } from "../support/servers.js";

/*
 * The driver on a simulated network, before a real server: nothing reaches the database unless the schedule says so.
 */

let backends: Backends;
let url: string;
beforeAll(async () => {
  url = await createDatabase(inject("postgres"), "simulated");
  backends = await openBackends(() => url);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("CREATE TABLE t (id int PRIMARY KEY, n int)");
  await client.end();
});
afterAll(() => backends.close());

const still = { elapsed: () => 0, next: () => false, end: () => undefined };

describe("a simulated connection", () => {
  let schedule: Schedule;
  let steps: string[];
  let faults: RequestFault[];
  let network: DatabaseNetwork;
  const actorOf = (name: string): Actor => ({ name, alive: true, frozen: false, weight: 1 });
  const clientOf = (actor: Actor) => {
    const stream = () => new SimulatedSocket(actor, "db", network);
    const client = new pg.Client({ connectionString: "postgres://u@127.0.0.1/x", stream });
    client.on("error", () => undefined);
    return client;
  };
  /** Performs steps until the work is done. */
  const during = async <T>(work: Promise<T>): Promise<T> => {
    let done = false;
    const settled = work.finally(() => {
      done = true;
    });
    settled.catch(() => undefined);
    for (let turn = 0; !done && turn < 1_000; turn += 1) await schedule.turn();
    return await settled;
  };

  beforeEach(async () => {
    steps = [];
    faults = [];
    schedule = createSchedule({
      random: createRandom(1),
      time: still,
      onStep: ({ actor, what }) => steps.push(`${actor} ${what}`),
    });
    network = {
      schedule,
      backends,
      sockets: new Set(),
      down: () => false,
      nextFault: () => faults.shift() ?? "none",
      syncClock: async () => undefined,
      onCommit: () => undefined,
    };
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query("TRUNCATE t");
    await client.end();
  });

  it("carries statements, parameters, errors and cursors", async () => {
    const client = clientOf(actorOf("a"));
    await during(client.connect());
    await during(client.query("INSERT INTO t SELECT n, n FROM generate_series(1, 10) n"));
    expect((await during(client.query("SELECT n FROM t WHERE id = $1", [3]))).rows).toEqual([{ n: 3 }]);
    await expect(during(client.query("INSERT INTO t VALUES (1, 1)"))).rejects.toMatchObject({
      code: "23505",
    });
    const cursor = client.query(new Cursor<{ id: number }>("SELECT id FROM t ORDER BY id"));
    expect((await during(cursor.read(4))).map(({ id }) => id)).toEqual([1, 2, 3, 4]);
    expect(await during(cursor.read(10))).toHaveLength(6);
    expect(await during(cursor.read(10))).toHaveLength(0);
    await during(cursor.close());
    expect((await during(client.query({ name: "named", text: "SELECT 1 AS one" }))).rows).toEqual([
      { one: 1 },
    ]);
    expect((await during(client.query({ name: "named", text: "SELECT 1 AS one" }))).rows).toEqual([
      { one: 1 },
    ]);
    await during(client.end());
    expect(steps[0]).toBe("a connect to db");
    expect(steps).toContain("a db: SELECT n FROM t WHERE id = $1");
  });

  it("performs no statement before its step is chosen, and none after its process was killed", async () => {
    const actor = actorOf("a");
    const client = clientOf(actor);
    await during(client.connect());
    await during(client.query("BEGIN"));
    await during(client.query("INSERT INTO t VALUES (1, 1)"));
    const commit = client.query("COMMIT");
    commit.catch(() => undefined);
    actor.alive = false;
    for (const socket of network.sockets) void socket.hangUp();
    while (await schedule.turn());
    const other = clientOf(actorOf("b"));
    await during(other.connect());
    expect((await during(other.query("SELECT * FROM t"))).rows).toEqual([]);
    await during(other.end());
  });

  it("breaks before a statement runs, or after it ran and before its answer arrives", async () => {
    for (const [fault, rows] of [
      ["before", 0],
      ["after", 1],
    ] as const) {
      const client = clientOf(actorOf("a"));
      await during(client.connect());
      faults = [fault];
      await expect(during(client.query("INSERT INTO t VALUES (9, 9)"))).rejects.toThrow(
        /ECONNRESET|terminated/,
      );
      const other = clientOf(actorOf("b"));
      await during(other.connect());
      expect((await during(other.query("SELECT * FROM t WHERE id = 9"))).rows).toHaveLength(rows);
      await during(other.end());
    }
  });

  it("releases the connection of a list that breaks after its last row, before the server is ready again", async () => {
    const pool = new pg.Pool({
      connectionString: "postgres://u@127.0.0.1/x",
      stream: () => new SimulatedSocket(actorOf("a"), "db", network),
    });
    pool.on("error", () => undefined);
    await during(pool.query("INSERT INTO t VALUES (1, 1)"));
    // The statement, its rows, and the sync.
    faults = ["none", "none", "before"];
    const table = { name: "t", key: "id", columns: [{ name: "id", type: "integer" }] } as const;
    await expect(during(openList(pool, table, { filter: {} }))).rejects.toThrow(/ECONNRESET|terminated/);
    expect(pool.totalCount).toBe(0);
    await pool.end();
  });

  it("lets other actors act while a statement waits for a lock", async () => {
    const [one, other] = [clientOf(actorOf("one")), clientOf(actorOf("other"))];
    await during(one.connect());
    await during(other.connect());
    await during(one.query("INSERT INTO t VALUES (1, 1)"));
    await during(one.query("BEGIN"));
    await during(one.query("UPDATE t SET n = 2 WHERE id = 1"));
    const waiting = other.query("UPDATE t SET n = n + 1 WHERE id = 1 RETURNING n");
    await during(one.query("SELECT 1"));
    while (!steps.some((step) => step.includes("waits for a lock"))) await schedule.turn();
    await during(one.query("COMMIT"));
    expect((await during(waiting)).rows).toEqual([{ n: 3 }]);
    expect(steps.some((step) => step.includes("has the lock"))).toBe(true);
    await Promise.all([during(one.end()), other.end()]);
  });

  it("lets other actors act while a statement waits for one lock after another", async () => {
    const [one, two, both] = ["one", "two", "both"].map((name) => clientOf(actorOf(name)));
    if (one === undefined || two === undefined || both === undefined) throw new Error("three clients");
    for (const client of [one, two, both]) await during(client.connect());
    await during(one.query("INSERT INTO t VALUES (1, 1), (2, 2)"));
    for (const [id, client] of [one, two].entries()) {
      await during(client.query("BEGIN"));
      await during(client.query(`UPDATE t SET n = 0 WHERE id = ${id + 1}`));
    }
    const waiting = both.query("SELECT sum(n) FROM (SELECT n FROM t ORDER BY id FOR UPDATE) AS locked");
    while (!steps.some((step) => step.includes("waits for a lock"))) await schedule.turn();
    await during(one.query("COMMIT"));
    await during(two.query("COMMIT"));
    expect((await during(waiting)).rows).toEqual([{ sum: "0" }]);
    for (const client of [one, two, both]) await during(client.end());
  });

  it("fails the statement that closes a deadlock, at the same step each time", async () => {
    const [one, other] = [clientOf(actorOf("one")), clientOf(actorOf("other"))];
    await during(one.connect());
    await during(other.connect());
    await during(one.query("INSERT INTO t VALUES (1, 1), (2, 2)"));
    for (const [id, client] of [one, other].entries()) {
      await during(client.query("BEGIN"));
      await during(client.query(`UPDATE t SET n = 0 WHERE id = ${id + 1}`));
    }
    const waiting = one.query("UPDATE t SET n = 0 WHERE id = 2");
    while (!steps.some((step) => step.includes("waits for a lock"))) await schedule.turn();
    await expect(during(other.query("UPDATE t SET n = 0 WHERE id = 1"))).rejects.toMatchObject({
      code: "40P01",
      message: "deadlock detected",
    });
    expect(steps.at(-1)).toBe("other db: UPDATE t SET n = 0 WHERE id = 1");
    await during(other.query("ROLLBACK"));
    await during(waiting);
    await during(one.query("COMMIT"));
    expect((await during(other.query("SELECT n FROM t"))).rows).toEqual([{ n: 0 }, { n: 0 }]);
    for (const client of [one, other]) await during(client.end());
  });

  it("cancels the lock wait of a process that was killed", async () => {
    const [one, other] = [clientOf(actorOf("one")), actorOf("other")];
    const dying = clientOf(other);
    await during(one.connect());
    await during(dying.connect());
    await during(one.query("INSERT INTO t VALUES (1, 1)"));
    await during(one.query("BEGIN"));
    await during(one.query("UPDATE t SET n = 2 WHERE id = 1"));
    dying.query("UPDATE t SET n = 99 WHERE id = 1").catch(() => undefined);
    while (!steps.some((step) => step.includes("waits for a lock"))) await schedule.turn();
    other.alive = false;
    for (const socket of [...network.sockets].slice(1)) void socket.hangUp();
    await during(one.query("COMMIT"));
    expect((await during(one.query("SELECT n FROM t"))).rows).toEqual([{ n: 2 }]);
    await during(one.end());
  });
});
