import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "nats";
import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { openAlertEngine } from "../support/firing-alerts.js";
import { compile, makeProject } from "../support/generated-project.js";
import { hasProc, mesh, meshWith, operatorUrl, type RunningDev, startDev } from "../support/mesh-command.js";
import { waitFor } from "../support/servers.js";

/*
 * Two services that share a PostgreSQL database, and a third one that has its own: each of the three hears the others.
 */

const MESH = `
mesh: market
services:
  shop:
    database: shop_db
    publishes: [shop.*]
    subscribes: [crm.person.*, billing.invoice.*]
    http: { port: 8081, resources: { /api/products: products } }
  billing:
    database: billing_db
    publishes: [billing.*]
    subscribes: [crm.person.*, shop.product.*]
    http: { port: 8082, resources: { /api/invoices: invoices } }
  crm:
    database: crm_db
    publishes: [crm.*]
    subscribes: [shop.product.*, billing.invoice.*]
    http: { port: 8083, resources: { /api/people: people } }
databases:
  shop_db:
    tables:
      products:
        columns:
          product_id: { type: nanoid, key: true }
          name: { type: text, unique: true }
          weight: { type: number, null: true }
      person_cache:
        cache: crm.person
        sync: { from: crm, get: /api/people }
        columns: { person_id: { type: text, key: true }, name: { type: text, unique: true } }
      baskets:
        columns: { basket_id: { type: nanoid, key: true, default: nanoid }, person_id: text }
  billing_db:
    shares: shop_db
    tables:
      payers:
        cache: crm.person
        sync: { from: crm, get: /api/people }
        columns: { person_id: { type: text, key: true }, name: text }
      product_cache:
        cache: shop.product
        sync: { from: shop, get: /api/products }
        columns: { product_id: { type: text, key: true }, name: text }
      invoices:
        columns:
          invoice_id: { type: nanoid, key: true, default: nanoid }
          person_id: text
          product_id: { type: text, references: product_cache, on_delete: cascade }
          rate: { type: number, default: 1 }
          tags: { type: "text[]", default: "[]" }
          due_at: { type: timestamptz, null: true }
  crm_db:
    tables:
      people:
        columns: { person_id: { type: nanoid, key: true }, name: { type: text, unique: true } }
      invoice_cache:
        cache: billing.invoice
        sync: { from: billing, get: /api/invoices }
        columns: { invoice_id: { type: text, key: true }, person_id: text }
subjects:
  crm.person.{id}.created: { event: PersonCreated, emit: { table: people, on: insert }, payload: { person_id: nanoid, name: string } }
  crm.person.{id}.updated: { event: PersonUpdated, emit: { table: people, on: update }, payload: { person_id: nanoid, name: string } }
  crm.person.{id}.deleted: { event: PersonDeleted, emit: { table: people, on: delete }, payload: { person_id: nanoid } }
  shop.product.{id}.created: { event: ProductCreated, emit: { table: products, on: insert }, payload: { product_id: nanoid, name: string, weight: number? } }
  shop.product.{id}.updated: { event: ProductUpdated, emit: { table: products, on: update }, payload: { product_id: nanoid, name: string, weight: number? } }
  shop.product.{id}.deleted: { event: ProductDeleted, emit: { table: products, on: delete }, payload: { product_id: nanoid } }
  shop.basket.{id}.deleted: { event: BasketDeleted, emit: { table: baskets, on: delete }, payload: { person_id: string } }
  billing.invoice.{id}.created: { event: InvoiceCreated, emit: { table: invoices, on: insert }, payload: { invoice_id: nanoid, person_id: string, rate: { type: number, maximum: 9.5 }, tags: "string[]" } }
  billing.invoice.{id}.overdue: { event: InvoiceOverdue, emit: { table: invoices, at: due_at }, payload: { invoice_id: nanoid } }
  billing.invoice.{id}.deleted: { event: InvoiceDeleted, emit: { table: invoices, on: delete }, payload: { invoice_id: nanoid } }
  billing.reminder.{id}.sent: { event: ReminderSent, change: none, payload: { text: string } }
cascades:
  - { on: crm.person.deleted, service: billing, delete: invoices.person_id, before: closeAccount }
  - { on: crm.person.deleted, service: shop, delete: baskets.person_id }
`;

