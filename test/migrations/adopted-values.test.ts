import { afterEach, beforeEach, expect, inject, test } from "vitest";
import { adoptInto } from "../../generator/cli/adopt/adopt-mesh.js";
import { findAdoptable } from "../../generator/cli/adopt/adoptable-tables.js";
import { describedTables } from "../../generator/project/described-tables.js";
import { migrate, readCatalog } from "../../runtime/schema/index.js";
import { compile } from "../support/compile.js";
import { silent } from "../support/loggers.js";
import { openFolder, removeFolders } from "../support/migration-folder.js";
import { chain, openDatabase, type TestDatabase } from "../support/migrations.js";

/*
 * What `mesh adopt` reads of the values that columns may hold, and of names that no payload field can have: as PostgreSQL prints them.
 */

const TABLE = `
CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'happy');
CREATE TABLE orders (
  order_id BIGSERIAL PRIMARY KEY,
  "Order No" TEXT NOT NULL,
  order_no TEXT,
  "größe" INTEGER,
  mood mood NOT NULL DEFAULT 'sad',
  status TEXT NOT NULL CHECK (status IN ('open', 'it''s, paid', '')),
  kind VARCHAR(10) CHECK (kind IN ('a', 'b')),
  "select" VARCHAR(10) CHECK ("select" = ANY (ARRAY['a', 'b'])),
  single TEXT CHECK (single = 'one'),
  level SMALLINT CHECK (level IN (1, 2, -3)),
  free TEXT CHECK (length(free) < 5),
  either TEXT CHECK (either IN ('x', 'y') OR either LIKE 'z%'),
  later TEXT
);
ALTER TABLE orders ADD CHECK (later IN ('x', 'y')) NOT VALID;
`;

let database: TestDatabase;
beforeEach(async () => {
  database = await openDatabase(inject("postgres"));
  await database.client.query(TABLE);
});
afterEach(async () => {
  await database.close();
  await removeFolders();
});

test("adopt takes values of enums and of CHECK … IN as one_of, and columns of odd names as fields by from", async () => {
  const { client } = database;
  const { tables } = findAdoptable(await readCatalog(client));
  const listed = tables.flatMap(({ columns }) =>
    columns.flatMap(({ name, oneOf }) => (oneOf === undefined ? [] : [[name, oneOf] as const])),
  );
  expect(Object.fromEntries(listed)).toEqual({
    mood: ["sad", "it's ok", "happy"],
    status: ["open", "it's, paid", ""],
    kind: ["a", "b"],
    select: ["a", "b"],
    single: ["one"],
    level: [1, 2, -3],
  });
  const { text } = adoptInto({
    text: undefined,
    mesh: undefined,
    service: "shop",
    database: "shop_db",
    tables,
    meshName: "m",
  });
  expect(text).toContain("order_no2: { from: Order No }");
  expect(text).toContain("order_no: string?");
  expect(text).toMatch(/gro_?sse: \{ from: größe \}/);
  const model = compile(text);
  const files = chain([model]).map(({ name, text: sql }) => [name, sql] as const);
  const { path } = await openFolder(Object.fromEntries(files));
  await migrate(client, {
    service: "shop",
    migrations: path,
    tables: model.databases.flatMap(describedTables),
    logger: silent,
  });
  await client.query(
    `INSERT INTO orders ("Order No", "größe", mood, status, level) VALUES ('N 1', 5, 'it''s ok', 'it''s, paid', -3)`,
  );
  const { rows } = await client.query("SELECT body::json AS body FROM mesh.outbox");
  expect(rows[0]?.body).toMatchObject({ order_no2: "N 1", order_no: null, mood: "it's ok", level: -3 });
});
