import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, test } from "vitest";
import { afterTest, openClient } from "../support/after-test.js";
import { compile, testProject } from "../support/generated-project.js";
import { mesh, meshWith, startDev } from "../support/mesh-command.js";
import { createDatabase, waitFor } from "../support/servers.js";

/*
 * A read model of several entities: a view over copies, made by SQL of the service's own, served by REST, healed because the copies are.
 */

const MESH = `
mesh: board
services:
  crm: { database: crm_db, publishes: [crm.*], http: { port: 8091, resources: { /api/customers: customers } } }
  sales: { database: sales_db, publishes: [sales.*], http: { port: 8092, resources: { /api/orders: orders } } }
  board:
    database: board_db
    subscribes: [crm.customer.*, sales.order.*]
    http: { port: 8093, resources: { /api/overview: overview } }
databases:
  crm_db: { tables: { customers: { columns: { customer_id: { type: nanoid, key: true }, name: text } } } }
  sales_db: { tables: { orders: { columns: { order_id: { type: nanoid, key: true }, customer_id: text, total: "numeric(12,2)" } } } }
  board_db:
    sql: sql/board
    tables:
      customer_cache: { cache: crm.customer, sync: { from: crm, get: /api/customers }, columns: { customer_id: { type: nanoid, key: true }, name: text } }
      order_cache: { cache: sales.order, sync: { from: sales, get: /api/orders }, columns: { order_id: { type: nanoid, key: true }, customer_id: text, total: "numeric(12,2)" } }
    views:
      overview:
        columns:
          customer_id: { type: text, key: true }
          name: text
          orders: bigint
          total: numeric?
          margin: { type: numeric, null: true, private: true }
subjects:
  crm.customer.{id}.created: { event: CustomerCreated, emit: { table: customers, on: insert }, payload: { customer_id: nanoid, name: string } }
  crm.customer.{id}.updated: { event: CustomerUpdated, emit: { table: customers, on: update }, payload: { customer_id: nanoid, name: string } }
  crm.customer.{id}.deleted: { event: CustomerDeleted, emit: { table: customers, on: delete }, payload: { customer_id: nanoid } }
  sales.order.{id}.created: { event: OrderCreated, emit: { table: orders, on: insert }, payload: { order_id: nanoid, customer_id: string, total: decimal } }
  sales.order.{id}.updated: { event: OrderUpdated, emit: { table: orders, on: update }, payload: { order_id: nanoid, customer_id: string, total: decimal } }
  sales.order.{id}.deleted: { event: OrderDeleted, emit: { table: orders, on: delete }, payload: { order_id: nanoid } }
`;
const VIEW = `CREATE VIEW overview AS
SELECT customer_id, name, count(order_id) AS orders, sum(total) AS total, 1.5 AS margin
FROM customer_cache LEFT JOIN order_cache USING (customer_id) GROUP BY customer_id, name;
`;
const HOOKS = `
import type { BoardHooks } from "../generated/board/service.js";
import { overviewRepository } from "../generated/board/tables.js";

export const boardHooks: BoardHooks = {
  async onOrderCreated({ event, tx }) {
    const row = await overviewRepository(tx).get(event.customer_id);
    // @ts-expect-error a view is only read
    if (row?.orders === "99") await overviewRepository(tx).create(row);
    const margin: string | null | undefined = row?.margin;
    const what = \`\${row?.name} \${row?.orders} \${margin}\`;
    // An order that is created again after its deletion is noted again.
    await tx.query("INSERT INTO noted VALUES ($1, $2) ON CONFLICT (order_id) DO UPDATE SET what = excluded.what", [event.order_id, what]);
  },
};
`;

