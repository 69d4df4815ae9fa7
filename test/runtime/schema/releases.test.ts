import pg from "pg";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import type { Mesh } from "../../../generator/model/mesh.js";
import { migrationState } from "../../../runtime/schema/index.js";
import { ask, openFolder, removeFolders, runMigrations } from "../../support/migration-folder.js";
import { chain, shop } from "../../support/migrations.js";
import { createDatabase } from "../../support/servers.js";

/*
 * A database that a newer release has migrated, and an older one that starts on it: a rollback, or a replica that
 * is not yet replaced.
 */

const SUBJECTS = `
shop.item.{id}.created: { event: ItemCreated, emit: { table: items, on: insert }, payload: { id: string, name: string } }
shop.item.{id}.updated: { event: ItemUpdated, emit: { table: items, on: update }, payload: { id: string, name: string } }`;
const items = (columns: string, rest = "") =>
  shop(
    `items:\n  columns:\n    id: { type: nanoid, key: true }\n    ${columns.replaceAll("; ", "\n    ")}${rest}`,
    SUBJECTS,
  );
const OLD = items(
  "name: text; note: text?; code: varchar(4)?; fee: { type: 'numeric(6,2)', null: true }; size: { type: integer, default: 1 }; kind: { type: text, one_of: [a, b] }",
);

let url: string;
beforeEach(async () => {
  url = await createDatabase(inject("postgres"), "releases");
});
afterEach(removeFolders);

const folderOf = (files: ReturnType<typeof chain>) =>
  openFolder(Object.fromEntries(files.map(({ name, text }) => [name, text])));

/** The older release on the newer one's database. */
async function rollBack(next: Mesh): Promise<readonly string[]> {
  const [old, all] = [chain([OLD]), chain([OLD, next])];
  await runMigrations(url, (await folderOf(all)).path);
  return (await runMigrations(url, (await folderOf(old)).path)).applied;
}

const COLUMNS =
  "name: text; note: text?; code: varchar(4)?; fee: { type: 'numeric(6,2)', null: true }; size: { type: integer, default: 1 }; kind: { type: text, one_of: [a, b] }";

describe("an older release runs on where a migration", () => {
  test.each([
    ["adds a column", `${COLUMNS}; price: integer?`],
    ["adds a column with a default", `${COLUMNS}; price: { type: integer, default: 0 }`],
    ["allows NULL", COLUMNS.replace("default: 1 }", "default: 1, null: true }")],
    ["allows another value", COLUMNS.replace("[a, b]", "[a, b, c]")],
    ["changes a default", COLUMNS.replace("default: 1", "default: 2")],
    ["lengthens a text", COLUMNS.replace("varchar(4)", "varchar(9)")],
    ["takes more digits before the point", COLUMNS.replace("numeric(6,2)", "numeric(9,2)")],
    ["adds an index", `${COLUMNS}\n  indexes: [[note]]`],
  ])("%s", async (_, columns) => {
    expect(await rollBack(items(columns))).toEqual([]);
    await ask(url, "INSERT INTO items (id, name, kind) VALUES ('a', 'A', 'a')");
  });

  test("makes a table", async () => {
    expect(
      await rollBack(
        shop(
          `items:\n  columns:\n    id: { type: nanoid, key: true }\n    ${COLUMNS.replaceAll("; ", "\n    ")}\nmore: { columns: { m: { type: nanoid, key: true } } }`,
          SUBJECTS,
        ),
      ),
    ).toEqual([]);
  });
});

describe("an older release says why it cannot run where a migration", () => {
  test.each([
    ["drops a column", COLUMNS.replace("note: text?; ", ""), "items.note is dropped"],
    [
      "renames a column",
      COLUMNS.replace("note: text?", "remark: { type: text, null: true, renamed_from: note }"),
      "items.note is called remark",
    ],
    [
      "changes a type",
      COLUMNS.replace("type: integer", "type: bigint"),
      "items.size is BIGINT, no longer INTEGER",
    ],
    [
      "demands a value",
      COLUMNS.replace("note: text?", 'note: { type: text, default: "" }'),
      "items.note takes no NULL",
    ],
    ["adds a column that must be given", `${COLUMNS}; price: integer`, "items.price must be given"],
    [
      "takes a default away",
      COLUMNS.replace("size: { type: integer, default: 1 }", "size: integer"),
      "items.size must be given",
    ],
    ["allows fewer values", COLUMNS.replace("[a, b]", "[a]"), "items.kind takes fewer values"],
    [
      "makes values unique",
      COLUMNS.replace("note: text?", "note: { type: text, null: true, unique: true }"),
      "items.note takes fewer values",
    ],
  ])("%s", async (_, columns, reason) => {
    await expect(rollBack(items(columns))).rejects.toThrow(
      new RegExp(
        `0002_\\w+\\.sql was applied at .* but is missing here, and without it this release cannot run: .*${reason}`,
      ),
    );
  });
});

test("old, new, old and new again, also with migrations off", async () => {
  const [old, all] = [chain([OLD]), chain([OLD, items(`${COLUMNS}; price: integer?`)])];
  const [before, after] = [await folderOf(old), await folderOf(all)];
  await runMigrations(url, before.path);
  await runMigrations(url, after.path);
  for (const folder of [before, after, before]) {
    expect((await runMigrations(url, folder.path)).applied).toEqual([]);
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const state = await migrationState(client, { service: "shop", migrations: folder.path });
    expect(state.pending).toEqual([]);
    expect(state.applied).toHaveLength(3);
    await client.end();
  }
});

test("a missing migration that did not say whether older releases run on is asked for", async () => {
  const [old, all] = [chain([OLD]), chain([OLD, items(`${COLUMNS}; price: integer?`)])];
  await runMigrations(url, (await folderOf(all)).path);
  await ask(url, "UPDATE mesh.migration SET breaks = NULL");
  const folder = await folderOf(old);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await expect(migrationState(client, { service: "shop", migrations: folder.path })).rejects.toThrow(
    /was applied at .* but is missing here; restore the file/,
  );
  await client.end();
  await expect(runMigrations(url, folder.path)).rejects.toThrow(/is missing here; restore the file/);
});

test("the runtime's own migrations let older runtimes run on", async () => {
  const folder = await folderOf(chain([OLD]));
  await runMigrations(url, folder.path);
  await ask(url, "INSERT INTO mesh.migration (name, sha256, breaks) VALUES ('mesh/0099_future', 'x', '')");
  expect((await runMigrations(url, folder.path)).applied).toEqual([]);
  const own = await ask<{ breaks: string }>(
    url,
    "SELECT breaks FROM mesh.migration WHERE name LIKE 'mesh/%'",
  );
  expect(new Set(own.map(({ breaks }) => breaks))).toEqual(new Set([""]));
});
