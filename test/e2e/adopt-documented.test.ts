import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { ROOT } from "../support/compile.js";
import { makeProject } from "../support/generated-project.js";
import { mesh, meshWith, startDevWith } from "../support/mesh-command.js";
import { dumpSchema } from "../support/pg-dump.js";
import { createDatabase, waitFor } from "../support/servers.js";

/*
 * Two services that were written by hand, with keys that the database counts: an owner, and a subscriber whose copy has
 * missed a deletion and a change. Both databases come into one mesh.yaml, and the copy is kept from there on.
 */

let folder: string;
const urls: Record<string, string> = {};
const clients: Record<string, pg.Client> = {};

beforeAll(async () => {
  folder = makeProject();
  for (const name of ["auth_db", "sfs_db"]) {
    const url = await createDatabase(inject("postgres"), name);
    urls[name] = url;
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(readFileSync(join(ROOT, "test/scenarios/adopt/documented", `${name}.sql`), "utf8"));
    clients[name] = client;
  }
});
afterAll(async () => {
  for (const client of Object.values(clients)) await client.end();
  rmSync(folder, { recursive: true, force: true });
});

/** What a team changes after `mesh adopt`: who is told apart by what, and who hears whom. */
function edit(text: string): string {
  return text
    .replace(
      "id: { type: integer, key: true, defaulted: true }\n          user_id: { type: text, unique: true }",
      "id: { type: integer, unique: true, defaulted: true }\n          user_id: { type: text, key: true }",
    )
    .replace(
      "on: delete }\n    payload: { id: integer }",
      "on: delete }\n    payload: { user_id: string, username: string }",
    )
    .replace("    publishes: [sfs.*]\n", "    publishes: [sfs.*]\n    subscribes: [auth.user.*]\n")
    .replace(
      "      files:\n",
      `      user_cache:
        existing: true
        cache: auth.user
        sync: { from: auth, get: /api/users }
        columns:
          user_id: { type: text, key: true }
          username: { type: text, unique: true }
          display_name: { type: text, defaulted: true }
          synced_at: { type: timestamp, null: true, defaulted: true }
      files:
`,
    )
    .concat("cascades:\n  - { on: auth.user.deleted, service: sfs, set_null: namespaces.owner_id }\n");
}

test("tables with SERIAL keys of two services come into one file, and their hand-kept copy converges", async () => {
  const auth = await mesh(folder, "adopt", urls.auth_db ?? "", "--service", "auth", "--tables", "users");
  expect(auth.code, auth.stderr).toBe(0);
  const sfs = await mesh(
    folder,
    "adopt",
    urls.sfs_db ?? "",
    "--service",
    "sfs",
    "--tables",
    "namespaces,files",
  );
  expect(sfs.code, sfs.stderr).toBe(0);
  const file = join(folder, "mesh.yaml");
  writeFileSync(file, edit(readFileSync(file, "utf8")));
  const generated = await mesh(folder, "generate");
  expect(generated.code, generated.stderr).toBe(0);
  const before = await Promise.all(Object.values(urls).map(dumpSchema));
  const env = { AUTH_DB_URL: urls.auth_db, SFS_DB_URL: urls.sfs_db };
  const dev = await startDevWith(folder, env, join(folder, ".mesh"));
  try {
    const copy = async () =>
      (
        await clients.sfs_db?.query<{ user_id: string; username: string }>(
          "SELECT user_id, username FROM user_cache ORDER BY length(user_id), user_id",
        )
      )?.rows ?? [];
    await waitFor(async () => (await copy()).length === 50, {
      timeoutMs: 60_000,
      what: "the copy to converge",
    });
    expect((await copy())[0]).toEqual({ user_id: "u1", username: "user 1" });
    await clients.auth_db?.query("INSERT INTO users (user_id, username) VALUES ('u51', 'late')");
    await clients.auth_db?.query("DELETE FROM users WHERE user_id = 'u1'");
    await waitFor(
      async () => {
        const rows = await copy();
        return (
          rows.some(({ username }) => username === "late") && !rows.some(({ user_id }) => user_id === "u1")
        );
      },
      { timeoutMs: 30_000, what: "an insert and a deletion" },
    );
    const { rows } =
      (await clients.sfs_db?.query("SELECT name, owner_id FROM namespaces ORDER BY name")) ?? {};
    expect(rows).toEqual([
      { name: "ns1", owner_id: null },
      { name: "ns2", owner_id: "u2" },
    ]);
  } finally {
    await dev.end();
  }
  for (const service of ["auth", "sfs"]) {
    const detached = await meshWith(folder, env, "detach", service, "--drop-events");
    expect(detached.code, detached.stderr).toBe(0);
  }
  expect(await Promise.all(Object.values(urls).map(dumpSchema))).toEqual(before);
});
