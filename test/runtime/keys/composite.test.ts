import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startCascadeWorker } from "../../../runtime/cascade/cascade-worker.js";
import { withClient } from "../../../runtime/database/transaction.js";
import { buildModel } from "../../../runtime/inbox/consumer-model.js";
import { toRows } from "../../../runtime/resync/snapshot-rows.js";
import { expireCounters } from "../../../runtime/service/tombstone-statements.js";
import { encodeToken } from "../../../runtime/subject.js";
import { dispatchLineConsumer } from "../../scenarios/emit/composite-keys/expected/dispatch/consumers/shop-line.js";
import { dispatchOrderConsumer } from "../../scenarios/emit/composite-keys/expected/dispatch/consumers/shop-order.js";
import { dispatchTitleConsumer } from "../../scenarios/emit/composite-keys/expected/dispatch/consumers/shop-title.js";
import { lineCacheRepository, picks } from "../../scenarios/emit/composite-keys/expected/dispatch/tables.js";
import {
  orderLines,
  orderLinesRepository,
  titles,
} from "../../scenarios/emit/composite-keys/expected/shop/tables.js";
import { type Owner, openOwner, type Subscriber, subscribe } from "../../support/composite-keys.js";
import { silent } from "../../support/loggers.js";
import { waitFor } from "../../support/servers.js";

/*
 * Tables with a key of several columns, `key: [order_id, line_no]`: rows by plain SQL, REST and repository, their events, copies,
 * snapshots and cascades.
 */

let shop: Owner;
let dispatch: Owner;
let lines: Subscriber;
let orders: Subscriber;
let titled: Subscriber;
const freed: unknown[] = [];
const hooks = {
  freeShelf: async ({ row }: { readonly row: unknown }) => {
    freed.push(row);
  },
};

beforeAll(async () => {
  shop = await openOwner("shop", { "/order-lines": orderLines, "/titles": titles });
  dispatch = await openOwner("dispatch", { "/picks": picks });
  const source = { url: shop.url, variable: "SHOP_SERVICE_URL", keyVariable: "DISPATCH_TO_SHOP_KEY" };
  lines = subscribe(dispatch.pool, dispatchLineConsumer(), source);
  orders = subscribe(dispatch.pool, dispatchOrderConsumer(hooks), source);
  titled = subscribe(dispatch.pool, dispatchTitleConsumer(), source);
});
afterAll(async () => {
  await Promise.all([shop?.close(), dispatch?.close()]);
});
beforeEach(async () => {
  await sql(
    "DELETE FROM orders; DELETE FROM titles; DELETE FROM mesh.outbox; DELETE FROM mesh.entity_version",
  );
  await dispatch.pool.query(
    "DELETE FROM line_cache; DELETE FROM parcels; DELETE FROM picks; DELETE FROM mesh.applied; DELETE FROM mesh.cascade_task",
  );
  freed.length = 0;
});

const sql = async (text: string, ...values: readonly unknown[]) =>
  (await shop.database.client.query(text, values.length === 0 ? undefined : [...values])).rows;

const insertLines = (...rows: readonly (readonly [string, number, string])[]) =>
  sql(
    `WITH made AS (INSERT INTO orders SELECT DISTINCT order_id FROM unnest($1::text[]) AS order_id ON CONFLICT DO NOTHING)
INSERT INTO order_lines SELECT order_id, line_no, sku, 1 FROM unnest($1::text[], $2::int[], $3::text[]) AS line (order_id, line_no, sku)`,
    rows.map(([order]) => order),
    rows.map(([, number]) => number),
    rows.map(([, , sku]) => sku),
  );

const linesOf = (messages: readonly { subject: string; body: string }[]) =>
  messages.filter(({ subject }) => subject.startsWith("shop.line."));

const cached = async () =>
  (await dispatch.pool.query("SELECT order_id, line_no, sku, quantity FROM line_cache ORDER BY 1, 2")).rows;

