import type pg from "pg";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { emitTransitions, type Statement } from "../../generator/emit/sql/emit-transitions.js";
import type { LockMode } from "../../generator/emit/sql/locks.js";
import type { Mesh } from "../../generator/model/mesh.js";
import { openDatabase, plan, shop, type TestDatabase, templates } from "../support/migrations.js";

/*
 * What `mesh diff` says of locks is what PostgreSQL takes: each statement of a migration runs alone, and the locks of its
 * transaction and the files of its tables are looked at.
 */

/** Weakest first; what the runtime's own statements take for reading is below all of them. */
const MODES = [
  "none",
  "ROW EXCLUSIVE",
  "SHARE UPDATE EXCLUSIVE",
  "SHARE ROW EXCLUSIVE",
  "ACCESS EXCLUSIVE",
] as const satisfies readonly LockMode[];

const PARENTS = "parents:\n  columns: { parent_id: { type: nanoid, key: true } }\n";
const items = (columns: string, more = "") =>
  `${PARENTS}items:\n${more}  columns:\n    item_id: { type: nanoid, key: true }\n${columns}`;
const BEFORE = `${items(
  [
    '    short: "varchar(20)"',
    '    money: "numeric(10,2)"',
    "    small: integer",
    "    parent: text",
    "    wanted: text?",
    "    label: { type: text, default: a }",
    "    gone: { type: text, null: true, references: parents, on_delete: set_null }",
    "    kind: { type: text, one_of: [a, b] }",
    "    once: { type: text, unique: true }",
  ].join("\n"),
  "  indexes: [[label]]\n",
)}
notes:
  columns: { note_id: { type: nanoid, key: true }, item: { type: text, references: items, on_delete: cascade } }
waste:
  columns: { waste_id: { type: nanoid, key: true }, item: { type: text, references: items, on_delete: cascade } }
`;
const AFTER = `${items(
  [
    '    short: "varchar(40)"',
    '    money: "numeric(12,2)"',
    "    small: bigint",
    "    parent: { type: text, references: parents, on_delete: cascade }",
    '    wanted: { type: text, default: "" }',
    "    title: { type: text, renamed_from: label, unique: true }",
    "    fresh: text?",
    "    kind: { type: text, one_of: [a, b, c] }",
    "    once: { type: text, null: true }",
  ].join("\n"),
  "  indexes: [[kind]]\n",
)}
remarks:
  renamed_from: notes
  columns: { note_id: { type: nanoid, key: true }, item: text }
children:
  columns: { child_id: { type: nanoid, key: true }, parent: { type: text, references: parents, on_delete: restrict } }
`;
const event = (action: string, on: string) =>
  `shop.item.{id}.${action}: { event: Item${action[0]?.toUpperCase()}${action.slice(1)}, emit: { table: items, on: ${on} }, payload: { item_id: nanoid } }\n`;
const [CREATED, DELETED] = [event("created", "insert"), event("deleted", "delete")];

let database: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  database = await openDatabase(inject("postgres"), plan(shop(BEFORE, DELETED)).files.shop);
  client = database.client;
  await client.query("INSERT INTO parents VALUES ('p')");
  await client.query(`INSERT INTO items (item_id, label, short, money, small, parent, kind, once)
    SELECT 'i' || n, 'l' || n, 's', 1, n, 'p', 'a', 'o' || n FROM generate_series(1, 200) AS n`);
});
afterAll(() => database.close());

const TABLES = ["items", "parents", "notes", "remarks"];

async function filesOf(tables: readonly string[]): Promise<readonly string[]> {
  const { rows } = await client.query<{ file: string }>(
    "SELECT oid || ' ' || pg_relation_filenode(oid) AS file FROM pg_class WHERE relname = ANY ($1) AND relkind = 'r' ORDER BY oid",
    [tables],
  );
  return rows.map(({ file }) => file);
}

