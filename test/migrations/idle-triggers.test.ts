import { afterEach, beforeEach, expect, inject, test } from "vitest";
import { afterTest, openClient } from "../support/after-test.js";
import { ask, openFolder, removeFolders, runMigrations } from "../support/migration-folder.js";
import { chain, shop } from "../support/migrations.js";
import { createDatabase, waitFor } from "../support/servers.js";

/*
 * Triggers of ours that somebody dropped or disabled: each migration puts them back first, whether or not one is pending.
 */

const BOTH = `
shop.item.{id}.created: { event: ItemCreated, emit: { table: items, on: insert }, payload: { id: string } }
shop.item.{id}.updated: { event: ItemUpdated, emit: { table: items, on: update }, payload: { id: string, name: string } }`;
const CREATED = BOTH.split("\n").slice(0, 2).join("\n");
const items = (subjects: string) =>
  shop("items:\n  columns:\n    id: { type: nanoid, key: true }\n    name: text", subjects);

let url: string;
beforeEach(async () => {
  url = await createDatabase(inject("postgres"), "idle_triggers");
});
afterEach(removeFolders);

async function migrateTo(...meshes: Parameters<typeof chain>[0]) {
  const folder = await openFolder(Object.fromEntries(chain(meshes).map(({ name, text }) => [name, text])));
  return await runMigrations(url, folder.path);
}

const triggers = async () =>
  (
    await ask<{ name: string }>(
      url,
      "SELECT tgname AS name FROM pg_trigger WHERE tgrelid = 'items'::regclass AND tgenabled = 'O' ORDER BY 1",
    )
  ).map(({ name }) => name);
const noted = async () =>
  (await ask<{ name: string }>(url, "SELECT name FROM mesh.trigger ORDER BY 1")).map(({ name }) => name);

const ALL = ["on_insert", "on_update", "refuse_key_change", "refuse_truncate"];

test("dropped and disabled ones are made and enabled again, once, and write events", async () => {
  expect((await migrateTo(items(BOTH))).restored).toEqual([]);
  expect(await noted()).toEqual(ALL);
  await ask(url, "DROP TRIGGER on_update ON items; ALTER TABLE items DISABLE TRIGGER on_insert");
  await ask(url, "ALTER TABLE items ENABLE REPLICA TRIGGER refuse_truncate");
  await ask(url, "INSERT INTO items VALUES ('unheard', '')");
  expect((await migrateTo(items(BOTH))).restored).toEqual([
    "public.items: trigger on_update was gone, triggers on_insert, refuse_truncate were disabled",
  ]);
  expect(await triggers()).toEqual(ALL);
  await ask(url, "INSERT INTO items VALUES ('heard', ''); UPDATE items SET name = 'x' WHERE id = 'heard'");
  expect(await ask(url, "SELECT entity_id FROM mesh.outbox")).toEqual([
    { entity_id: "heard" },
    { entity_id: "heard" },
  ]);
  expect((await migrateTo(items(BOTH))).restored).toEqual([]);
});

test("a migration takes one away though somebody had dropped it, and it stays away; so does a table", async () => {
  await migrateTo(items(BOTH));
  await ask(url, "DROP TRIGGER on_update ON items");
  await migrateTo(items(BOTH), items(CREATED));
  const left = ALL.filter((name) => name !== "on_update");
  expect(await noted()).toEqual(left);
  expect((await migrateTo(items(BOTH), items(CREATED))).restored).toEqual([]);
  expect(await triggers()).toEqual(left);
  await ask(url, "DROP TABLE items");
  expect((await migrateTo(items(BOTH), items(CREATED))).restored).toEqual([]);
  expect(await noted()).toEqual([]);
});

test("who holds the table is waited for without keeping others waiting", async () => {
  await migrateTo(items(BOTH));
  await ask(url, "ALTER TABLE items DISABLE TRIGGER on_insert");
  const writer = await openClient(url);
  await writer.query("BEGIN; INSERT INTO items VALUES ('mine', '')");
  let done = false;
  const migrated = migrateTo(items(BOTH)).finally(() => {
    done = true;
  });
  afterTest(() => migrated);
  await ask(url, "INSERT INTO items VALUES ('beside', '')");
  expect(done).toBe(false);
  await writer.query("COMMIT");
  await waitFor(() => done, { timeoutMs: 15_000 });
  expect((await migrated).restored).toEqual(["public.items: trigger on_insert was disabled"]);
});