describe("rows with a key of several columns", () => {
  test("have the id of their entity from them, in subject and body, however they are written", async () => {
    await insertLines(["42", 7, "pen"], ["a:b", 1, "ink"], ["100% é.", 2, "pad"]);
    await sql("UPDATE order_lines SET quantity = quantity + 1");
    await sql(
      "INSERT INTO order_lines VALUES ('42', 7, 'pen', 9) ON CONFLICT (order_id, line_no) DO UPDATE SET quantity = excluded.quantity",
    );
    await sql("DELETE FROM order_lines WHERE order_id = '42'");
    const events = linesOf(await shop.take()).map(({ subject, body }) => {
      const { metadata, ...payload } = JSON.parse(body);
      return [subject, metadata.entity_id, metadata.version, payload.line_no];
    });
    const of = (id: string, ...each: readonly (readonly [string, number, number | undefined])[]) =>
      each.map(([action, version, line]) => [`shop.line.${encodeToken(id)}.${action}`, id, version, line]);
    expect(events.toSorted()).toEqual(
      [
        ...of("42:7", ["created", 1, 7], ["updated", 2, 7], ["updated", 3, 7], ["deleted", 4, undefined]),
        ...of("a%3Ab:1", ["created", 1, 1], ["updated", 2, 1]),
        ...of("100%25 é.:2", ["created", 1, 2], ["updated", 2, 2]),
      ].toSorted(),
    );
  });

  test("keep each column of the key", async () => {
    await insertLines(["42", 7, "pen"]);
    for (const change of ["order_id = '43'", "line_no = 8", "line_no = 8, order_id = '43'"])
      await expect(sql(`UPDATE order_lines SET ${change}`)).rejects.toMatchObject({ code: "0A000" });
    await sql("UPDATE order_lines SET order_id = order_id, quantity = 5");
    expect(linesOf(await shop.take())).toHaveLength(2);
  });

  test("go with the row that a part of the key refers to, each with its event", async () => {
    await insertLines(["42", 7, "pen"], ["42", 8, "ink"], ["43", 7, "pen"]);
    await sql("DELETE FROM orders WHERE order_id = '42'");
    const deleted = (await shop.take()).filter(({ subject }) => subject.endsWith(".deleted"));
    expect(deleted.map(({ subject }) => subject).toSorted()).toEqual([
      "shop.line.42:7.deleted",
      "shop.line.42:8.deleted",
      "shop.order.42.deleted",
    ]);
  });

  test("tell of an entity that one part names, in the order of the whole key", async () => {
    await sql("INSERT INTO orders VALUES ('42')");
    await sql("INSERT INTO order_labels VALUES ('urgent', '42'), ('gift', '42')");
    const labelled = (await shop.take()).filter(({ subject }) => subject === "shop.order.42.labelled");
    expect(labelled.map(({ body }) => JSON.parse(body).label)).toEqual(["gift", "urgent"]);
  });

  test("that a trigger changes again are refused, and others pass", async () => {
    await sql(`CREATE FUNCTION bump() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
      UPDATE order_lines SET quantity = quantity + 1 WHERE (order_id, line_no) = (new.order_id, new.line_no) AND quantity = 1;
      RETURN NULL; END $$;
      CREATE TRIGGER bump AFTER INSERT ON order_lines FOR EACH ROW EXECUTE FUNCTION bump()`);
    await expect(insertLines(["42", 7, "pen"])).rejects.toMatchObject({ code: "0A000" });
    await sql("DROP TRIGGER bump ON order_lines; DROP FUNCTION bump");
  });
});

