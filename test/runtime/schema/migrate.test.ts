import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, inject, test, vi } from "vitest";
import { meshMigrations } from "../../../runtime/schema/files.js";
import { type Migration, MigrationError, migrate, migrationState } from "../../../runtime/schema/index.js";
import { silent } from "../../support/loggers.js";
import { ask, openFolder, removeFolders, runMigrations } from "../../support/migration-folder.js";
import { createDatabase } from "../../support/servers.js";

const FIRST = "CREATE TABLE items (id TEXT PRIMARY KEY);\nINSERT INTO items VALUES ('a');\n";
const SECOND = "ALTER TABLE items ADD COLUMN price INTEGER;\n";

/** The runtime's own files. */
const OURS = meshMigrations.map(({ name }) => name);

let url: string;
beforeEach(async () => {
  url = await createDatabase(inject("postgres"), "migrate");
});
afterEach(removeFolders);

const ledger = () =>
  ask<{ name: string; sha256: string }>(url, "SELECT name, sha256 FROM mesh.migration ORDER BY applied_at");

describe("migrate", () => {
  test("is idempotent: applies the runtime's files, then the service's, each once", async () => {
    const folder = await openFolder({ "0001_initial.sql": FIRST, "README.md": "no migration" });
    const first = await runMigrations(url, folder.path);
    expect(first).toEqual({
      applied: [...OURS, "0001_initial.sql"],
      total: OURS.length + 1,
      restored: [],
      granted: false,
    });
    expect(await runMigrations(url, pathToFileURL(`${folder.path}/`))).toEqual({
      applied: [],
      total: OURS.length + 1,
      restored: [],
      granted: false,
    });
    await folder.write("0002_add_items_price.sql", SECOND);
    expect(await runMigrations(url, folder.path)).toEqual({
      applied: ["0002_add_items_price.sql"],
      total: OURS.length + 2,
      restored: [],
      granted: false,
    });
    expect((await ledger()).map((entry) => entry.name)).toEqual([
      ...OURS,
      "0001_initial.sql",
      "0002_add_items_price.sql",
    ]);
    expect((await ledger()).every((entry) => /^[0-9a-f]{64}$/.test(entry.sha256))).toBe(true);
  });

  test("raced by twenty replicas, applies each file once and fails nobody", async () => {
    const folder = await openFolder({ "0001_initial.sql": FIRST, "0002_add_items_price.sql": SECOND });
    const reports = await Promise.all(Array.from({ length: 20 }, () => runMigrations(url, folder.path)));
    expect(reports.map((report) => report.total)).toEqual(Array(20).fill(OURS.length + 2));
    expect(reports.flatMap((report) => report.applied).toSorted()).toEqual([
      "0001_initial.sql",
      "0002_add_items_price.sql",
      ...OURS,
    ]);
  });

  test("works on a client as well, and leaves no lock behind", async () => {
    const folder = await openFolder({ "0001_initial.sql": FIRST });
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await migrate(client, { service: "shop", migrations: folder.path, logger: silent });
    const { rows } = await client.query(
      `SELECT count(*)::int AS locks FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
       WHERE locktype = 'advisory' AND datname = current_database()`,
    );
    expect(rows).toEqual([{ locks: 0 }]);
    await client.end();
  });

  test("a replica whose connection is lost in the middle leaves nothing half done, and a retry finishes", async () => {
    const folder = await openFolder({
      "0001_initial.sql": FIRST,
      "0002_slow.sql": `${SECOND}SELECT pg_sleep(30);\n`,
    });
    const cut = runMigrations(url, folder.path).then(
      () => "finished",
      (error: unknown) => error,
    );
    await vi.waitFor(async () => {
      const ended = await ask<{ ended: boolean }>(
        url,
        "SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND pid <> pg_backend_pid()",
      );
      expect(ended).toEqual([{ ended: true }]);
    }, 20_000);
    const error = await cut;
    expect(error).toMatchObject({ code: "57P01" });
    expect(error).not.toBeInstanceOf(MigrationError);
    expect((await ledger()).map((entry) => entry.name)).toEqual([...OURS, "0001_initial.sql"]);
    await folder.write("0002_slow.sql", SECOND);
    expect((await runMigrations(url, folder.path)).applied).toEqual(["0002_slow.sql"]);
  });

  test("a file that fails is rolled back whole; the error says where and why, the files before it stay", async () => {
    const folder = await openFolder({
      "0001_initial.sql": FIRST,
      "0002_bad.sql": `${SECOND}\n-- a comment\nUPDATE items\n  SET nonsense = 1;\n`,
    });
    const failed = runMigrations(url, folder.path);
    await expect(failed).rejects.toBeInstanceOf(MigrationError);
    await expect(failed).rejects.toThrow(
      /0002_bad\.sql:5 failed and was rolled back: .*nonsense.* \(SQLSTATE 42703\)/,
    );
    await expect(ask(url, "SELECT price FROM items")).rejects.toMatchObject({ code: "42703" });
    expect(await ask(url, "SELECT id FROM items")).toEqual([{ id: "a" }]);
  });

  test("puts the service's tables where its role makes tables, even when the role is called mesh", async () => {
    const folder = await openFolder({ "0001_initial.sql": FIRST });
    await ask(url, "CREATE SCHEMA mesh");
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query("SET search_path = mesh, public");
    await migrate(client, { service: "shop", migrations: folder.path, logger: silent });
    await client.end();
    expect(await ask(url, "SELECT to_regclass('public.items') IS NOT NULL AS there")).toEqual([
      { there: true },
    ]);
  });
});

