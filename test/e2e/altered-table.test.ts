import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, test } from "vitest";
import { afterTest, openClient } from "../support/after-test.js";
import { makeExample } from "../support/example.js";
import { meshWith, startDevWith } from "../support/mesh-command.js";
import { createDatabase, waitFor } from "../support/servers.js";

/*
 * An application alters its tables under a running mesh.
 */

test("status, verify and /readyz name what mesh.yaml says of a table and no longer holds, and what they say mends it", {
  timeout: 240_000,
}, async () => {
  const folder = await makeExample("billing");
  const url = await createDatabase(inject("postgres"), "altered");
  const billing = await openClient(url);
  await billing.query(readFileSync(join(folder, "schema.sql"), "utf8"));
  const env = { BILLING_DB_URL: url };
  const dev = await startDevWith(folder, env, join(folder, ".mesh"));
  afterTest(() => dev.end());
  const invoice = "INSERT INTO invoices (subscription_id) VALUES (2)";

  // Ours goes with the column: the CHECK that keeps NaN out of messages.
  await billing.query("ALTER TABLE invoices DROP COLUMN amount");
  await billing.query("UPDATE subscriptions SET seats = 3 WHERE id = 2");
  await billing.query("ALTER TABLE subscriptions ALTER seats TYPE bigint");
  const said = [
    /^billing: mesh\.yaml:\d+:\d+: "subscriptions\.seats" of billing_db is not what this file says: it is bigint, not integer; undo that in the database, or change mesh\.yaml, then mesh generate and mesh migrate billing$/m,
    /^billing: mesh\.yaml:\d+:\d+: "invoices\.amount" of billing_db is not what this file says: there is no such column/m,
  ];
  for (const command of ["status", "verify"]) {
    const { code, stdout } = await meshWith(folder, env, command);
    expect(code).toBe(1);
    for (const line of said) expect(stdout).toMatch(line);
  }
  const ready = async () =>
    (await (await fetch(`${dev.endpoints.services.billing?.http}/readyz`)).json()) as {
      readonly status: string;
      readonly reasons?: readonly string[];
    };
  await waitFor(async () => (await ready()).status === "degraded", {
    timeoutMs: 45_000,
    what: "/readyz to have read the catalogue again",
  });
  expect((await ready()).reasons?.toSorted()).toEqual([
    expect.stringMatching(
      /^table invoices\.amount: there is no such column: undo that, or say it in mesh\.yaml/,
    ),
    expect.stringMatching(/^table subscriptions\.seats: it is bigint, not integer/),
  ]);
  // Its own reasons and those of /readyz are one finding each.
  const { stdout } = await meshWith(folder, env, "status", "--json");
  expect(JSON.parse(stdout).findings).toHaveLength(2);

  await billing.query("ALTER TABLE subscriptions ALTER seats TYPE integer");
  const file = join(folder, "mesh.yaml");
  const without = readFileSync(file, "utf8")
    .replace(/^ +amount: (numeric|\{ type: "numeric).*\n/gm, "")
    .replace("payload: { id: bigint, amount: decimal }", "payload: { id: bigint }");
  writeFileSync(file, without);
  const generated = await meshWith(folder, env, "generate", "--allow-destructive");
  expect(generated.code, generated.stderr).toBe(0);
  const migrated = await meshWith(folder, env, "migrate", "billing");
  expect(migrated.code, migrated.stderr).toBe(0);
  await billing.query(invoice);

  // Triggers of ours that do not fire: nothing is refused, and nothing is told.
  await billing.query(
    "DROP TRIGGER mesh_on_update ON subscriptions; ALTER TABLE customers DISABLE TRIGGER ALL",
  );
  await billing.query("UPDATE subscriptions SET seats = 7 WHERE id = 2");
  const idle = [
    /^billing: mesh\.yaml:\d+:\d+: "subscriptions" of billing_db is not what its migrations have made: trigger mesh_on_update is gone: its rows change without events; put them back with mesh migrate billing/m,
    /^billing: mesh\.yaml:\d+:\d+: "customers" of billing_db is not what its migrations have made: triggers mesh_on_delete, mesh_on_insert, mesh_on_update, .+ are disabled: its rows change without events; put/m,
  ];
  for (const command of ["status", "verify"]) {
    const found = await meshWith(folder, env, command);
    expect(found.code).toBe(1);
    for (const line of idle) expect(found.stdout).toMatch(line);
  }
  await waitFor(
    async () => (await ready()).reasons?.some((reason) => reason.startsWith("table customers: triggers ")),
    { timeoutMs: 45_000, what: "/readyz to have read the catalogue again" },
  );
  const [dry, back] = [
    await meshWith(folder, env, "migrate", "billing", "--dry-run"),
    await meshWith(folder, env, "migrate", "billing"),
  ];
  expect(dry.stdout).toMatch(/^billing_db: would put back: public\.customers: triggers .+ are disabled$/m);
  expect(back.stderr).toMatch(
    /^public\.subscriptions: trigger mesh_on_update was gone; put back: what changed meanwhile/m,
  );
  await billing.query("UPDATE subscriptions SET seats = 8 WHERE id = 2");
  const mended = await meshWith(folder, env, "status", "--json");
  expect(JSON.parse(mended.stdout).findings.filter((one: string) => one.includes("trigger"))).toEqual([]);
});