describe("a copy with the key of its owner", () => {
  test("follows events, also a deletion that tells nothing but the id", async () => {
    await insertLines(["42", 7, "pen"], ["42", 8, "ink"], ["a:b", 7, "pad"]);
    await lines.apply(linesOf(await shop.take()));
    expect(await cached()).toEqual([
      { order_id: "42", line_no: 7, sku: "pen", quantity: 1 },
      { order_id: "42", line_no: 8, sku: "ink", quantity: 1 },
      { order_id: "a:b", line_no: 7, sku: "pad", quantity: 1 },
    ]);
    await sql("UPDATE order_lines SET quantity = 3 WHERE line_no = 7");
    await sql("DELETE FROM order_lines WHERE order_id = 'a:b' OR line_no = 8");
    const messages = linesOf(await shop.take());
    await lines.apply(messages);
    await lines.apply(messages);
    expect(await cached()).toEqual([{ order_id: "42", line_no: 7, sku: "pen", quantity: 3 }]);
    expect(await lines.verify()).toMatchObject({ missing: 0, extra: 0, differing: 0, rows: 1 });
  });

  test("refuses an id that is none of its key, with the reason", () => {
    const message = (entity_id: string) => ({
      subject: `shop.line.${encodeToken(entity_id)}.deleted`,
      body: JSON.stringify({ metadata: { event_id: "e", entity_id, timestamp: 1, source: "s" } }),
    });
    expect(lines.parse(message("42:7")).ok).toBe(true);
    for (const id of ["42", "42:7:1", "a%b:7"])
      expect(lines.parse(message(id))).toMatchObject({
        rejected: { reason: expect.stringContaining('not the values of order_id, line_no joined by ":"') },
      });
  });

  test("is filled and healed by a snapshot, which removes what the source lacks", async () => {
    // Several rows share each part of the key.
    await insertLines(["42", 7, "pen"], ["42", 8, "cap"], ["a:b", 8, "ink"], ["a", 1, "pad"]);
    await lines.snapshot();
    expect(await cached()).toHaveLength(4);
    await dispatch.pool.query("UPDATE line_cache SET sku = 'wrong' WHERE line_no = 7");
    await dispatch.pool.query("DELETE FROM line_cache WHERE order_id = 'a:b'");
    await dispatch.pool.query("INSERT INTO parcels (parcel_id, line_id) VALUES ('p', 'a:1')");
    await sql("DELETE FROM order_lines WHERE order_id = 'a'");
    const found = await lines.verify();
    expect([found.missing, found.extra, found.differing]).toEqual([1, 1, 1]);
    expect(found.sample.map(({ key, finding }) => [key, finding]).toSorted()).toEqual([
      ["42:7", "differing"],
      ["a%3Ab:8", "missing"],
      ["a:1", "extra"],
    ]);
    expect(await lines.snapshot()).toBe(0);
    expect(await cached()).toEqual([
      { order_id: "42", line_no: 7, sku: "pen", quantity: 1 },
      { order_id: "42", line_no: 8, sku: "cap", quantity: 1 },
      { order_id: "a:b", line_no: 8, sku: "ink", quantity: 1 },
    ]);
    const { rows } = await dispatch.pool.query("SELECT parcel_id, line_id FROM parcels");
    expect(rows).toEqual([{ parcel_id: "p", line_id: null }]);
    const repository = lineCacheRepository(dispatch.pool);
    expect(await repository.get({ order_id: "a:b", line_no: 8 })).toMatchObject({ sku: "ink" });
  });

  test("of a part of the rows lets them enter and leave", async () => {
    const whole = dispatchLineConsumer();
    const { cache } = whole;
    if (cache === undefined) throw new Error("it keeps one");
    const partial = subscribe(
      dispatch.pool,
      { ...whole, cache: { ...cache, where: [{ column: "sku", values: ["pen"] }] } },
      { url: shop.url, variable: "SHOP_SERVICE_URL", keyVariable: "DISPATCH_TO_SHOP_KEY" },
    );
    await insertLines(["a:b", 7, "pen"], ["42", 8, "ink"], ["43", 9, "pad"]);
    await partial.apply(linesOf(await shop.take()));
    expect(await cached()).toMatchObject([{ order_id: "a:b", line_no: 7 }]);
    await sql(
      "UPDATE order_lines SET sku = CASE sku WHEN 'pen' THEN 'out' ELSE 'pen' END WHERE line_no <> 9",
    );
    await partial.apply(linesOf(await shop.take()));
    expect(await cached()).toMatchObject([{ order_id: "42", line_no: 8 }]);
    await sql("UPDATE order_lines SET sku = CASE line_no WHEN 9 THEN 'pen' ELSE 'out' END");
    await partial.snapshot();
    expect(await cached()).toMatchObject([{ order_id: "43", line_no: 9 }]);
    expect(await partial.verify()).toMatchObject({ missing: 0, extra: 0, differing: 0 });
  });

  test("sets aside a row of which a part of the key is missing or no value of its column", () => {
    const { cache } = buildModel(dispatchLineConsumer());
    if (cache === undefined) throw new Error("it keeps one");
    const row = { order_id: "42", line_no: 7, sku: "pen", quantity: 1 };
    const { fit, unfit } = toRows(
      cache,
      [row, { ...row, line_no: undefined }, { ...row, line_no: 1.5 }, { ...row, sku: 5, line_no: 8 }, row],
      { before: 0, seq: 0 },
    );
    expect(fit.map(({ id }) => id)).toEqual(["42:7"]);
    expect(unfit.map(({ id, reason }) => [id, reason])).toEqual([
      [null, "it has no line_no"],
      [null, "line_no is 1.5, not of type integer"],
      ["42:8", "sku is 5, not of type text"],
      ["42:7", "another element has the same key"],
    ]);
  });
});