describe("files that do not match mesh.migration are refused", () => {
  const apply = async (files: Readonly<Record<string, string>>) => {
    const folder = await openFolder(files);
    await runMigrations(url, folder.path);
    return folder;
  };

  test("a changed file, but not one with other line ends", async () => {
    const folder = await apply({ "0001_initial.sql": FIRST });
    await folder.write("0001_initial.sql", FIRST.replaceAll("\n", "\r\n"));
    await runMigrations(url, folder.path);
    await folder.write("0001_initial.sql", `${FIRST}-- an afterthought\n`);
    await expect(runMigrations(url, folder.path)).rejects.toThrow(
      /0001_initial\.sql has changed since it was applied at .* restore it from version control/,
    );
  });

  test("a missing file", async () => {
    const folder = await apply({ "0001_initial.sql": FIRST, "0002_add_items_price.sql": SECOND });
    await folder.remove("0002_add_items_price.sql");
    await expect(runMigrations(url, folder.path)).rejects.toThrow(
      /0002_add_items_price\.sql was applied at .* but is missing here; restore the file/,
    );
  });

  test("a file of a newer runtime", async () => {
    const folder = await apply({ "0001_initial.sql": FIRST });
    await ask(url, "INSERT INTO mesh.migration (name, sha256) VALUES ('mesh/0099_future', 'x')");
    await expect(runMigrations(url, folder.path)).rejects.toThrow(/mesh\/0099_future .* newer meshwright/);
  });

  test("but not a file of the runtime that is newer than the service's own", async () => {
    // As an older release would.
    const newer = (meshMigrations as Migration[]).splice(1);
    const folder = await apply({ "0001_initial.sql": FIRST });
    (meshMigrations as Migration[]).push(...newer);
    await folder.write("0002_add_items_price.sql", SECOND);
    expect((await runMigrations(url, folder.path)).applied).toEqual([
      ...OURS.slice(1),
      "0002_add_items_price.sql",
    ]);
  });

  test("a new file before an applied one", async () => {
    await apply({ "0001_initial.sql": FIRST, "0002_b.sql": SECOND });
    const other = await openFolder({ "0001_another.sql": "SELECT 1", "0002_b.sql": SECOND });
    await expect(runMigrations(url, other.path)).rejects.toThrow(/0001_initial\.sql was applied/);
    await ask(url, "DELETE FROM mesh.migration WHERE name = '0001_initial.sql'");
    await expect(runMigrations(url, other.path)).rejects.toThrow(
      /0001_another\.sql is new but comes before 0002_b\.sql, which is already applied; begin it with a line "-- follows: /,
    );
  });

  test.each([
    [{ "0001_a.sql": FIRST, "0003_c.sql": SECOND }, /migration 0002 is missing: .*0003_c\.sql follows a gap/],
    [
      { "0001_a.sql": FIRST, "0001_b.sql": SECOND },
      /0001_b\.sql does not say what it follows; begin it with a line "-- follows: /,
    ],
    [
      { "0001_a.sql": FIRST, "fix.sql": SECOND },
      /fix\.sql does not say what it follows; begin it with a line "-- follows: /,
    ],
  ])("a folder that cannot be whole: %j", async (files, message) => {
    const folder = await openFolder(files);
    await expect(runMigrations(url, folder.path)).rejects.toThrow(message);
  });

  test("no folder at all: both places are named", async () => {
    await expect(runMigrations(url, "/nowhere/migrations", { service: "nobody" })).rejects.toThrow(
      /no migrations of service "nobody": neither \/nowhere\/migrations nor .*generated\/nobody\/migrations exists/,
    );
  });

  test("a compiled service finds the SQL of the project around it, wherever it is started", async () => {
    const root = await openFolder({});
    await mkdir(join(root.path, "generated", "shop", "migrations"), { recursive: true });
    await root.write("generated/shop/migrations/0001_initial.sql", FIRST);
    const compiled = join(root.path, "dist", "generated", "shop", "migrations");
    expect((await runMigrations(url, compiled)).total).toBe(OURS.length + 1);
  });

  test("a folder that was not copied beside the compiled file is found in generated/ below the working directory", async () => {
    const root = await openFolder({});
    const folder = join(root.path, "generated", "shop", "migrations");
    await mkdir(folder, { recursive: true });
    await root.write("generated/shop/migrations/0001_initial.sql", FIRST);
    const cwd = vi.spyOn(process, "cwd").mockReturnValue(root.path);
    expect((await runMigrations(url, new URL("file:///nowhere/migrations/"))).total).toBe(OURS.length + 1);
    cwd.mockRestore();
  });
});

test("migrationState looks without touching: pending on an empty database, then applied", async () => {
  const folder = await openFolder({ "0001_initial.sql": FIRST });
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const state = () => migrationState(client, { service: "shop", migrations: folder.path });
  const { applied, pending, statements } = await state();
  expect({ applied, pending }).toEqual({ applied: [], pending: [...OURS, "0001_initial.sql"] });
  expect(statements.at(-1)).toMatchObject({ name: "0001_initial.sql", own: false });
  expect(await ask(url, "SELECT to_regnamespace('mesh') IS NULL AS untouched")).toEqual([
    { untouched: true },
  ]);
  await runMigrations(url, folder.path);
  expect((await state()).pending).toEqual([]);
  expect((await state()).applied.map((entry) => entry.name)).toEqual([...OURS, "0001_initial.sql"]);
  await client.end();
});
