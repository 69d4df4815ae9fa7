import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, expect, test } from "vitest";
import { ROOT } from "../support/compile.js";
import { mesh, startDev } from "../support/mesh-command.js";
import { MESH, waitFor } from "../support/reference-mesh.js";

/*
 * `mesh dev` on the state folder that another branch has left.
 */

const temporary = mkdtempSync(join(tmpdir(), "mesh-branch-test-"));
chmodSync(temporary, 0o755);
const state = join(temporary, ".mesh");
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

async function noteApplied(url: string | undefined, name: string, breaks: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("INSERT INTO mesh.migration (name, sha256, breaks) VALUES ($1, 'x', $2)", [
    name,
    breaks,
  ]);
  await client.end();
}

test("after a branch that only added something, all services run", async () => {
  const first = await startDev(ROOT, state);
  await noteApplied(first.endpoints.databases.auth_db, "0009_add_users_email_0123456789.sql", "");
  await first.end();
  const again = await startDev(ROOT, state);
  expect(Object.keys(again.endpoints.services)).toHaveLength(4);
  const reason = "users.username is dropped";
  await noteApplied(again.endpoints.databases.auth_db, "0010_drop_users_username_0123456789.sql", reason);
  await again.end();
}, 150_000);

const dev = ["dev", "--free-ports", "--state", state];

test("after one that it cannot live with, it ends and says what to do", async () => {
  const { code, stderr } = await mesh(ROOT, ...dev);
  expect(code).toBe(2);
  expect(stderr).toMatch(
    /databases in .* are of another branch, or of another mesh:\s+auth_db: migration 0010_drop_users_username/,
  );
  expect(stderr).toContain("users.username is dropped");
  expect(stderr).toContain("mesh dev --fresh");
  expect(stderr).not.toContain("starting it again");
}, 90_000);

const hasScript = spawnSync("script", ["--version"]).status === 0;

test.runIf(hasScript)(
  "at a terminal it asks, and starts fresh",
  async () => {
    const command = [process.execPath, MESH, ...dev].map((word) => `'${word}'`).join(" ");
    const child = spawn("script", ["-qefc", command, "/dev/null"], { cwd: ROOT });
    let output = "";
    child.stdout.on("data", (text) => {
      output += text;
    });
    const ended = new Promise((resolve) => child.once("close", resolve));
    await waitFor(() => output.includes("start fresh"), { timeoutMs: 60_000, what: "the question" });
    child.stdin.write("y\n");
    await waitFor(() => existsSync(join(state, "endpoints.json")), {
      timeoutMs: 60_000,
      what: "mesh dev to be ready",
    });
    child.stdin.write("\x03");
    await ended;
    expect(output).toContain("ready in");
  },
  150_000,
);
