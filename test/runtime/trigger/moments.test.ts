import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { type MomentWorker, startMomentWorker } from "../../../runtime/outbox/moment-worker.js";
import { compile, readMesh } from "../../support/compile.js";
import { silent } from "../../support/loggers.js";
import { applyFiles, openDatabase, plan, type TestDatabase } from "../../support/migrations.js";
import { waitFor } from "../../support/servers.js";
import { brief, takeEvents } from "../../support/trigger-events.js";

/* Events at a time, of the scenario `moments`: by a clock that the tests set. */

let database: TestDatabase;
let pool: pg.Pool;
const workers: MomentWorker[] = [];
const sql = (text: string, values: readonly unknown[] = []) => database.client.query(text, [...values]);

beforeAll(async () => {
  database = await openDatabase(inject("postgres"));
  await sql(`CREATE TABLE copies (copy_id bigserial PRIMARY KEY, title_id text, check_at timestamp);
    INSERT INTO copies VALUES (900, 'before', '2999-01-01'), (901, 'before', '2001-01-01'), (902, NULL, NULL), (903, 'before', 'infinity')`);
  const mesh = compile(readMesh("test/scenarios/emit/moments/mesh.yaml"));
  await applyFiles(database.client, plan(mesh).files.library ?? []);
  await sql(`CREATE TABLE clock (at timestamptz NOT NULL);
    CREATE OR REPLACE FUNCTION mesh.clock() RETURNS TIMESTAMPTZ LANGUAGE sql STABLE AS 'SELECT at FROM public.clock'`);
  pool = new pg.Pool({ connectionString: database.url, max: 6 });
});
afterAll(async () => {
  await pool?.end();
  await database?.close();
});
beforeEach(() =>
  sql(`DELETE FROM reservations; DELETE FROM loans; DELETE FROM mesh.outbox; DELETE FROM mesh.entity_version;
    DELETE FROM clock; INSERT INTO clock VALUES ('2026-01-01T00:00:00Z')`),
);
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.stop();
});

const NOON = "2026-01-01T12:00:00Z";
const setClock = (at: string) => sql("UPDATE clock SET at = $1", [at]);
const work = () => workers.push(startMomentWorker({ pool, logger: silent, pollMs: 10, batch: 50 }));
const reserve = (id: string, at: string | null, more: Record<string, unknown> = {}) => {
  const row = { reservation_id: id, reader: "ann", expires_at: at, ...more };
  const names = Object.keys(row);
  return sql(
    `INSERT INTO reservations (${names.join(", ")}) VALUES (${names.map((_, index) => `$${index + 1}`).join(", ")})`,
    Object.values(row),
  );
};
const waiting = async () =>
  (await sql("SELECT row_key[1] AS key FROM mesh.moment WHERE event LIKE '%expired' ORDER BY 1")).rows.map(
    ({ key }) => key,
  );
/** Until no moment is due, and a worker has looked again. */
const settled = () =>
  waitFor(async () => (await sql("SELECT FROM mesh.moment WHERE next_at <= mesh.clock()")).rowCount === 0, {
    what: "the moments that are due",
  });
const expired = async () => {
  await settled();
  return brief((await takeEvents(database.client)).filter(({ subject }) => subject.endsWith(".expired")));
};

