import { rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import pg from "pg";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { tableRepository } from "../../runtime/repository/repository.js";
import { migrate } from "../../runtime/schema/index.js";
import { compile, generate, makeProject } from "../support/generated-project.js";
import { silent } from "../support/loggers.js";
import { allWords } from "../support/mesh-of-words.js";
import { SHARP, wordsOfTypeScript } from "../support/reserved-words.js";
import { createDatabase } from "../support/servers.js";

/*
 * Every word as a table, and sharp ones as services, databases, entities, actions, hooks and what is left to name.
 */

/** Services of these names own the tables; TypeScript refuses a list of more than a thousand types. */
const HOMES = ["default", "static-"] as const;
const [HOME] = HOMES;
const PER_HOME = 600;
let folder = "";
let words: readonly string[] = [];
let databases: readonly string[] = [];

beforeAll(async () => {
  folder = makeProject();
  // PostgreSQL looks for a table called pg_… among its catalogs first, so the language takes none.
  words = distinct((await allWords(inject("postgres"))).filter((word) => !word.startsWith("pg_")));
  await generate(folder, meshOfNames());
  databases = await Promise.all(HOMES.map(() => createDatabase(inject("postgres"), "names")));
}, 240_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const pascal = (word: string) =>
  word
    .split(/[_-]/)
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join("");

/** Words with distinct TypeScript names: of `to_json` and `tojson` only the first. */
function distinct(all: readonly string[]): readonly string[] {
  const types = new Set<string>();
  return all.filter((word) => {
    const made = [`${pascal(word)}Row`, `New${pascal(word)}`, `${pascal(word)}Patch`];
    if (made.some((type) => types.has(type))) return false;
    for (const type of made) types.add(type);
    return true;
  });
}

/** Tables and columns whose names, joined, are the same: an index's would be, too. */
const JOINED = {
  joined: {
    columns: { id: { type: "nanoid", key: true }, name_a: { type: "text", null: true, unique: true } },
  },
  joined_name: {
    columns: {
      id: { type: "nanoid", key: true },
      a: { type: "text", null: true, unique: true },
      a_b: "text",
      b: "text",
    },
    unique: [
      ["a", "b"],
      ["a_b", "b"],
    ],
  },
  joined_name_a: { columns: { b: { type: "nanoid", key: true } }, unique: [["b"]] },
  joined_name_a_key: { columns: { id: { type: "nanoid", key: true } } },
  joined_pkey: { columns: { id: { type: "nanoid", key: true } } },
};

/** One service for each: it owns a table, publishes its events, and subscribes to the one before. */
const services = distinct([
  ...new Set([
    ...SHARP,
    ...wordsOfTypeScript(),
    "a-",
    "nats",
    "public",
    "none",
    "generated",
    "dist",
    "src",
    "hooks",
  ]),
]).filter((word) => word !== HOME && /^[a-z][a-z0-9_-]*$/.test(word));

/** The tables of one service. */
const wordsOf = (home: number) => words.slice(home * PER_HOME, (home + 1) * PER_HOME);

function tablesOf(home: number, columns: (word: string) => object): object {
  // In the singular two of them would be called the same.
  return Object.fromEntries(
    wordsOf(home).map((word) => [word, { row: pascal(word), columns: columns(word) }]),
  );
}

function meshOfNames(): object {
  const columns = (key: string) => ({ [key]: { type: "nanoid", key: true }, [`${key}_`]: "text?" });
  const subjects: Record<string, object> = {};
  const cascades: object[] = [];
  const databases: Record<string, object> = {
    mesh: { tables: { ...tablesOf(0, columns), ...JOINED } },
    static_home: { tables: tablesOf(1, columns) },
  };
  const all: Record<string, object> = {
    [HOME]: { database: "mesh", subscribes: ["user.*"] },
    [HOMES[1]]: { database: "static_home" },
  };
  for (const target of ["joined.name_a", "joined_name.a"])
    cascades.push({ on: "user.user.deleted", service: HOME, set_null: target });
  for (const [at, name] of services.entries()) {
    const word = name.replaceAll("-", "_");
    const database = ["nats", "database"].includes(word) ? `${word}_` : word === "mesh" ? "mesh_" : word;
    const before = services.at(at - 1) ?? "";
    databases[database] = {
      tables: {
        [word]: {
          row: pascal(word),
          columns: { ...columns(word), ...(word === "before" ? {} : { before: "text?" }) },
        },
      },
    };
    all[name] = { database, publishes: [`${name}.*`], subscribes: [`${before}.*`] };
    for (const [action, on] of [
      ["created", "insert"],
      ["deleted", "delete"],
    ])
      subjects[`${name}.${name}.{id}.${action}`] = {
        event: `${pascal(word)}${pascal(action ?? "")}`,
        emit: { table: word, on },
        payload: { [word]: "nanoid" },
      };
    subjects[`${name}.${name}.{id}.${name}`] = {
      event: `${pascal(word)}Said`,
      change: "none",
      payload: { [name.replace("-", "X")]: "string" },
    };
    if (word === "before") continue;
    // A hook may be called as what functions, promises and modules have; what every object has is refused.
    const hook = ["then", "call", "name", "default"][at % 4];
    cascades.push({
      on: `${before}.${before}.deleted`,
      service: name,
      delete: `${word}.before`,
      before: hook,
    });
  }
  return { mesh: "names", services: all, databases, subjects, cascades };
}

test("everything compiles under the project's own flags", () => {
  expect(compile(folder)).toBe("");
});

test("every word is a table that is made, written, read and emptied", async () => {
  expect(words.length).toBeLessThan(HOMES.length * PER_HOME);
  for (const [at, home] of HOMES.entries()) {
    const pool = new pg.Pool({ connectionString: databases[at] ?? "", max: 1 });
    const migrations = pathToFileURL(join(folder, "generated", home, "migrations/"));
    await migrate(pool, { service: home, migrations, logger: silent });
    await pool.query("BEGIN");
    for (const word of wordsOf(at)) await writeAndRead(pool, word);
    await pool.query("COMMIT");
    await pool.end();
  }
});

type Fields = Record<string, unknown>;

async function writeAndRead(db: pg.Pool, word: string): Promise<void> {
  const columns = [
    { name: word, type: "nanoid" },
    { name: `${word}_`, type: "text", nullable: true },
  ] as const;
  const repository = tableRepository<Fields, Fields, Fields>(db, { name: word, key: word, columns });
  const { [word]: id } = await repository.create({ [`${word}_`]: "a" });
  const changed = { [word]: id, [`${word}_`]: "b" };
  expect(await repository.update(String(id), { [`${word}_`]: "b" }), word).toEqual(changed);
  for await (const row of repository.list({ [word]: id })) expect(row).toEqual(changed);
  expect(await repository.delete(String(id))).toBe(true);
}

test("names that are composed of others stay distinct", async () => {
  const pool = new pg.Pool({ connectionString: databases[0] ?? "", max: 1 });
  const { rows } = await pool.query(
    `SELECT tgrelid::regclass::text AS "table", tgname AS name FROM pg_trigger WHERE tgname ~ '^guard_' AND tgrelid::regclass::text ~ '^joined' ORDER BY 1`,
  );
  expect(rows).toEqual([
    { table: "joined", name: "guard_name_a" },
    { table: "joined_name", name: "guard_a" },
  ]);
  for (const [table, column] of [
    ["joined", "name_a"],
    ["joined_name", "a"],
  ]) {
    const insert = `INSERT INTO "${table}" (id, "${column}"${table === "joined" ? "" : ", a_b, b"}) VALUES ($1, 'gone'${table === "joined" ? "" : ", $1, $1"})`;
    await pool.query(insert, ["1"]);
    await expect(pool.query(insert, ["2"])).rejects.toMatchObject({ code: "23505", table });
    await pool.query(`DELETE FROM "${table}"`);
  }
  await pool.query(
    "UPDATE mesh.applied SET deleted = true WHERE entity = 'user.user' AND entity_id = 'gone'",
  );
  await expect(pool.query("INSERT INTO joined (id, name_a) VALUES ('1', 'gone')")).rejects.toMatchObject({
    code: "23503",
  });
  await expect(
    pool.query("INSERT INTO joined_name (id, a, a_b, b) VALUES ('1', 'gone', 'x', 'x')"),
  ).rejects.toMatchObject({ code: "23503" });
  await pool.end();
});