/** A hook's own SQL is sent as it stands, whatever it calls its rows; what it publishes goes to its own outbox. */
const HOOKS = `
import { billingPublisher } from "../generated/billing/publisher.js";
import type { BillingHooks } from "../generated/billing/service.js";
export const billingHooks: BillingHooks = {
  async onPersonCreated({ event, tx }) {
    const { rows } = await tx.query("SELECT mesh.text FROM (VALUES ('mesh.applied of ' || $1)) AS mesh (text)", [event.name]);
    await billingPublisher(tx).reminderSent(event.person_id, { text: rows[0].text });
  },
  async closeAccount() {},
};
`;

/** A service that was killed is started anew, beside whatever else the machine does. */
const PATIENCE_MS = 60_000;
vi.setConfig({ testTimeout: 4 * PATIENCE_MS });

const folder = makeProject();
const cleanups: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
const heard = new Map<string, Readonly<Record<string, unknown>>>();
let dev: RunningDev;
let shop: pg.Client;
let billing: pg.Client;
let crm: pg.Client;

async function open(url = "") {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  cleanups.push(() => client.end());
  return client;
}

/** The first column of all rows. */
async function column(client: pg.Client, sql: string): Promise<string> {
  const { rows } = await client.query<[unknown]>({ text: sql, rowMode: "array" });
  return rows.map(([value]) => String(value)).join();
}

const becomes = (client: pg.Client, sql: string, value: string) =>
  waitFor(async () => (await column(client, sql)) === value, {
    timeoutMs: PATIENCE_MS,
    what: `${sql}: ${value}`,
  });

const hears = (subject: string) =>
  waitFor(() => heard.has(subject), {
    timeoutMs: PATIENCE_MS,
    what: `${subject} among ${[...heard.keys()]}`,
  });

beforeAll(async () => {
  writeFileSync(join(folder, "mesh.yaml"), MESH);
  mkdirSync(join(folder, "hooks"));
  writeFileSync(join(folder, "hooks/billing.ts"), HOOKS);
  expect(await mesh(folder, "generate")).toMatchObject({ code: 0 });
  dev = await startDev(folder, join(folder, ".mesh"));
  cleanups.push(() => dev.end());
  const { databases } = dev.endpoints;
  [shop, billing, crm] = [
    await open(databases.shop_db),
    await open(databases.billing_db),
    await open(databases.crm_db),
  ];
  const nats = await connect({ servers: operatorUrl(dev.endpoints) });
  cleanups.push(() => nats.close());
  nats.subscribe("*.*.*.*", { callback: (_, message) => void heard.set(message.subject, message.json()) });
  await nats.flush();
}, 150_000);