describe("an event at a time", () => {
  test("is told when the moment comes, once, with the row as it is then", async () => {
    await reserve("a", NOON);
    work();
    expect(await expired()).toEqual([]);
    await sql("UPDATE reservations SET reader = 'ben'");
    await setClock(NOON);
    await settled();
    const told = (await takeEvents(database.client)).filter(({ subject }) => subject.endsWith(".expired"));
    expect(told.map(({ body }) => JSON.parse(body))).toMatchObject([
      { reader: "ben", state: "held", fee: 0 },
    ]);
    expect(told[0]?.version).toBe(2);
    expect(await waiting()).toEqual([]);
  });

  test("is not told again where the clock goes back, and the moment comes a second time", async () => {
    await reserve("a", NOON);
    work();
    await setClock(NOON);
    expect(await expired()).toEqual(["expired a v2"]);
    await setClock("2026-01-01T11:00:00Z");
    await sql("UPDATE reservations SET reader = 'ben', expires_at = expires_at");
    await setClock("2026-01-01T13:00:00Z");
    expect(await expired()).toEqual([]);
  });

  test("is told anew at a new moment, which takes the place of the one before", async () => {
    await reserve("a", NOON);
    await reserve("b", NOON);
    await sql("UPDATE reservations SET expires_at = '2026-01-02Z' WHERE reservation_id = 'b'");
    work();
    await setClock(NOON);
    expect(await expired()).toEqual(["expired a v2"]);
    await sql("UPDATE reservations SET expires_at = '2026-01-02Z' WHERE reservation_id = 'a'");
    expect(await expired()).toEqual([]);
    await setClock("2026-01-02T00:00:00Z");
    expect((await expired()).toSorted()).toEqual(["expired a v3", "expired b v2"]);
  });

  test("is told at once of a moment that is past when it is written, and never of none", async () => {
    work();
    await reserve("a", "2020-01-01Z");
    await reserve("b", null);
    await reserve("c", NOON);
    await sql("UPDATE reservations SET expires_at = NULL WHERE reservation_id = 'c'");
    await setClock("2027-01-01Z");
    expect(await expired()).toEqual(["expired a v2"]);
  });

  test("is never told at infinity, which keeps no other waiting", async () => {
    const waits = async () =>
      (await sql("SELECT row_key FROM mesh.moment WHERE event LIKE '%overdue' ORDER BY 1")).rows.map(
        ({ row_key: key }) => key.join(":"),
      );
    await sql("INSERT INTO loans VALUES (7, 1, 'infinity', 'a'), (7, 2, '-infinity', 'b')");
    await sql("INSERT INTO loans VALUES (7, 3, '2026-01-01', 'c'), (7, 4, '2026-01-01', 'd')");
    await sql("UPDATE loans SET due_on = 'infinity' WHERE loan_no = 3");
    expect(await waits()).toEqual(["7:4"]);
    work();
    await settled();
    expect(brief(await takeEvents(database.client))).toEqual(["overdue 7:4 v1"]);
  });

  test("is not told of a row that holds another moment by then, though no trigger has seen it", async () => {
    await reserve("a", NOON);
    await sql(`SET session_replication_role = replica; UPDATE reservations SET expires_at = '2026-01-02Z';
      RESET session_replication_role`);
    work();
    await setClock(NOON);
    expect(await expired()).toEqual([]);
  });

  test("is not told of a row that holds by then what unless says, or is gone, softly or not", async () => {
    for (const id of ["a", "b", "c", "d"]) await reserve(id, NOON);
    await sql("UPDATE reservations SET state = 'collected' WHERE reservation_id = 'a'");
    await sql("DELETE FROM reservations WHERE reservation_id = 'b'");
    await sql("UPDATE reservations SET withdrawn_at = now() WHERE reservation_id IN ('c', 'd')");
    expect(await waiting()).toEqual(["a"]);
    await sql("UPDATE reservations SET withdrawn_at = NULL WHERE reservation_id = 'd'");
    work();
    await setClock(NOON);
    expect(await expired()).toEqual(["expired d v3"]);
  });

  test("is told by midnight of its day, of a row with a key of two columns, where `when` holds", async () => {
    await sql("INSERT INTO loans VALUES (7, 1, '2026-02-01', 'Emma'), (7, 2, '2026-02-01', NULL)");
    work();
    await setClock("2026-01-31T23:59:59.999Z");
    await settled();
    expect(await takeEvents(database.client)).toEqual([]);
    await setClock("2026-02-01T00:00:00Z");
    await settled();
    expect(brief(await takeEvents(database.client))).toEqual(["overdue 7:1 v1"]);
  });

  test("is told of rows that existed when it was added, of moments to come alone, about the entity that they name", async () => {
    expect((await sql("SELECT row_key FROM mesh.moment WHERE event = 'library.title.checked'")).rows).toEqual(
      [{ row_key: ["900"] }],
    );
    work();
    await setClock("2999-01-01T00:00:00Z");
    await settled();
    const told = await takeEvents(database.client);
    expect(brief(told)).toEqual(["checked before v1"]);
    expect(JSON.parse(told[0]?.body ?? "")).toMatchObject({ copy_id: "900" });
  });
});

