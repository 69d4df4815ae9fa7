import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { ROOT } from "../support/compile.js";
import { hasProc, type RunningDev, startDevWith } from "../support/mesh-command.js";
import { createRoledDatabase, type RoledDatabase, withClient } from "../support/roles.js";

/*
 * Roles and keys under `mesh dev`. Two databases are the user's own: of one the environment names a role for all, of the
 * other its two.
 */

let dev: RunningDev;
let compute: RoledDatabase;
let gateway: RoledDatabase;
let state = "";

beforeAll(async () => {
  state = mkdtempSync(join(tmpdir(), "mesh-dev-state-"));
  // As root, PostgreSQL runs under another uid, which must be able to enter the folder.
  chmodSync(state, 0o755);
  compute = await createRoledDatabase(inject("postgres"), "compute");
  gateway = await createRoledDatabase(inject("postgres"), "gateway", { namesAsEmitted: true });
  const given = {
    COMPUTE_DB_URL: compute.owner,
    GATEWAY_DB_URL: gateway.service,
    GATEWAY_DB_OWNER_URL: gateway.owner,
  };
  dev = await startDevWith(ROOT, given, state);
}, 120_000);

afterAll(async () => {
  await dev?.end();
  rmSync(state, { recursive: true, force: true });
});

const owner = (database: string) => dev.endpoints.databases[database] ?? "";

test("a row that its owner writes reaches the caches", async () => {
  await withClient(owner("auth_db"), (client) =>
    client.query("INSERT INTO users (user_id, username) VALUES ('new', 'of-new')"),
  );
  await withClient(owner("sfs_db"), async (client) => {
    for (let waited = 0; waited < 100; waited += 1) {
      if ((await client.query("SELECT FROM user_cache")).rowCount === 1) return;
      await new Promise((wake) => setTimeout(wake, 100));
    }
    throw new Error("the copy does not have the user");
  });
});

test.skipIf(!hasProc)(
  "a service has its role's password, and its owner's nowhere in its environment",
  async () => {
    const environment = readFileSync(`/proc/${dev.servicePid("auth")}/environ`, "utf8").split("\0");
    const value = (name: string) =>
      environment.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1);
    expect(value("MIGRATE")).toBe("off");
    const url = value("AUTH_DB_URL") ?? "";
    expect(new URL(url).username).toBe("auth_service");
    expect(environment.join("\n")).not.toContain(new URL(owner("auth_db")).password);
    await withClient(url, async (client) => {
      expect((await client.query("SELECT FROM users")).rowCount).toBe(1);
      for (const attempt of ["CREATE TABLE mine ()", "ALTER TABLE users DISABLE TRIGGER USER"])
        await expect(client.query(attempt)).rejects.toMatchObject({ code: "42501" });
    });
    const elsewhere = new URL(url);
    for (const name of ["postgres", "template1", "sfs_db"]) {
      elsewhere.pathname = `/${name}`;
      await expect(withClient(elsewhere.href, (client) => client.query("SELECT 1"))).rejects.toMatchObject({
        code: "42501",
      });
    }
  },
);

test.skipIf(!hasProc)(
  "what a service holds opens what it may call, nothing else of any service",
  async () => {
    const opened: string[] = [];
    for (const thief of Object.keys(dev.endpoints.services)) {
      const environment = readFileSync(`/proc/${dev.servicePid(thief)}/environ`, "utf8").split("\0");
      expect(environment.join("\n")).not.toContain(dev.endpoints.service_key);
      const values = environment.map((line) => line.slice(line.indexOf("=") + 1));
      const keys = [...new Set(values)].filter((value) => /^[\x21-\x7e]{8,300}$/.test(value));
      for (const [callee, { http }] of Object.entries(dev.endpoints.services)) {
        for (const request of [
          "GET /api/users",
          "GET /api/containers",
          "DELETE /api/users/x",
          "POST /operate/resync",
        ]) {
          const [method = "", path = ""] = request.split(" ");
          for (const key of keys) {
            const headers = { authorization: `Bearer ${key}` };
            const { status } = await fetch(http + path, { method, headers });
            if (status !== 401 && status !== 403) opened.push(`${thief}: ${request} of ${callee}`);
          }
        }
      }
    }
    expect(opened.sort()).toEqual([
      "compute: GET /api/users of auth",
      "gateway: GET /api/containers of compute",
      "sfs: GET /api/users of auth",
    ]);
  },
);

test("what the environment names is used as it says", async () => {
  expect(dev.endpoints.databases.compute_db).toBe(compute.owner);
  expect(dev.endpoints.databases.gateway_db).toBe(gateway.owner);
  for (const service of ["compute", "gateway"]) {
    const health = await fetch(`${dev.endpoints.services[service]?.http}/readyz`);
    expect(await health.json()).toMatchObject({ status: "ready" });
  }
  const { rows } = await withClient(gateway.admin, (client) =>
    client.query(
      "SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    ),
  );
  expect(rows).toEqual([{ usename: "gateway_service" }]);
});

test("nothing that it prints lets anybody in", () => {
  const output = dev.output();
  expect(output).toContain("postgresql://127.0.0.1:");
  expect(output).toContain(join(state, "endpoints.json"));
  expect(output).not.toContain(dev.endpoints.service_key);
  for (const url of Object.values(dev.endpoints.databases))
    expect(output).not.toContain(new URL(url).password);
  expect(output).not.toContain(readFileSync(join(state, "postgres", "data.password"), "utf8"));
});
