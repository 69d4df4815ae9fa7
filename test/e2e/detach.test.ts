import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { expect, inject, test } from "vitest";
import { afterTest } from "../support/after-test.js";
import { testProject } from "../support/generated-project.js";
import { mesh, meshWith } from "../support/mesh-command.js";
import { createDatabase } from "../support/servers.js";

/*
 * What `mesh detach` takes from the role of a service: all that the mesh has granted it, wherever that was.
 */

const MESH = `
mesh: detach
services:
  crater: { database: detached_db, publishes: [crater.crate.*], http: { port: 8081, resources: { /crates: crates, /totals: totals } } }
databases:
  detached_db:
    existing: true
    sql: sql/crater
    tables:
      crates: { schema: Store House, table: Crate, columns: { crate_id: { type: bigint, key: true, defaulted: true }, label: text } }
      shelves: { columns: { shelf_id: { type: bigint, key: true, defaulted: true } } }
      drafts: { existing: false, columns: { draft_id: { type: nanoid, key: true } } }
    views:
      totals: { schema: Reports, view: Totals, columns: { crate_id: { type: bigint, key: true } } }
subjects:
  crater.crate.{id}.created: { event: CrateCreated, emit: { table: crates, on: insert }, payload: { crate_id: bigint } }
`;

/** As mesh.yaml's names make it. */
const ROLE = "crater_service";

test("mesh detach leaves the service's role nothing: it can be dropped", { timeout: 120_000 }, async () => {
  const folder = testProject();
  writeFileSync(join(folder, "mesh.yaml"), MESH);
  mkdirSync(join(folder, "sql/crater"), { recursive: true });
  writeFileSync(
    join(folder, "sql/crater/0001_stats.sql"),
    'CREATE SCHEMA stats;\nCREATE TABLE stats.days (day DATE PRIMARY KEY);\nCREATE SEQUENCE stats.runs;\nCREATE VIEW stats.crates AS SELECT crate_id FROM "Store House"."Crate";\n',
  );
  expect(await mesh(folder, "generate")).toMatchObject({ code: 0 });
  const url = await createDatabase(inject("postgres"), "detached_db");
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  afterTest(() => client.end());
  await client.query(`REVOKE ALL ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA "Store House"; CREATE TABLE "Store House"."Crate" (crate_id BIGSERIAL PRIMARY KEY, label TEXT NOT NULL);
CREATE TABLE shelves (shelf_id BIGSERIAL PRIMARY KEY);
CREATE SCHEMA "Reports"; CREATE VIEW "Reports"."Totals" AS SELECT crate_id FROM "Store House"."Crate";
CREATE ROLE ${ROLE}`);
  const { code, stderr } = await meshWith(folder, { DATABASE_URL: url }, "migrate", "crater");
  expect(code, stderr).toBe(0);
  // Connecting is granted by roles.sql.
  await client.query(
    `GRANT CONNECT ON DATABASE ${client.escapeIdentifier(client.database ?? "")} TO ${ROLE}`,
  );
  const granted = async () =>
    (
      await client.query<{ what: string }>(
        `SELECT pg_describe_object(classid, objid, objsubid) AS what FROM pg_shdepend
         WHERE refclassid = 'pg_authid'::regclass AND refobjid = $1::regrole AND classid <> 'pg_authid'::regclass ORDER BY 1`,
        [ROLE],
      )
    ).rows.map(({ what }) => what);
  expect(await granted()).toEqual(
    expect.arrayContaining([
      'table "Store House"."Crate"',
      "table shelves",
      'view "Reports"."Totals"',
      "table stats.days",
      "sequence stats.runs",
      "schema Store House",
      "schema Reports",
      "schema stats",
      "schema public",
    ]),
  );
  const detached = await meshWith(folder, { DATABASE_URL: url }, "detach", "crater", "--drop-tables");
  expect(detached.code, detached.stderr).toBe(0);
  expect(await granted()).toEqual([]);
  await client.query(`DROP ROLE ${ROLE}`);
});