afterAll(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

test("what is generated for a shared database compiles", () => {
  expect(compile(folder, ["generated", "hooks"])).toBe("");
});

test("both lie in one PostgreSQL database, with a role, migrations and a schema of the mesh each", async () => {
  const name = "SELECT current_database() || ' ' || current_user";
  expect(await column(shop, name)).toBe("shop_db shop_owner");
  expect(await column(billing, name)).toBe("shop_db billing_owner");
  expect(await column(shop, "SELECT name FROM mesh.migration WHERE name NOT LIKE 'mesh/%'")).toMatch(
    /^0001_initial_\w+\.sql$/,
  );
  expect(await column(shop, "SELECT nspname FROM pg_namespace WHERE nspname ~ '^mesh' ORDER BY 1")).toBe(
    "mesh,mesh_billing_db",
  );
});

test("mesh dev takes no URL for one of them alone", async () => {
  const url = dev.endpoints.databases.shop_db;
  const alone = await meshWith(
    folder,
    { SHOP_DB_URL: url },
    "dev",
    "--free-ports",
    "--state",
    join(folder, ".alone"),
  );
  expect(alone).toMatchObject({ code: 2 });
  expect(alone.stderr).toContain("billing_db shares shop_db, and only shop_db has a URL");
});

test("neither service may do anything with the tables of the other, nor its owner", async () => {
  const rights = (
    role: string,
  ) => `SELECT nspname || '.' || relname FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'S') AND nspname !~ '^(pg_|information)' AND (has_table_privilege('${role}', pg_class.oid, 'SELECT, INSERT, UPDATE, DELETE, REFERENCES, TRIGGER')
      OR has_any_column_privilege('${role}', pg_class.oid, 'SELECT, INSERT, UPDATE')) AND has_schema_privilege('${role}', n.oid, 'USAGE')`;
  const owned = {
    shop: ["baskets", "person_cache", "products"],
    billing: ["invoices", "payers", "product_cache"],
  };
  for (const [service, tables] of Object.entries(owned)) {
    const schema = service === "shop" ? "mesh" : "mesh_billing_db";
    for (const role of [`${service}_service`, `${service}_owner`]) {
      const found = (await column(shop, rights(role))).split(",");
      expect(found.filter((each) => each.startsWith("public.")).sort(), role).toEqual(
        tables.map((table) => `public.${table}`),
      );
      expect(
        found.filter((each) => !each.startsWith("public.") && !each.startsWith(`${schema}.`)),
        role,
      ).toEqual([]);
    }
  }
  await expect(billing.query("SELECT FROM products")).rejects.toThrow("permission denied");
  await expect(billing.query("INSERT INTO mesh.outbox DEFAULT VALUES")).rejects.toThrow("permission denied");
  await expect(shop.query("SELECT FROM mesh_billing_db.outbox")).rejects.toThrow("permission denied");
});

test("both copy one entity of a third service, and each the other's; hooks write and publish in their own", async () => {
  await crm.query("INSERT INTO people VALUES ('p', 'Ann'), ('q', 'Ben')");
  await becomes(shop, "SELECT name FROM person_cache ORDER BY 1", "Ann,Ben");
  await becomes(billing, "SELECT name FROM payers ORDER BY 1", "Ann,Ben");
  await hears("billing.reminder.p.sent");
  expect(heard.get("billing.reminder.p.sent")).toMatchObject({ text: "mesh.applied of Ann" });

  await shop.query("INSERT INTO products VALUES ('lamp', 'Lamp', 0.1)");
  await becomes(billing, "SELECT name FROM product_cache", "Lamp");
  await billing.query(
    "INSERT INTO invoices (invoice_id, person_id, product_id, tags, due_at) VALUES ('i', 'p', 'lamp', '{a}', now() + interval '2 s'), ('j', 'q', 'lamp', '{}', NULL)",
  );
  await becomes(crm, "SELECT invoice_id FROM invoice_cache ORDER BY 1", "i,j");
  await hears("billing.invoice.i.overdue");
  await expect(
    billing.query("INSERT INTO invoices (person_id, product_id, rate) VALUES ('p', 'lamp', 10)"),
  ).rejects.toThrow("breaks the rules");
  await expect(
    billing.query("INSERT INTO invoices (person_id, product_id, tags) VALUES ('p', 'lamp', '{NULL}')"),
  ).rejects.toThrow("invoices_tags_travels");
});

test.skipIf(!hasProc)(
  "one service stands still and is killed with -9, and the events of the other go on",
  async () => {
    const pid = dev.servicePid("shop");
    process.kill(pid, "SIGSTOP");
    try {
      await shop.query("INSERT INTO products VALUES ('vase', 'Vase', NULL)");
      await billing.query(
        "INSERT INTO invoices (invoice_id, person_id, product_id) VALUES ('k', 'q', 'lamp')",
      );
      await becomes(crm, "SELECT invoice_id FROM invoice_cache ORDER BY 1", "i,j,k");
      const waiting = "SELECT count(*) FROM mesh.outbox";
      expect(await column(shop, waiting)).toBe("1");
      await becomes(billing, waiting.replace("mesh", "mesh_billing_db"), "0");
      expect(heard.has("shop.product.vase.created")).toBe(false);
    } finally {
      process.kill(pid, "SIGKILL");
    }
    await becomes(billing, "SELECT name FROM product_cache ORDER BY 1", "Lamp,Vase");
  },
);

test("a moment whose event cannot be written is late since it was due: MeshMomentsLate fires, status and trace say why", async () => {
  await billing.query(`
    CREATE FUNCTION refuse_overdue() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no overdue today'; END $$;
    CREATE TRIGGER refuse_overdue BEFORE INSERT ON mesh_billing_db.outbox FOR EACH ROW
      WHEN (NEW.subject LIKE '%.overdue') EXECUTE FUNCTION refuse_overdue();
    INSERT INTO invoices (invoice_id, person_id, product_id, due_at) VALUES ('late', 'q', 'lamp', now() - interval '5 min')`);
  await becomes(billing, "SELECT count(*) FROM mesh_billing_db.moment WHERE attempts > 1", "1");
  const alerts = await openAlertEngine({
    rules: readFileSync(join(folder, "generated/monitoring/alerts.yml"), "utf8"),
    targets: [dev.endpoints.services.billing?.http ?? ""],
    key: dev.endpoints.service_key,
  });
  try {
    await waitFor(async () => (await alerts.firing()).has("MeshMomentsLate"), { timeoutMs: PATIENCE_MS });
  } finally {
    await alerts.close();
  }
  const traced = await mesh(folder, "trace", "billing.invoice", "late");
  expect(traced).toMatchObject({ code: 1, stdout: expect.stringContaining("no overdue today") });
  expect((await mesh(folder, "status")).stdout).toMatch(
    /billing: 1 event at a time cannot be published: .*no overdue today/,
  );
  await billing.query("DROP TRIGGER refuse_overdue ON mesh_billing_db.outbox");
  await hears("billing.invoice.late.overdue");
  await billing.query("DELETE FROM invoices WHERE invoice_id = 'late'");
  await becomes(crm, "SELECT invoice_id FROM invoice_cache ORDER BY 1", "i,j,k");
});

test("trace knows a service's part of a shared database: its row, its outbox, its guard and its copy", async () => {
  const trace = async (...what: readonly string[]) => {
    const { code, stdout, stderr } = await mesh(folder, "trace", ...what, "--json");
    return { code, stderr, ...JSON.parse(stdout) };
  };
  const person = await trace("crm.person", "q");
  expect(person).toMatchObject({ code: 0, problems: [], owner: { table: "people", row: "there" } });
  expect(
    person.subscribers.map(
      (one: {
        service: string;
        standing: { kind: string };
        trace: { copy: { table: string; row: string } };
      }) => [one.service, one.standing.kind, one.trace.copy.table, one.trace.copy.row],
    ),
  ).toEqual([
    ["billing", "applied", "payers", "there"],
    ["shop", "applied", "person_cache", "there"],
  ]);
  const invoice = await trace("billing.invoice", "j");
  expect(invoice).toMatchObject({ code: 0, problems: [], owner: { table: "invoices", row: "there" } });
});

test("a deletion cascades in both, each through its own rules, hooks and events", async () => {
  await shop.query("INSERT INTO baskets VALUES ('b', 'p')");
  await crm.query("DELETE FROM people WHERE person_id = 'p'");
  await becomes(shop, "SELECT count(*) FROM baskets", "0");
  await becomes(billing, "SELECT invoice_id FROM invoices ORDER BY 1", "j,k");
  await hears("shop.basket.b.deleted");
  await hears("billing.invoice.i.deleted");
  await becomes(crm, "SELECT invoice_id FROM invoice_cache ORDER BY 1", "j,k");
  await expect(
    billing.query("INSERT INTO invoices (person_id, product_id) VALUES ('p', 'lamp')"),
  ).rejects.toThrow("is deleted");
});

test("status, dlq, verify and resync speak of one service's part of the database", async () => {
  await crm.query(
    `INSERT INTO mesh.outbox (event_id, subject, entity, entity_id, version, body)
     VALUES (gen_random_uuid(), 'crm.person.z.created', 'crm.person', 'z', 1, '{"no":"event"}')`,
  );
  const letters = (service: string) => mesh(folder, "dlq", "list", service, "--json");
  await waitFor(
    async () => (await column(billing, "SELECT count(*) FROM mesh_billing_db.dead_letter")) === "1",
    {
      timeoutMs: PATIENCE_MS,
      what: "the dead letter",
    },
  );
  await waitFor(async () => (await column(shop, "SELECT count(*) FROM mesh.dead_letter")) === "1", {
    timeoutMs: PATIENCE_MS,
    what: "the dead letter of the other",
  });
  await shop.query("DELETE FROM mesh.dead_letter");
  expect((await letters("billing")).stdout).toContain("billing_crm_person");
  expect((await letters("shop")).stdout).not.toContain("crm_person");

  await billing.query("DELETE FROM payers");
  const verified = await mesh(folder, "verify");
  expect(verified.code).toBe(1);
  expect(verified.stdout + verified.stderr).toContain("payers");
  expect(verified.stdout + verified.stderr).not.toMatch(/person_cache.*missing/);
  expect(await mesh(folder, "resync", "billing")).toMatchObject({ code: 0 });
  await becomes(billing, "SELECT name FROM payers", "Ben");
  expect(await mesh(folder, "verify")).toMatchObject({ code: 0 });

  const status = await mesh(folder, "status");
  expect(status.stdout).toMatch(/billing/);
  expect(status.stderr).not.toMatch(/permission|does not exist/);
});
