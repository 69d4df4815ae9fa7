import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, inject, test } from "vitest";
import { MigrationError } from "../../runtime/schema/index.js";
import { readCatalog } from "../support/catalog.js";
import { applyFiles, chain, openDatabase, shop } from "../support/migrations.js";

/*
 * A migration of a table with rows runs beside traffic: what looks at rows holds no lock that traffic waits for.
 */

const BEFORE = `
owners:
  columns:
    id: { type: text, key: true }
items:
  columns:
    id: { type: text, key: true }
    code: { type: text }
    colour: { type: text, null: true }
    owner_id: { type: text, null: true }
`;
const AFTER = `
owners:
  columns:
    id: { type: text, key: true }
items:
  columns:
    id: { type: text, key: true }
    code: { type: text, unique: true }
    colour: { type: text, default: "blue;$fill$" }
    owner_id: { type: text, null: true, references: owners }
  indexes: [[colour, code]]
`;
const files = chain([shop(BEFORE), shop(AFTER)]);
const last = files.at(-1)?.text ?? "";

test("what may take long stands outside of a transaction, what locks is apart from it", () => {
  const stages = last.split(/^-- transaction: /m);
  expect(stages.map((stage) => stage.split("\n")[0])).toEqual([
    expect.anything(),
    "none",
    "one",
    "none",
    "one",
    "none",
  ]);
  for (const stage of stages) {
    const slow = /CONCURRENTLY|VALIDATE|UPDATE items/.test(stage);
    expect(stage.startsWith("none")).toBe(slow);
  }
  expect(last).not.toMatch(/REFERENCES [^;]*(?<!NOT VALID);/);
});

test("leads to what a fresh database is", async () => {
  const chained = await openDatabase(inject("postgres"), files);
  const fresh = await openDatabase(inject("postgres"), chain([shop(AFTER)]));
  expect(await readCatalog(chained.client)).toEqual(await readCatalog(fresh.client));
  await Promise.all([chained.close(), fresh.close()]);
});

test("blocks no writer, and is finished by retries when it is cut off at any time", async () => {
  const database = await openDatabase(inject("postgres"), files.slice(0, 1));
  await database.client.query(
    "INSERT INTO items (id, code) SELECT 'i' || n, 'c' || n FROM generate_series(1, 5000) AS n",
  );
  let stopped = false;
  let slowest = 0;
  const writer = await database.connect();
  const writing = (async () => {
    for (let n = 0; !stopped; n += 1) {
      const started = performance.now();
      await writer.query("INSERT INTO items (id, code) VALUES ($1, $1)", [`w${n}`]);
      slowest = Math.max(slowest, performance.now() - started);
      await sleep(5);
    }
  })();
  let cuts = 0;
  for (let done = false; !done; ) {
    const worker = await database.connect();
    worker.on("error", () => undefined);
    const migrating = applyFiles(worker, files).then(
      () => true,
      (error: Error) => (error instanceof MigrationError ? Promise.reject(error) : false),
    );
    const cut = sleep(20 + 40 * cuts).then(() =>
      database.client.query("SELECT pg_terminate_backend($1)", [
        (worker as unknown as { processID: number }).processID,
      ]),
    );
    done = await migrating;
    await cut;
    if (!done) cuts += 1;
  }
  stopped = true;
  await writing;
  expect(cuts).toBeGreaterThan(1);
  expect(slowest).toBeLessThan(1_500);
  const { rows } = await database.client.query(
    `SELECT (SELECT count(*)::int FROM items WHERE colour IS NULL) AS empty,
            (SELECT count(*)::int FROM pg_index WHERE NOT indisvalid) AS invalid,
            (SELECT count(*)::int FROM pg_constraint WHERE NOT convalidated) AS unproven,
            (SELECT count(*)::int FROM mesh.migration_stage) AS under_way`,
  );
  expect(rows).toEqual([{ empty: 0, invalid: 0, unproven: 0, under_way: 0 }]);
  const fresh = await openDatabase(inject("postgres"), chain([shop(AFTER)]));
  expect(await readCatalog(database.client)).toEqual(await readCatalog(fresh.client));
  await fresh.close();
  await database.close();
}, 60_000);

describe("a stage that fails", () => {
  test("keeps those before it, says where in the file, and goes on behind them once it can", async () => {
    const database = await openDatabase(inject("postgres"), files.slice(0, 1));
    await database.client.query("INSERT INTO items (id, code) VALUES ('a', 'same'), ('b', 'same')");
    const line = last.split("\n").findIndex((text) => text.startsWith("CREATE UNIQUE INDEX")) + 1;
    await expect(applyFiles(database.client, files)).rejects.toThrow(
      new RegExp(`\\.sql:${line} .*\\(SQLSTATE 23505\\)`),
    );
    expect((await database.client.query("SELECT done FROM mesh.migration_stage")).rows).toEqual([
      { done: 3 },
    ]);
    const changed = files.map((file, index) =>
      index === 0 ? file : { ...file, text: `${file.text}-- more\n` },
    );
    await expect(applyFiles(database.client, changed)).rejects.toThrow(/has changed since/);
    const others = chain([shop(BEFORE), shop(`${AFTER}  unique: [[owner_id]]\n`)]);
    await expect(applyFiles(database.client, others)).rejects.toThrow(
      /was begun on this database and not finished, so .* cannot follow/,
    );
    await database.client.query("UPDATE items SET code = id");
    await applyFiles(database.client, files);
    await database.close();
  });
});
