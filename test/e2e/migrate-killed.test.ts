import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { generate, makeProject } from "../support/generated-project.js";
import { meshWith } from "../support/mesh-command.js";
import { MESH } from "../support/reference-mesh.js";
import { createDatabase, waitFor } from "../support/servers.js";

/*
 * A database that exists, taken by who owns its tables and is no superuser; and a migration that is killed while it gives earlier rows
 * their versions.
 */

const DOCUMENT = {
  mesh: "shop",
  services: { shop: { database: "shop_db", publishes: ["shop.order.*"] } },
  databases: {
    shop_db: {
      existing: true,
      tables: {
        orders: { columns: { order_id: { type: "bigint", key: true, defaulted: true }, state: "text" } },
      },
    },
  },
  subjects: {
    "shop.order.{id}.created": {
      event: "OrderCreated",
      emit: { table: "orders", on: "insert" },
      payload: { state: "string" },
    },
    "shop.order.{id}.updated": {
      event: "OrderUpdated",
      emit: { table: "orders", on: "update" },
      payload: { state: "string" },
    },
    "shop.order.{id}.deleted": {
      event: "OrderDeleted",
      emit: { table: "orders", on: "delete" },
      payload: { order_id: "integer" },
    },
  },
};
const ROWS = 400_000;

let folder: string;
let admin: string;
let client: pg.Client;
const owner = `keeper_${process.pid}`;
const application = `application_${process.pid}`;

beforeAll(async () => {
  folder = makeProject();
  await generate(folder, DOCUMENT);
  admin = await createDatabase(inject("postgres"), "owned");
  client = new pg.Client({ connectionString: admin });
  await client.connect();
  await client.query(`
    CREATE ROLE ${owner} LOGIN PASSWORD 'pass' NOSUPERUSER NOCREATEDB NOCREATEROLE;
    CREATE ROLE ${application} LOGIN PASSWORD 'pass';
    GRANT CREATE ON SCHEMA public TO ${owner};
    SET ROLE ${owner};
    CREATE TABLE orders (order_id BIGSERIAL PRIMARY KEY, state TEXT NOT NULL);
    GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO ${application}; GRANT USAGE ON SEQUENCE orders_order_id_seq TO ${application};
    INSERT INTO orders (state) SELECT 'old' FROM generate_series(1, ${ROWS});
    RESET ROLE;`);
});
afterAll(async () => {
  await client?.end();
  rmSync(folder, { recursive: true, force: true });
});

const as = (role: string) => {
  const url = new URL(admin);
  url.username = role;
  url.password = "pass";
  return url.href;
};
const migrateAs = (role: string) =>
  meshWith(folder, { SHOP_DB_OWNER_URL: as(role), SHOP_DB_URL: as(role) }, "migrate", "shop");
const versions = async () =>
  Number(
    (await client.query("SELECT count(*) FROM mesh.entity_version").catch(() => ({ rows: [{ count: 0 }] })))
      .rows[0]?.count,
  );

test("who owns the tables and is no superuser needs CREATE on the database, and is told so", async () => {
  const refused = await migrateAs(owner);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain("may not migrate shop_db");
  await client.query(`GRANT CREATE ON DATABASE ${new URL(admin).pathname.slice(1)} TO ${owner}`);
  await client.query(
    `CREATE ROLE other_${owner} LOGIN PASSWORD 'pass'; GRANT CREATE ON DATABASE ${new URL(admin).pathname.slice(1)} TO other_${owner}`,
  );
  const other = await migrateAs(`other_${owner}`);
  expect(other.code).toBe(1);
  expect(other.stderr).toContain(`it belongs to ${owner}: migrate as that role`);
});

test("mesh migrate killed while it gives earlier rows their versions: writers' events are there, the next run ends it, and no event is for the rest", {
  timeout: 180_000,
}, async () => {
  const child = spawn(process.execPath, [MESH, "migrate", "shop"], {
    cwd: folder,
    env: { ...process.env, SHOP_DB_OWNER_URL: as(owner), SHOP_DB_URL: as(owner) },
    stdio: "ignore",
  });
  await waitFor(async () => (await versions()) > 0, {
    timeoutMs: 60_000,
    what: "the first part of the rows",
  });
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  expect(await ended).toEqual([null, "SIGKILL"]);
  const before = await versions();
  expect(before).toBeLessThan(ROWS);
  // The server ends the statement that it has by itself: cut it off, as a server that goes down would.
  await client.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'meshwright shop%' AND datname = current_database()",
  );
  const writer = new pg.Client({ connectionString: as(application) });
  await writer.connect();
  await writer.query("UPDATE orders SET state = 'new' WHERE order_id IN (1, 399999)");
  await writer.query("INSERT INTO orders (state) VALUES ('born')");
  await writer.query("DELETE FROM orders WHERE order_id = 2");
  await writer.end();

  const next = await migrateAs(owner);
  expect(next.code, next.stderr).toBe(0);
  expect(next.stdout).toContain("applied 0001_initial");
  const { rows } = await client.query("SELECT subject, version FROM mesh.outbox ORDER BY seq");
  expect(rows).toEqual([
    { subject: "shop.order.1.updated", version: "2" },
    { subject: "shop.order.399999.updated", version: expect.stringMatching(/^[12]$/) },
    { subject: `shop.order.${ROWS + 1}.created`, version: "1" },
    { subject: "shop.order.2.deleted", version: "2" },
  ]);
  const { rows: missing } = await client.query(
    "SELECT count(*)::integer AS without FROM orders WHERE NOT EXISTS (SELECT FROM mesh.entity_version WHERE entity_id = order_id::text)",
  );
  expect(missing).toEqual([{ without: 0 }]);
  const again = await migrateAs(owner);
  expect(again.stdout).toContain("up to date");
});

test("the emitted roles.sql makes the service's role and leaves owner, application and rights as they were; the service writes and publishes", async () => {
  const name = new URL(admin).pathname.slice(1);
  const rights = async () =>
    (
      await client.query(
        "SELECT relname, relowner::regrole::text AS owner, array_to_string(relacl, ' ') AS acl FROM pg_class WHERE relname LIKE 'orders%' ORDER BY 1",
      )
    ).rows;
  const before = await rights();
  const service = `${name}_service`;
  const roles = readFileSync(join(folder, "generated/roles.sql"), "utf8")
    .replaceAll("'shop_db'", `'${name}'`)
    .replaceAll("'shop_service'", `'${service}'`);
  await client.query(roles);
  await client.query(roles);
  expect(await rights()).toEqual(before);
  await client.query(`ALTER ROLE ${service} PASSWORD 'pass'`);
  // As the owner, who is no superuser, grants it.
  const keeper = new pg.Client({ connectionString: as(owner) });
  await keeper.connect();
  await keeper.query("SELECT mesh.grant_service($1, ARRAY['public.orders'])", [service]);
  await keeper.end();
  const writer = new pg.Client({ connectionString: as(service) });
  await writer.connect();
  await writer.query("UPDATE orders SET state = 'served' WHERE order_id = 5");
  await expect(writer.query("ALTER TABLE orders ADD x TEXT")).rejects.toMatchObject({ code: "42501" });
  await writer.query("SELECT * FROM mesh.outbox");
  await writer.end();
  const { rows } = await client.query("SELECT subject FROM mesh.outbox ORDER BY seq DESC LIMIT 1");
  expect(rows).toEqual([{ subject: "shop.order.5.updated" }]);
});