test("a view joins two copies: read by REST and by a hook, written by nobody, healed by resync; simulated with its SQL", {
  timeout: 180_000,
}, async () => {
  const folder = testProject();
  writeFileSync(join(folder, "mesh.yaml"), MESH);
  for (const path of ["sql/board", "hooks"]) mkdirSync(join(folder, path), { recursive: true });
  writeFileSync(join(folder, "sql/board/0001_overview.sql"), VIEW);
  writeFileSync(
    join(folder, "sql/board/0002_noted.sql"),
    "CREATE TABLE noted (order_id TEXT PRIMARY KEY, what TEXT);\n",
  );
  writeFileSync(join(folder, "hooks/board.ts"), HOOKS);
  const generated = await mesh(folder, "generate");
  expect(generated.code, generated.stderr).toBe(0);
  expect(compile(folder, ["generated", "hooks"])).toBe("");

  const dev = await startDev(folder, join(folder, ".mesh"));
  afterTest(() => dev.end());
  const [crm, sales, board] = await Promise.all(
    ["crm_db", "sales_db", "board_db"].map((name) => openClient(dev.endpoints.databases[name])),
  );
  const ask = async (path: string, method = "GET") => {
    const headers = {
      authorization: `Bearer ${dev.endpoints.service_key}`,
      "content-type": "application/json",
    };
    const body = method === "POST" || method === "PATCH" ? { body: "{}" } : {};
    return await fetch(`${dev.endpoints.services.board?.http}/api/overview${path}`, {
      method,
      headers,
      ...body,
    });
  };
  const shows = (rows: readonly object[]) =>
    waitFor(async () => JSON.stringify(await (await ask("")).json()) === JSON.stringify(rows), {
      timeoutMs: 30_000,
      what: `the overview to be ${JSON.stringify(rows)}`,
    });
  await crm?.query("INSERT INTO customers VALUES ('c1', 'Ada')");
  await shows([{ customer_id: "c1", name: "Ada", orders: "0", total: null }]);
  await sales?.query("INSERT INTO orders VALUES ('o1', 'c1', 9999999999.90), ('o2', 'c1', 0.10)");
  const ada = { customer_id: "c1", name: "Ada", orders: "2", total: "10000000000.00" };
  await shows([ada]);
  expect(await (await ask("/c1")).json()).toEqual(ada);
  expect(await (await ask("?name=Bob")).json()).toEqual([]);
  expect((await ask("?margin=1.5")).status).toBe(400);
  expect((await ask("/nobody")).status).toBe(404);
  for (const [path, method] of [
    ["", "POST"],
    ["/c1", "PATCH"],
    ["/c1", "DELETE"],
    ["/c1", "PUT"],
  ] as const) {
    const refused = await ask(path, method);
    expect([refused.status, refused.headers.get("allow")], `${method} ${path}`).toEqual([
      405,
      "GET, HEAD, OPTIONS",
    ]);
  }
  const { rows: noted } = (await board?.query("SELECT what FROM noted ORDER BY 1")) ?? { rows: [] };
  expect(noted.map(({ what }) => what)).toContainEqual(expect.stringMatching(/^Ada [12] 1\.5$/));

  // Somebody spoils both copies: what they join to is wrong until they are healed.
  await board?.query("DELETE FROM order_cache WHERE order_id = 'o1'; UPDATE customer_cache SET name = 'Eve'");
  await shows([{ ...ada, name: "Eve", orders: "1", total: "0.10" }]);
  expect((await mesh(folder, "verify")).code).toBe(1);
  const healed = await mesh(folder, "resync", "board");
  expect(healed.code, healed.stderr).toBe(0);
  await shows([ada]);
  expect((await mesh(folder, "verify")).code).toBe(0);

  const service = new URL(dev.endpoints.databases.board_db ?? "");
  const named = readFileSync(join(folder, "generated/roles.sql"), "utf8");
  expect(named).toContain("ARRAY['customer_cache', 'order_cache', 'overview']");
  const { rows } = (await board?.query(
    "SELECT has_table_privilege('board_service', 'overview', 'SELECT') AS reads, has_table_privilege('board_service', 'overview', 'INSERT') AS writes",
  )) ?? { rows: [] };
  expect(rows, service.pathname).toEqual([{ reads: true, writes: false }]);

  // A database that was never migrated is within reach, and lacks what would be compared.
  const bare = await createDatabase(inject("postgres"), "bare");
  const unmigrated = await meshWith(folder, { BOARD_DB_URL: bare }, "verify", "board");
  expect(unmigrated.code).toBe(1);
  expect(unmigrated.stdout).toMatch(
    /^board: not compared: customer_cache: its database board_db lacks mesh\/0001_mesh, .+: mesh migrate board$/m,
  );
  expect(unmigrated.stdout).not.toContain("out of reach");

  writeFileSync(
    join(folder, "mesh.yaml"),
    MESH.replace("          name: text\n", "          nam: text\n").replace(
      "orders: bigint",
      "orders: integer",
    ),
  );
  expect((await mesh(folder, "generate")).code).toBe(0);
  const differing = await mesh(folder, "migrate", "board");
  expect(differing.code).toBe(1);
  expect(differing.stderr).toMatch(
    /mesh\.yaml:22:11 - error existing-differs: "overview\.nam" of board_db is not what this file says: there is no such column/,
  );
  expect(differing.stderr).toMatch(
    /mesh\.yaml:23:11 - error existing-differs: "overview\.orders" .*it is bigint, not integer/,
  );

  writeFileSync(join(folder, "mesh.yaml"), MESH);
  expect((await mesh(folder, "generate")).code).toBe(0);
  const simulated = await meshWith(folder, {}, "simulate", "--runs", "3");
  expect(simulated.code, simulated.stdout + simulated.stderr).toBe(0);
});