/** The strongest lock of a session on a table of the service; of another one than the asked, what it waits for as well. */
async function strongest(
  made: readonly string[],
  { asked = client, pid }: { readonly asked?: pg.Client; readonly pid?: number } = {},
): Promise<{ mode: LockMode; tables: readonly string[] }> {
  const { rows } = await asked.query<{ mode: string; relname: string }>(
    `SELECT mode, relname FROM pg_locks JOIN pg_class ON pg_class.oid = relation
      WHERE pid = coalesce($1, pg_backend_pid()) AND (granted OR $1 IS NOT NULL) AND relkind = 'r' AND relnamespace = 'public'::regnamespace`,
    [pid],
  );
  const named = rows
    .filter(({ relname }) => !made.includes(relname))
    .map(({ mode, relname }) => ({
      relname,
      rank: Math.max(
        0,
        MODES.indexOf(
          mode
            .replace(/Lock$/, "")
            .replace(/(?<=[a-z])(?=[A-Z])/g, " ")
            .toUpperCase() as never,
        ),
      ),
    }));
  const most = Math.max(0, ...named.map(({ rank }) => rank));
  const tables = named.filter(({ rank }) => rank === most && most > 0).map(({ relname }) => relname);
  return { mode: MODES[most] ?? "none", tables: tables.sort() };
}

function ownTable(step: Statement["step"]): readonly string[] {
  if (step.kind === "create_table") return [step.table.name];
  if (step.kind === "drop_table") return [step.table];
  return step.kind === "rename_table" ? [step.from, step.to] : [];
}

/** What a statement that commits by itself holds, while another session has written to the table and keeps it waiting. */
async function heldWhileWaiting(sql: string, { tables: [table = ""], rows }: Statement["lock"]) {
  const other = await database.connect();
  const pid = (await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid")).rows[0]?.pid ?? 0;
  await other.query("BEGIN");
  // A build waits for all who may write; who writes waits for one that reads a consistent state.
  await other.query(`LOCK TABLE ${table} IN ${rows === "batches" ? "SHARE" : "ROW EXCLUSIVE"} MODE`);
  const running = client.query(sql);
  const isWaiting = async () =>
    (await other.query("SELECT FROM pg_locks WHERE pid = $1 AND NOT granted", [pid])).rowCount !== 0;
  await expect.poll(isWaiting, { timeout: 20_000, message: sql }).toBe(true);
  const held = await strongest([], { asked: other, pid });
  await other.query("COMMIT");
  await running;
  await other.end();
  return held;
}

async function run({ sql, lock, step }: Statement): Promise<void> {
  // Neither runs within a transaction.
  if (/CONCURRENTLY/.test(sql) || lock.rows === "batches") {
    await client.query("SET client_min_messages = error");
    for (const one of lock.rows === "batches" ? [sql] : sql.split("\n")) {
      if (/^DROP/.test(one)) await client.query(one);
      else
        expect({ sql: one, ...(await heldWhileWaiting(one, lock)) }).toEqual({
          sql: one,
          mode: lock.mode,
          tables: lock.tables,
        });
    }
    return;
  }
  const before = await filesOf(TABLES);
  await client.query("BEGIN");
  await client.query(sql);
  const held = await strongest(step.kind === "create_table" ? [step.table.name] : []);
  const after = await filesOf(TABLES);
  await client.query("COMMIT");
  // What this statement makes, takes away or calls otherwise has another name, or none, within its transaction.
  const own = ownTable(step);
  const others = (tables: readonly string[]) => tables.filter((name) => !own.includes(name)).sort();
  expect({ sql, mode: held.mode, tables: others(held.tables) }).toEqual({
    sql,
    mode: lock.mode,
    tables: others(lock.tables),
  });
  expect({ sql, rewritten: before.join() !== after.join() }).toEqual({
    sql,
    rewritten: lock.rows === "rewritten",
  });
}

test("each statement takes the lock that mesh diff names, and rewrites the table where it says so", async () => {
  const [before, next]: readonly [Mesh, Mesh] = [shop(BEFORE, DELETED), shop(AFTER, CREATED)];
  const [transition] = emitTransitions(before, next, templates);
  const seen = new Set<string>();
  for (const statement of transition?.statements ?? []) {
    seen.add(statement.step.kind);
    await run(statement);
  }
  expect([...seen].sort()).toMatchInlineSnapshot(`
    [
      "add_check",
      "add_column",
      "add_foreign_key",
      "add_unique",
      "await_cascades",
      "change_type",
      "create_function",
      "create_index",
      "create_table",
      "create_trigger",
      "drop_column",
      "drop_constraint",
      "drop_default",
      "drop_foreign_key",
      "drop_index",
      "drop_not_null",
      "drop_table",
      "drop_trigger",
      "fill_nulls",
      "rename_column",
      "rename_constraint",
      "rename_table",
      "set_default",
      "set_not_null",
      "validate_check",
    ]
  `);
});