describe("cascades", () => {
  test("find rows by a column that holds such an id, and rows that name a deleted one are refused", async () => {
    await insertLines(["42", 7, "pen"]);
    await lines.apply(linesOf(await shop.take()));
    await dispatch.pool.query("INSERT INTO parcels (parcel_id, line_id) VALUES ('p', '42:7'), ('q', '42:8')");
    await sql("DELETE FROM order_lines");
    await lines.apply(linesOf(await shop.take()));
    const { rows } = await dispatch.pool.query("SELECT parcel_id, line_id FROM parcels ORDER BY 1");
    expect(rows).toEqual([
      { parcel_id: "p", line_id: null },
      { parcel_id: "q", line_id: "42:8" },
    ]);
    await expect(
      dispatch.pool.query("INSERT INTO parcels (parcel_id, line_id) VALUES ('r', '42:7')"),
    ).rejects.toMatchObject({ code: "23503" });
  });

  test("of an entity without a copy are inferred by the fields that make its id", async () => {
    await sql("INSERT INTO titles VALUES ('en', 'pen:1', 'Pen'), ('de', 'pen:1', 'Stift')");
    await sql("UPDATE titles SET title = title || '!'");
    await titled.apply((await shop.take()).filter(({ subject }) => subject.startsWith("shop.title.")));
    await dispatch.pool.query(
      "INSERT INTO parcels (parcel_id, title_id) VALUES ('p', 'pen%3A1:en'), ('q', 'pen%3A1:de')",
    );
    await sql("DELETE FROM titles WHERE language = 'de'");
    await titled.snapshot();
    const { rows } = await dispatch.pool.query("SELECT parcel_id FROM parcels");
    expect(rows).toEqual([{ parcel_id: "p" }]);
  });

  test("remove rows of such a table once their hook before has succeeded, and each emits its event", async () => {
    await dispatch.pool.query("INSERT INTO picks VALUES (1, '42:x'), (2, '42:x'), (2, '43')");
    await sql("INSERT INTO orders VALUES ('42:x'); DELETE FROM orders");
    await orders.apply(await shop.take());
    const { rows: tasks } = await dispatch.pool.query("SELECT row_key FROM mesh.cascade_task ORDER BY 1");
    expect(tasks).toEqual([{ row_key: "1:42%3Ax" }, { row_key: "2:42%3Ax" }]);
    await dispatch.pool.query("DELETE FROM mesh.outbox");
    const worker = startCascadeWorker({
      pool: dispatch.pool,
      consumers: [dispatchOrderConsumer(hooks)],
      logger: silent,
      pollMs: 50,
    });
    const left = async () => (await dispatch.pool.query("SELECT shelf, order_id FROM picks")).rows;
    await waitFor(async () => (await left()).length === 1, { what: "picks to go" });
    await worker.stop();
    expect(await left()).toEqual([{ shelf: 2, order_id: "43" }]);
    expect(freed).toHaveLength(2);
    expect(freed).toContainEqual({ shelf: 1, order_id: "42:x", picked: false });
    const subjects = (await dispatch.take()).map(({ subject }) => subject).toSorted();
    expect(subjects).toEqual(["dispatch.pick.1:42%253Ax.deleted", "dispatch.pick.2:42%253Ax.deleted"]);
  });
});

