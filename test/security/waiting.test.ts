import { expect, inject, test } from "vitest";
import { authService } from "../../generated/auth/service.js";
import { startService } from "../../runtime/service/start.js";
import { ROOT } from "../support/compile.js";
import { referenceKeys } from "../support/keys.js";
import { silent } from "../support/loggers.js";
import { meshWith } from "../support/mesh-command.js";
import { createRoledDatabase, migrateAs } from "../support/roles.js";
import { waitFor } from "../support/servers.js";

/*
 * A service whose role may not migrate: it says so, waits, and goes on once the owner has.
 */

test("a service without the right to migrate waits for the owner, whatever MIGRATE says", async () => {
  const database = await createRoledDatabase(inject("postgres"), "auth");
  const env = {
    AUTH_DB_URL: database.service,
    NATS_URL: inject("nats"),
    ...referenceKeys(),
    PORT: "0",
    CONTAINER_CLUSTER: "none",
  };
  const service = await startService(authService(), env, { logger: silent });
  const reasons = async () => {
    const answer = await fetch(`${service.url}/readyz`);
    return ((await answer.json()) as { readonly reasons?: readonly string[] }).reasons?.join("; ") ?? "ready";
  };
  try {
    const refused =
      /^applying migrations: the role of AUTH_DB_URL may not migrate \(mesh migrate does, as the owner\), and mesh\/0001_mesh, .* not applied yet$/;
    await waitFor(async () => refused.test(await reasons()));
    await migrateAs(database.owner, "auth");
    await waitFor(async () => (await reasons()).includes("has no grants yet"));
    expect(await migrateAs(database.owner, "auth", database)).toMatchObject({ applied: [], granted: true });
    await waitFor(async () => (await reasons()) === "ready");
  } finally {
    await service.stop();
  }
});

test("mesh migrate with the service's role alone says whose URL it needs", async () => {
  const database = await createRoledDatabase(inject("postgres"), "auth");
  const ours = { AUTH_DB_URL: database.service };
  const refused = await meshWith(ROOT, ours, "migrate", "auth");
  expect(refused).toMatchObject({ code: 2 });
  expect(refused.stderr).toContain("the role of AUTH_DB_URL may not migrate auth_db");
  expect(refused.stderr).toContain("set AUTH_DB_OWNER_URL to the URL of auth_owner");
  const owned = await meshWith(ROOT, { ...ours, AUTH_DB_OWNER_URL: database.owner }, "migrate", "auth");
  expect(owned).toMatchObject({ code: 0 });
  // The roles of this test are called otherwise.
  expect(owned.stderr).toContain("auth_db has no role auth_service to grant anything: run roles.sql");
});