describe("moments under faults", () => {
  test("are told of once by four workers at once", async () => {
    await sql(
      "INSERT INTO reservations (reservation_id, reader, expires_at) SELECT 'n' || n, 'ann', $1 FROM generate_series(1, 2000) AS n",
      [NOON],
    );
    for (let count = 0; count < 4; count += 1) work();
    await setClock(NOON);
    const told = await expired();
    expect(told).toHaveLength(2000);
    expect(new Set(told).size).toBe(2000);
  });

  test("are told of once where the process dies between the event and its commit", async () => {
    await reserve("a", NOON);
    await setClock(NOON);
    const dying = await database.connect();
    dying.on("error", () => undefined);
    await dying.query("BEGIN");
    const { rows } = await dying.query(
      "SELECT mesh.tell_moments('due_reservations', 'library.reservation.expired', NULL, 10) AS told, pg_backend_pid() AS pid",
    );
    expect(rows[0].told).toBe(1);
    await sql("SELECT pg_terminate_backend($1)", [rows[0].pid]);
    work();
    expect(await expired()).toEqual(["expired a v2"]);
  });

  test("leave a row to who is writing it, and then go by what was written", async () => {
    for (const id of ["a", "b", "c"]) await reserve(id, NOON);
    await setClock(NOON);
    const writer = await database.connect();
    await writer.query("BEGIN");
    await writer.query("UPDATE reservations SET state = 'collected' WHERE reservation_id = 'a'");
    await writer.query("UPDATE reservations SET reader = 'ben' WHERE reservation_id = 'b'");
    work();
    await waitFor(async () => (await waiting()).join() === "a,b", { what: "the row that nobody writes" });
    // The writer, which holds the row, waits for no worker.
    await writer.query("UPDATE reservations SET expires_at = '2026-01-03Z' WHERE reservation_id = 'b'");
    await writer.query("COMMIT");
    await setClock("2026-01-01T13:00:00Z");
    expect(await expired()).toEqual(["expired c v2"]);
    expect(await waiting()).toEqual(["b"]);
  });

  test("that cannot be told keep no other waiting, say why, and are told once they can be", async () => {
    await sql("ALTER TABLE reservations DROP CONSTRAINT reservations_state_check");
    await reserve("a", NOON, { state: "a state that is longer than it may be" });
    await reserve("b", NOON);
    work();
    await setClock(NOON);
    expect(await expired()).toEqual(["expired b v2"]);
    const failing = async () =>
      (await sql("SELECT row_key, attempts, last_error FROM mesh.moment WHERE attempts > 0")).rows;
    expect(await failing()).toMatchObject([
      { row_key: ["a"], attempts: 1, last_error: expect.stringContaining("ReservationExpired") },
    ]);
    await sql("UPDATE reservations SET state = 'held'");
    await setClock("2026-01-01T12:02:00Z");
    expect(await expired()).toEqual(["expired a v2"]);
  });

  test("are found among many that are to come, and beside one that cannot be told", async () => {
    await sql("ALTER TABLE reservations DROP CONSTRAINT IF EXISTS reservations_state_check");
    await sql(
      `INSERT INTO reservations (reservation_id, reader, expires_at)
      SELECT 'n' || n, 'ann', '2900-01-01Z' FROM generate_series(1, 50000) AS n`,
    );
    await reserve("bad", "2001-01-01Z", { state: "a state that is longer than it may be" });
    for (let n = 0; n < 40; n += 1) await reserve(`d${n}`, "2002-01-01Z");
    const started = Date.now();
    work();
    expect(await expired()).toHaveLength(40);
    expect(Date.now() - started).toBeLessThan(15_000);
    const call =
      "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT mesh.take_moments('library.reservation.expired', NULL, 5)";
    const { rows } = await sql(call);
    expect(rows[0]["QUERY PLAN"][0].Plan["Shared Hit Blocks"]).toBeLessThan(500);
  });

  test("about an entity that somebody is writing have not failed, and keep no other waiting", async () => {
    await sql("UPDATE copies SET title_id = NULL, check_at = NULL");
    await sql(`INSERT INTO copies (title_id, check_at) VALUES ('busy', '2001-01-01')`);
    await setClock("2026-01-01T00:00:01Z");
    work();
    await settled();
    expect(brief(await takeEvents(database.client))).toEqual(["checked busy v1"]);
    const writer = await database.connect();
    await writer.query("BEGIN; UPDATE mesh.entity_version SET version = version WHERE entity_id = 'busy'");
    await sql(`INSERT INTO copies (title_id, check_at)
      SELECT CASE WHEN n % 50 = 0 THEN 'free' || n ELSE 'busy' END, '2001-01-01' FROM generate_series(1, 500) AS n`);
    const started = Date.now();
    expect(
      await waitFor(
        async () => {
          const { rowCount } = await sql("SELECT FROM mesh.outbox");
          return rowCount === 10 && rowCount;
        },
        { what: "those about entities that nobody writes" },
      ),
    ).toBe(10);
    expect(Date.now() - started).toBeLessThan(2_000);
    await settled();
    expect((await sql("SELECT FROM mesh.moment WHERE attempts > 0 OR last_error IS NOT NULL")).rows).toEqual(
      [],
    );
    await writer.query("COMMIT");
    await setClock("2026-01-01T00:00:03Z");
    await settled();
    expect(await takeEvents(database.client)).toHaveLength(500);
  });
});
