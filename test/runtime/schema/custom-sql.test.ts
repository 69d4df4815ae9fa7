import { cp, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { afterEach, beforeEach, expect, inject, test } from "vitest";
import { MigrationError, migrate, migrationState } from "../../../runtime/schema/index.js";
import { silent } from "../../support/loggers.js";
import {
  ask,
  type Folder,
  openFolder,
  removeFolders,
  runMigrations,
} from "../../support/migration-folder.js";
import { createRoledDatabase, giveRoles, withClient } from "../../support/roles.js";
import { createDatabase } from "../../support/servers.js";

/*
 * SQL of a service's own, beside the generated migrations.
 */

const ITEMS = "CREATE TABLE items (id TEXT PRIMARY KEY, price INTEGER);\n";
const VIEW = "CREATE VIEW dear AS SELECT id, price FROM items WHERE price > 10;\n";

let url: string;
let folder: Folder;
let migrations: string;

beforeEach(async () => {
  url = await createDatabase(inject("postgres"), "custom");
  folder = await openFolder({});
  migrations = join(folder.path, "generated/shop/migrations");
  await mkdir(migrations, { recursive: true });
  await mkdir(join(folder.path, "sql"));
  await generated("0001_initial.sql", ITEMS);
  await custom("0001_dear.sql", VIEW);
});
afterEach(removeFolders);

const generated = (name: string, text: string) => folder.write(`generated/shop/migrations/${name}`, text);
const custom = (name: string, text: string) => folder.write(`sql/${name}`, text);
const run = (at = url) => runMigrations(at, migrations, { sql: "sql" });
const failure = () =>
  run().then(
    () => "applied",
    (error: unknown) => (error instanceof MigrationError ? error.message : error),
  );

test("own files are applied once, by number, behind the generated ones, each with its line in the ledger", async () => {
  await custom("0002_rows.sql", "INSERT INTO items VALUES ('a', 20);\n");
  expect((await run()).applied).toEqual([
    "mesh/0001_mesh",
    "0001_initial.sql",
    "sql/0001_dear.sql",
    "sql/0002_rows.sql",
  ]);
  expect((await run()).applied).toEqual([]);
  await custom("0003_more.sql", "INSERT INTO items VALUES ('b', 30);\n");
  await generated("0002_index.sql", "CREATE INDEX ON items (price);\n");
  expect((await run()).applied).toEqual(["0002_index.sql", "sql/0003_more.sql"]);
  expect(await ask(url, "SELECT id FROM dear ORDER BY id")).toEqual([{ id: "a" }, { id: "b" }]);
});

test("raced by twenty replicas, own files are applied once and fail nobody", async () => {
  await custom("0002_rows.sql", "INSERT INTO items VALUES ('a', 20);\n");
  const reports = await Promise.all(Array.from({ length: 20 }, () => run()));
  expect(reports.flatMap(({ applied }) => applied).toSorted()).toEqual([
    "0001_initial.sql",
    "mesh/0001_mesh",
    "sql/0001_dear.sql",
    "sql/0002_rows.sql",
  ]);
});

test("an own file that ran and has changed is refused by name", async () => {
  await run();
  await custom("0001_dear.sql", `${VIEW}-- more\n`);
  expect(await failure()).toMatch(/sql\/0001_dear\.sql has changed since it was applied at .*restore it/);
});

test("gaps, double numbers, files without one and transaction control are refused before anything runs", async () => {
  await custom("0003_late.sql", "SELECT 1;\n");
  expect(await failure()).toMatch(
    /sql\/0003_late\.sql: it follows a gap: there is no 0002; .*call this one 0002_/,
  );
  await folder.remove("sql/0003_late.sql");
  await custom("0001_again.sql", "SELECT 1;\n");
  expect(await failure()).toMatch(/sql\/0001_dear\.sql: it has the number of 0001_again\.sql; .*0002/);
  await folder.remove("sql/0001_again.sql");
  await custom("views.sql", "SELECT 1;\n");
  expect(await failure()).toMatch(/sql\/views\.sql: no number .*call it 0002_/);
  await folder.remove("sql/views.sql");
  await custom("0002_commit.sql", "SELECT 1;\n\nCOMMIT;\n");
  expect(await failure()).toMatch(/sql\/0002_commit\.sql:3: COMMIT would end or begin a transaction/);
  await custom("0002_commit.sql", "\\copy items from 'x'\n");
  expect(await failure()).toMatch(/sql\/0002_commit\.sql:1: this is for psql alone/);
  await expect(ask(url, "TABLE mesh.migration")).rejects.toMatchObject({ code: "42P01" });
});

test("a file that comes before an applied one is refused, a folder that did not travel is named", async () => {
  await custom("0002_rows.sql", "SELECT 1;\n");
  await run();
  await folder.remove("sql/0001_dear.sql");
  await custom("0001_other.sql", "SELECT 1;\n");
  expect(await failure()).toMatch(/sql\/0001_other\.sql is new but comes before .*0002_rows\.sql/);
  await expect(runMigrations(url, migrations, { sql: "nowhere" })).rejects.toThrow(
    /no SQL of service "shop": .*mesh\.yaml says "sql: nowhere": ship the folder/,
  );
});

test("an error has file and line, also one of a row, behind comments, emoji and a function in SQL", async () => {
  const head = `/* a /* nested */ comment; */
CREATE FUNCTION twice(n INTEGER) RETURNS INTEGER LANGUAGE sql BEGIN ATOMIC
  SELECT CASE WHEN n > 0 THEN n * 2 ELSE 0 END; -- 🦆🦆🦆🦆🦆🦆🦆🦆🦆🦆🦆🦆🦆🦆🦆🦆
END;
INSERT INTO items VALUES (E'it\\'s; \\\\', twice(2));
`;
  await custom("0002_bad.sql", `${head}\n\nSELECT 1,\n  nonsense FROM items;\n`);
  expect(await failure()).toMatch(
    /^migration .*sql\/0002_bad\.sql:9 failed and was rolled back: column "nonsense"/,
  );
  await custom("0002_bad.sql", `${head}-- again\nINSERT INTO items\n  VALUES ('x', 1), ('x', 2);\n`);
  expect(await failure()).toMatch(
    /sql\/0002_bad\.sql:7 failed and was rolled back: duplicate key.*\(id\)=\(x\)/,
  );
  await custom("0002_good.sql", head);
  await folder.remove("sql/0002_bad.sql");
  await run();
  expect(await ask(url, "TABLE items")).toEqual([{ id: "it's; \\", price: 4 }]);
});

test("a view that is in the way of a generated migration is dropped ahead of it, on databases that had it and on new ones", async () => {
  await run();
  await generated("0002_wider.sql", "ALTER TABLE items ALTER price TYPE BIGINT;\n");
  expect(await failure()).toMatch(
    /0002_wider\.sql failed.*view dear depends on column.*a file of SQL of your own with the head "-- before: 0002_wider\.sql"/,
  );
  await custom("0002_without_dear.sql", "-- before: 0002_wider.sql\nDROP VIEW dear;\n");
  await custom("0003_dear.sql", VIEW);
  const way = ["sql/0002_without_dear.sql", "0002_wider.sql", "sql/0003_dear.sql"];
  expect((await run()).applied).toEqual(way);
  const fresh = await createDatabase(inject("postgres"), "custom");
  expect((await run(fresh)).applied).toEqual([
    "mesh/0001_mesh",
    "0001_initial.sql",
    "sql/0001_dear.sql",
    ...way,
  ]);
});

test("on a new database a column that a later migration takes away is told of, and a head names no unknown migration", async () => {
  await generated("0002_without_price.sql", "ALTER TABLE items DROP price;\n");
  expect(await failure()).toMatch(
    /sql\/0001_dear\.sql:1 failed.*"price" does not exist.*a file behind it with the head "-- before/,
  );
  await custom("0002_order.sql", "-- before: 0003_other.sql\nDROP VIEW dear;\n");
  expect(await failure()).toMatch(
    /0002_order\.sql:1: it is to run before 0003_other\.sql, which is no migration; the last one is 0002_without_price\.sql/,
  );
  await custom("0002_order.sql", "-- before: 0002_without_price.sql\nDROP VIEW dear;\n");
  const fresh = await createDatabase(inject("postgres"), "custom");
  expect((await run(fresh)).applied.slice(-2)).toEqual(["sql/0002_order.sql", "0002_without_price.sql"]);
});

test("a release without an own file runs on, but where the file says that it cannot; another branch's is refused", async () => {
  await custom("0002_rows.sql", "INSERT INTO items VALUES ('a', 20);\n");
  await run();
  await folder.remove("sql/0002_rows.sql");
  expect((await run()).applied).toEqual([]);
  await custom("0002_other.sql", "SELECT 1;\n");
  expect(await failure()).toMatch(
    /sql\/0002_rows\.sql was applied .* but is missing here, so .*0002_other\.sql cannot follow/,
  );
  await folder.remove("sql/0002_other.sql");
  await custom("0002_rows.sql", "INSERT INTO items VALUES ('a', 20);\n");
  await custom("0003_gone.sql", "-- older releases: stop, since dear is gone\nDROP VIEW dear;\n");
  await run();
  await folder.remove("sql/0003_gone.sql");
  expect(await failure()).toMatch(/sql\/0003_gone\.sql was applied .*this release cannot run: dear is gone/);
});

test("a byte order mark and Windows' line ends are no part of a file", async () => {
  await custom("0002_prices.sql", "\uFEFF-- before: 0002_wider.sql\r\nDROP VIEW dear;\r\n");
  await generated("0002_wider.sql", "ALTER TABLE items ALTER price TYPE BIGINT;\n");
  expect((await run()).applied.slice(-2)).toEqual(["sql/0002_prices.sql", "0002_wider.sql"]);
});

test("what a file sets for its session, it sets for itself alone", async () => {
  await custom(
    "0002_set.sql",
    "CREATE ROLE nobody_here NOLOGIN; GRANT nobody_here TO CURRENT_USER;\nSET search_path = '';\nSET timezone = 'Asia/Tokyo';\nSET ROLE nobody_here;\nSELECT 1;\n".replaceAll(
      "nobody_here",
      new URL(url).pathname.slice(1),
    ),
  );
  await custom(
    "0003_strings.sql",
    "SET standard_conforming_strings = off; SET statement_timeout = '1s'; SET default_transaction_read_only = on;\n",
  );
  await custom("0004_rows.sql", "INSERT INTO items VALUES ('a\\nb', 20);\n");
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  await migrate(pool, { service: "shop", migrations, sql: "sql", logger: silent });
  const { rows } = await pool.query(
    "SELECT current_setting('timezone') AS zone, current_user = session_user AS self",
  );
  expect(rows).toEqual([{ zone: expect.not.stringContaining("Tokyo"), self: true }]);
  expect(await ask(url, "SELECT id FROM items")).toEqual([{ id: "a\\nb" }]);
  await pool.end();
});

test("the service's role reads views and writes tables that own files make, and no other relation; statements beside a transaction may stand behind a line", async () => {
  const role = `${new URL(url).pathname.slice(1)}_service`;
  await ask(url, `CREATE ROLE ${role} NOLOGIN; CREATE TABLE secrets (id INTEGER)`);
  await custom(
    "0002_more.sql",
    "CREATE SCHEMA side; CREATE TABLE side.log (id SERIAL, line TEXT); CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM items;\n-- transaction: none\nCREATE INDEX CONCURRENTLY ON items (price);\nSET default_transaction_read_only = on;\n",
  );
  await runMigrations(url, migrations, { sql: "sql", grants: { role, tables: ["items"] } });
  await withClient(url, async (client) => {
    const codeOf = (text: string) =>
      client.query(text).then(
        () => "done",
        (error: { readonly code?: string }) => error.code,
      );
    await client.query(`SET ROLE ${role}`);
    for (const text of [
      "TABLE dear",
      "TABLE counted",
      "INSERT INTO side.log (line) VALUES ('x')",
      "DELETE FROM side.log",
    ])
      expect(await codeOf(text), text).toBe("done");
    for (const text of ["INSERT INTO dear VALUES ('x', 99)", "TABLE secrets"])
      expect(await codeOf(text), text).toBe("42501");
  });
});

test("what own files made under another role becomes the owner's by roles.sql, and is granted", async () => {
  const database = await createRoledDatabase(inject("postgres"), "sfs");
  await custom(
    "0001_dear.sql",
    "CREATE VIEW all_files AS SELECT * FROM files; CREATE TABLE labels (label_id SERIAL, label TEXT);\n",
  );
  const initial = fileURLToPath(new URL("../../../generated/sfs/migrations", import.meta.url));
  await mkdir(join(folder.path, "generated/sfs"), { recursive: true });
  await cp(initial, join(folder.path, "generated/sfs/migrations"), { recursive: true });
  const at = join(folder.path, "generated/sfs/migrations");
  await runMigrations(database.admin, at, { service: "sfs", sql: "sql" });
  const { owner } = await giveRoles(database.admin, "sfs");
  await runMigrations(owner, at, { service: "sfs", sql: "sql", grants: database.grants });
  await withClient(database.admin, async (client) => {
    const { rows } = await client.query(
      "SELECT DISTINCT relowner::regrole::text AS owner FROM pg_class WHERE relname IN ('all_files', 'labels', 'labels_label_id_seq')",
    );
    expect(rows).toEqual([{ owner: database.roles.owner }]);
    await client.query(`SET ROLE ${database.roles.service}`);
    await client.query("TABLE all_files; INSERT INTO labels (label) VALUES ('x')");
  });
});

test("status and dry run name own files that are to come", async () => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { pending } = await migrationState(client, { service: "shop", migrations, sql: "sql" });
  expect(pending).toEqual(["mesh/0001_mesh", "0001_initial.sql", "sql/0001_dear.sql"]);
  await client.end();
});
