import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { type ServiceProcess, startServiceProcess } from "../../generator/dev/service-process.js";
import { compile, ROOT } from "../support/compile.js";
import { type MeshBroker, startMeshBroker } from "../support/mesh-broker.js";
import { mesh, meshWith } from "../support/mesh-command.js";
import { MESH, waitFor } from "../support/reference-mesh.js";
import { createRoledDatabase, migrateAs, type RoledDatabase, tablesOf } from "../support/roles.js";
import { freePort } from "../support/servers.js";

/*
 * Two whole generated releases of one mesh, on one broker and the same databases: each replica of the older is replaced
 * under traffic, put back, and replaced again. The services run under the emitted accounts and roles.
 */

const temporary = mkdtempSync(join(tmpdir(), "mesh-rolling-"));
chmodSync(temporary, 0o755);
const releases = { older: join(temporary, "older"), newer: join(temporary, "newer") };
type Release = keyof typeof releases;
type Service = "customers" | "orders";

let broker: MeshBroker;
let env: NodeJS.ProcessEnv;
let roled: Readonly<Record<Service, RoledDatabase>>;
let databases: Readonly<Record<Service, pg.Pool>>;
const running: ServiceProcess[] = [];

/** The newer release: one more column in the owner's table, in its events and in the cache. */
function addPhone(text: string): string {
  return text
    .replaceAll(/( +)name: +\{ type: text, default: "" \}\n/g, "$&$1phone: { type: text, null: true }\n")
    .replaceAll("email: string, name: string }", "email: string, name: string, phone: string? }");
}

beforeAll(async () => {
  const { older, newer } = releases;
  mkdirSync(join(older, "node_modules"), { recursive: true });
  symlinkSync(join(ROOT, "node_modules/@meshwright"), join(older, "node_modules/@meshwright"));
  expect(await mesh(older, "init")).toMatchObject({ code: 0 });
  expect(await mesh(older, "generate")).toMatchObject({ code: 0 });
  cpSync(older, newer, { recursive: true, verbatimSymlinks: true });
  const file = join(newer, "mesh.yaml");
  writeFileSync(file, addPhone(readFileSync(file, "utf8")));
  const made = await mesh(newer, "generate");
  expect(made).toMatchObject({ code: 0 });
  expect(made.stderr).not.toContain("warning");
  expect(made.stdout.match(/new migration/g)).toHaveLength(2);

  broker = await startMeshBroker({
    mesh: compile(readFileSync(join(older, "mesh.yaml"), "utf8")),
    permissions: readFileSync(join(older, "generated/nats.conf"), "utf8"),
  });
  const generated = join(older, "generated");
  roled = {
    customers: await createRoledDatabase(inject("postgres"), "customers", { generated }),
    orders: await createRoledDatabase(inject("postgres"), "orders", { generated }),
  };
  env = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    OPERATOR_KEY: "the key of the operators",
    ORDERS_TO_CUSTOMERS_KEY: "the key of orders",
    CUSTOMERS_DB_URL: roled.customers.service,
    ORDERS_DB_URL: roled.orders.service,
    CUSTOMERS_SERVICE_URL: `http://127.0.0.1:${await freePort()}`,
  };
  const pool = (connectionString: string) => new pg.Pool({ connectionString, max: 4 });
  databases = { customers: pool(roled.customers.owner), orders: pool(roled.orders.owner) };
}, 180_000);

afterAll(async () => {
  await Promise.all(running.map((each) => each.stop()));
  await Promise.all(Object.values(databases ?? {}).map((pool) => pool.end()));
  await broker?.remove();
  rmSync(temporary, { recursive: true, force: true });
});

/** As the release's own `mesh migrate`, before its replicas start. */
async function migrateTo(release: Release, service: Service): Promise<void> {
  const generated = join(releases[release], "generated");
  const { owner, roles } = roled[service];
  const grants = { role: roles.service, tables: tablesOf(service, { generated }) };
  await migrateAs(owner, service, { generated, grants });
}