describe("REST and repository", () => {
  test("name a row by its id in the path", async () => {
    await sql("INSERT INTO orders VALUES ('42'), ('a:b/c%')");
    const created = await shop.request("POST", "/order-lines", {
      order_id: "42",
      line_no: 7,
      sku: "pen",
      quantity: 1,
    });
    expect(created).toMatchObject({ status: 201, location: "/order-lines/42:7" });
    const odd = await shop.request("POST", "/order-lines", {
      order_id: "a:b/c%",
      line_no: 1,
      sku: "x",
      quantity: 1,
    });
    expect(odd.location).toBe("/order-lines/a%253Ab%2Fc%2525:1");
    expect(JSON.parse((await shop.request("GET", odd.location ?? "")).text)).toMatchObject({
      order_id: "a:b/c%",
    });
    expect((await shop.request("GET", "/order-lines/42%3A7")).status).toBe(200);
    expect((await shop.request("PATCH", "/order-lines/42:7", { quantity: 4 })).text).toContain(
      '"quantity":4',
    );
    for (const column of ["order_id", "line_no"])
      expect(
        (await shop.request("PATCH", "/order-lines/42:7", { [column]: column === "line_no" ? 3 : "x" }))
          .status,
      ).toBe(422);
    expect((await shop.request("DELETE", "/order-lines/42:7")).status).toBe(204);
    const gone = await shop.request("GET", "/order-lines/42:7");
    expect([gone.status, JSON.parse(gone.text).detail]).toEqual([
      404,
      'There is no row of order_lines with the order_id:line_no "42:7".',
    ]);
    for (const id of ["42", "42:7:1", "a%2525z:7"])
      expect((await shop.request("GET", `/order-lines/${id}`)).status).toBe(404);
    expect((await shop.request("GET", "/order-lines/42:x")).status).toBe(404);
  });

  test("refuse a second row of the key, and name its columns", async () => {
    await insertLines(["42", 7, "pen"]);
    const taken = await shop.request("POST", "/order-lines", {
      order_id: "42",
      line_no: 7,
      sku: "ink",
      quantity: 1,
    });
    expect(taken.status).toBe(409);
    expect(JSON.parse(taken.text).errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual([
      "/order_id",
      "/line_no",
    ]);
  });

  test("take the values of the key by name, and list in its order, page by page", async () => {
    const repository = orderLinesRepository(shop.pool);
    await sql("INSERT INTO orders VALUES ('a'), ('b:c')");
    await sql(
      "INSERT INTO order_lines SELECT o, n, n::text, n FROM unnest('{a,b:c}'::text[]) AS o, generate_series(1, 700) AS n",
    );
    const listed: string[] = [];
    for await (const { order_id, line_no } of repository.list()) listed.push(`${order_id} ${line_no}`);
    expect(listed).toEqual(
      ["a", "b:c"].flatMap((order) => Array.from({ length: 700 }, (_, n) => `${order} ${n + 1}`)),
    );
    const key = { order_id: "b:c", line_no: 700 };
    expect(await repository.get(key)).toMatchObject({ ...key, quantity: 700 });
    expect(await repository.update(key, { quantity: 3 })).toMatchObject({ ...key, quantity: 3 });
    expect([await repository.delete(key), await repository.delete(key), await repository.get(key)]).toEqual([
      true,
      false,
      undefined,
    ]);
    await expect(repository.update(key, { line_no: 3 } as never)).rejects.toThrow(/cannot be changed/);
  });
});

test("version counters are kept for rows that are there, and expire with the others", async () => {
  await insertLines(["a:b", 7, "pen"], ["42", 8, "ink"]);
  await sql("DELETE FROM order_lines WHERE line_no = 8; DELETE FROM mesh.outbox");
  const expire = () =>
    withClient(shop.pool, (client) =>
      expireCounters(client, {
        entity: "shop.line",
        table: orderLines,
        ids: ["a%3Ab:7", "42:8", "no id"],
        seconds: 0,
      }),
    );
  await expire();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(await expire()).toBe(1);
  expect(await sql("SELECT entity_id FROM mesh.entity_version WHERE entity = 'shop.line'")).toEqual([
    { entity_id: "a%3Ab:7" },
  ]);
});

describe("a table with such a key that was there before", () => {
  const BEFORE = `CREATE TABLE people (person_id TEXT PRIMARY KEY);
CREATE TABLE levels (sku TEXT NOT NULL, site INTEGER NOT NULL, pieces BIGINT NOT NULL, checked_by TEXT REFERENCES people ON DELETE SET NULL,
  site_of INTEGER, PRIMARY KEY (site, sku));
INSERT INTO people VALUES ('p');
INSERT INTO levels SELECT 'sku:' || n, n % 3, n, 'p' FROM generate_series(1, 25000) AS n;`;

  test("gets the first version of each earlier row, and events of later writes", async () => {
    const stock = await openOwner("stock", {}, BEFORE);
    const { client } = stock.database;
    const { rows } = await client.query(
      `SELECT count(*)::int AS count, count(*) FILTER (WHERE version = first_version)::int AS first FROM mesh.entity_version
JOIN levels ON entity_id = site || ':' || replace(sku, ':', '%3A') WHERE entity = 'stock.level'`,
    );
    expect(rows).toEqual([{ count: 25_000, first: 25_000 }]);
    await client.query(
      "UPDATE levels SET pieces = 0 WHERE sku = 'sku:7'; DELETE FROM people; DELETE FROM levels WHERE sku = 'sku:8'",
    );
    const events = await stock.take();
    expect(events.map(({ subject, body }) => [subject, JSON.parse(body).metadata.version])).toEqual([
      ["stock.level.1:sku%253A7.updated", 2],
      ["stock.level.2:sku%253A8.deleted", 2],
    ]);
    await stock.close();
  });
});
