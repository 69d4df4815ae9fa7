import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "nats";
import { expect, inject, test } from "vitest";
import { afterTest, openClient } from "../support/after-test.js";
import { makeExample } from "../support/example.js";
import { operatorUrl, startDevWith } from "../support/mesh-command.js";
import { createDatabase, waitFor } from "../support/servers.js";

test("examples/billing: a partial copy, a cascade, a hook and exact money on a database that exists", {
  timeout: 110_000,
}, async () => {
  const folder = await makeExample("billing");
  const url = await createDatabase(inject("postgres"), "billing");
  const billing = await openClient(url);
  await billing.query(readFileSync(join(folder, "schema.sql"), "utf8"));

  const dev = await startDevWith(folder, { BILLING_DB_URL: url }, join(folder, ".mesh"));
  afterTest(() => dev.end());
  const access = await openClient(dev.endpoints.databases.access_db);
  const receipts = await openClient(dev.endpoints.databases.receipts_db);
  const nats = await connect({ servers: operatorUrl(dev.endpoints) });
  afterTest(() => nats.close());
  const heard = new Map<string, Record<string, unknown>>();
  nats.subscribe("billing.>", {
    callback: (_, message) => void heard.set(message.subject, message.json()),
  });
  await nats.flush();

  const copy = async () => (await access.query("SELECT id, seats FROM subscription_cache ORDER BY id")).rows;
  const sees = (rows: readonly object[]) =>
    waitFor(async () => JSON.stringify(await copy()) === JSON.stringify(rows), {
      timeoutMs: 30_000,
      what: `the copy to be ${JSON.stringify(rows)}`,
    });
  // What was active before the mesh came; the trial is no part of the copy until it becomes active.
  await sees([{ id: "1", seats: 5 }]);
  await billing.query("UPDATE subscriptions SET status = 'active' WHERE id = 2");
  await sees([
    { id: "1", seats: 5 },
    { id: "2", seats: 1 },
  ]);
  await billing.query("UPDATE subscriptions SET status = 'ended' WHERE id = 1");
  await sees([{ id: "2", seats: 1 }]);

  await billing.query("INSERT INTO invoices (subscription_id, amount) VALUES (2, 9999999999.90)");
  await billing.query("UPDATE invoices SET status = 'paid' WHERE id = 2");
  await waitFor(
    async () =>
      JSON.stringify((await receipts.query("SELECT * FROM receipts")).rows) ===
      '[{"invoice_id":"2","amount":"9999999999.90"}]',
    { timeoutMs: 30_000, what: "the receipt" },
  );
  expect(heard.get("billing.invoice.2.paid")).toMatchObject({ id: "2", amount: "9999999999.90" });

  await access.query("INSERT INTO members (customer_id, email) VALUES (1, 'a@x.org'), (2, 'b@x.org')");
  await expect(access.query("INSERT INTO members (customer_id, email) VALUES (2, 'nobody')")).rejects.toThrow(
    "check constraint",
  );
  await billing.query("UPDATE customers SET name = 'Benjamin', card_token = 'tok_secret' WHERE id = 2");
  await billing.query("DELETE FROM customers WHERE id = 2");
  await waitFor(
    async () => (await access.query("SELECT FROM members WHERE customer_id = 2")).rowCount === 0,
    { timeoutMs: 30_000, what: "the members to go with their customer" },
  );
  await sees([]);
  expect((await access.query("SELECT FROM members")).rowCount).toBe(1);
  expect(heard.get("billing.customer.2.updated")).toMatchObject({ id: "2", name: "Benjamin" });
  expect(JSON.stringify([...heard])).not.toContain("tok_");
});