/** Starts a replica and waits until it is ready. The owner's replicas take turns on its port. */
async function start(release: Release, service: Service): Promise<ServiceProcess> {
  await migrateTo(release, service);
  const log: string[] = [];
  const port = await freePort();
  const onLine = (line: string) => log.push(line);
  const options = { service, folder: releases[release], main: MESH, onLine };
  const replica = startServiceProcess({
    ...options,
    env: { ...env, ...broker.environment(service), PORT: String(port) },
  });
  running.push(replica);
  const isReady = async () => {
    if (!replica.running()) throw new Error(`${release} ${service} ended:\n${log.slice(-15).join("\n")}`);
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
    return answer?.ok === true;
  };
  await waitFor(isReady, { timeoutMs: 60_000, what: `${release} ${service}: ${log.slice(-5).join("\n")}` });
  if (service === "customers") env.CUSTOMERS_SERVICE_URL = `http://127.0.0.1:${port}`;
  return replica;
}

/** A rolling deploy: one by one, a new replica is ready before an old one stops. */
async function replace(old: ServiceProcess, release: Release, service: Service): Promise<ServiceProcess> {
  const next = await start(release, service);
  expect(await old.stop()).toBe("exit code 0");
  return next;
}

/** Creates, renames and partly deletes customers, each in its own transaction, until it is told to stop. */
function traffic(prefix: string) {
  let [count, going] = [0, true];
  const say = (sql: string, id: string) => databases.customers.query(sql, [id]);
  const ended = (async () => {
    for (; going && count < 3_000; count += 1) {
      const id = `${prefix}${count}`;
      await say("INSERT INTO customers (customer_id, email) VALUES ($1::text, $1::text || '@x.example')", id);
      await say("UPDATE customers SET name = 'named ' || $1::text WHERE customer_id = $1::text", id);
      if (count % 7 === 0) await say("DELETE FROM customers WHERE customer_id = $1::text", id);
      await new Promise((wake) => setTimeout(wake, 5));
    }
  })();
  return async () => {
    going = false;
    await ended;
    expect(count).toBeGreaterThan(20);
  };
}

async function rowsOf(service: Service, columns: string): Promise<string> {
  const table = service === "customers" ? "customers" : "customer_cache";
  const { rows } = await databases[service].query(`SELECT ${columns} FROM ${table} ORDER BY customer_id`);
  return JSON.stringify(rows);
}

/** No event was lost or refused, and no cache is stale. */
async function expectCopied(columns: string): Promise<void> {
  await waitFor(async () => (await rowsOf("customers", columns)) === (await rowsOf("orders", columns)), {
    timeoutMs: 30_000,
    what: `the copy of ${columns}`,
  });
  for (const pool of Object.values(databases)) {
    const { rows } = await pool.query("SELECT subject, error FROM mesh.dead_letter");
    expect(rows).toEqual([]);
  }
}

const OLD = "customer_id, email, name";
const ALL = `${OLD}, phone`;

test("replicas are replaced by those of a newer release, by the older ones again, and once more", async () => {
  let customers = await start("older", "customers");
  let orders = await start("older", "orders");
  const forth = traffic("a");
  orders = await replace(orders, "newer", "orders");
  customers = await replace(customers, "newer", "customers");
  await databases.customers.query("UPDATE customers SET phone = 'p' || customer_id");
  await forth();
  await expectCopied(ALL);

  const back = traffic("b");
  customers = await replace(customers, "older", "customers");
  orders = await replace(orders, "older", "orders");
  await back();
  await expectCopied(OLD);

  await databases.customers.query("UPDATE customers SET phone = 'q' || customer_id");
  const again = traffic("c");
  customers = await replace(customers, "newer", "customers");
  orders = await replace(orders, "newer", "orders");
  await again();
  await expectCopied(ALL);
  expect(await meshWith(releases.newer, env, "verify")).toMatchObject({ code: 0 });
}, 240_000);
