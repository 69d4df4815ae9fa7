import { Pool, type PoolClient } from "pg";
import { afterAll, beforeAll, expect, expectTypeOf, test } from "vitest";
import {
  type ReadRepository,
  type Repository,
  readRepository,
  tableRepository,
} from "../../../runtime/repository/repository.js";
import { insertRow } from "../../../runtime/repository/rows.js";
import { createMigratedDatabase } from "../../support/http-server.js";
import { type NewUser, SQL, type UserRow, userCache, users } from "../../support/http-tables.js";

let pool: Pool;
beforeAll(async () => {
  pool = new Pool({ connectionString: await createMigratedDatabase(SQL), max: 3 });
});
afterAll(() => pool.end());

type UserPatch = Partial<Omit<UserRow, "user_id">>;
const repository: () => Repository<UserRow, NewUser, UserPatch> = () => tableRepository(pool, users);

test("rows are created, read, changed and deleted with the types of the table", async () => {
  const rows = repository();
  const made = await rows.create({ username: "ada", settings: ["x"], score: 2 ** 53 - 1 });
  expect(made).toMatchObject({ username: "ada", level: 1, settings: ["x"], score: 2 ** 53 - 1 });
  expect(made.created_at).toMatch(/Z$/);
  expect(await rows.get(made.user_id)).toEqual(made);
  expect(await rows.update(made.user_id, { display_name: "Ada" })).toEqual({ ...made, display_name: "Ada" });
  expect(await rows.update(made.user_id, {})).toEqual({ ...made, display_name: "Ada" });
  expect([await rows.delete(made.user_id), await rows.delete(made.user_id)]).toEqual([true, false]);
  expect([await rows.get(made.user_id), await rows.update(made.user_id, { level: 2 })]).toEqual([
    undefined,
    undefined,
  ]);
});

test("a list goes through any number of rows in key order, filtered by equality and by absence", async () => {
  await pool.query(
    "INSERT INTO users (user_id, username, level) SELECT 'l' || i, 'l' || i, i % 2 FROM generate_series(1, 1750) i",
  );
  const ids = await collect(repository().list());
  expect(ids).toHaveLength(1750);
  expect(ids).toEqual([...ids].sort());
  expect(await collect(repository().list({ level: 1 }))).toHaveLength(875);
  expect(await collect(repository().list({ level: 1, score: null }))).toHaveLength(875);
  expect(await collect(repository().list({ level: 1, score: 5 }))).toEqual([]);
});

async function collect(rows: AsyncIterable<UserRow>): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const row of rows) ids.push(row.user_id);
  return ids;
}

test("what is written through a transaction's connection goes with it", async () => {
  const client: PoolClient = await pool.connect();
  await client.query("BEGIN");
  await tableRepository(client, users).create({ user_id: "tx", username: "tx" });
  await client.query("ROLLBACK");
  client.release();
  expect(await repository().get("tx")).toBeUndefined();
});

test("names of columns and keys cannot smuggle SQL", async () => {
  const wrong = { username: "x", 'level") VALUES (1); --': 1 } as NewUser;
  await expect(repository().create(wrong)).rejects.toThrow("users has no column");
  await expect(repository().update("x", { user_id: "y" } as UserPatch)).rejects.toThrow("cannot be changed");
  expect(await repository().get("' OR true --")).toBeUndefined();
});

test("a copy is only read, by type and at run time", async () => {
  await pool.query("INSERT INTO user_cache VALUES ('c1', 'cached')");
  const cached = tableRepository(pool, userCache);
  expectTypeOf(cached).toEqualTypeOf<
    ReadRepository<{ readonly user_id: string; readonly username: string }>
  >();
  expect(await cached.get("c1")).toEqual(await readRepository(pool, userCache).get("c1"));
  expect(Object.keys(cached)).toEqual(["list", "get"]);
  await expect(insertRow(pool, userCache, { values: { user_id: "c2", username: "x" } })).rejects.toThrow(
    "read-only copy of auth.user",
  );
});
