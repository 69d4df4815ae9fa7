import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { mesh } from "../support/mesh-command.js";

/*
 * `mesh generate` remembers what its last run said. What it remembers is changed here to say 77 services: a run that says so has not
 * compiled mesh.yaml again.
 */

const place = mkdtempSync(join(tmpdir(), "mesh-last-run-"));
afterAll(() => rmSync(place, { recursive: true }));

const MESH = `mesh: remembered
services:
  auth:
    database: auth_db
    publishes: [auth.user.*]
databases:
  auth_db:
    tables:
      users:
        columns:
          user_id: { type: uuid, key: true }
          name: text
subjects:
  auth.user.{id}.created:
    { event: UserCreated, emit: { table: users, on: insert }, payload: { user_id: uuid, name: string } }
`;

const KEPT = "node_modules/.cache/meshwright/generate.json";
let folder: string;
const at = (path: string) => join(folder, path);

async function generate(...options: readonly string[]): Promise<string> {
  const { stdout, stderr } = await mesh(folder, "generate", ...options);
  return `${stdout}${stderr}`;
}

beforeEach(async () => {
  folder = mkdtempSync(join(place, "project-"));
  mkdirSync(at("node_modules"));
  writeFileSync(at("mesh.yaml"), MESH);
  expect(await generate()).toContain("1 service, 1 event");
  pretend77Services();
});

function pretend77Services(): void {
  const kept: object = JSON.parse(readFileSync(at(KEPT), "utf8"));
  writeFileSync(at(KEPT), JSON.stringify({ ...kept, services: 77 }));
}

test("the same mesh.yaml is not compiled again, and --json says what a whole run says", async () => {
  expect(await generate()).toContain("up to date: 77 services");
  // A run that takes more than a second says so on stderr.
  const recalled = await mesh(folder, "generate", "--json");
  const whole = await mesh(folder, "generate", "--json", "--force");
  expect(JSON.parse(recalled.stdout)).toEqual(JSON.parse(whole.stdout));
});

test("what hooks are warned of is said again, and no more once there is nothing to warn of", async () => {
  rmSync(at("generated"), { recursive: true });
  writeFileSync(at("mesh.yaml"), readFileSync("mesh.yaml"));
  const warning = "warning missing-hook";
  expect(await generate()).toContain(warning);
  pretend77Services();
  const again = await generate();
  expect(again).toContain("up to date: 77 services");
  expect(again).toContain(warning);
  const hooks = "export const computeHooks = { deleteContainerNamespace: async () => {} };\n";
  mkdirSync(at("hooks"));
  writeFileSync(at("hooks/compute.ts"), hooks);
  expect(await generate()).not.toContain(warning);
});

test.each([
  ["a comment in mesh.yaml", "mesh.yaml", `# Another.\n${MESH}`, "up to date: 1 service"],
  ["a hook", "hooks/auth.ts", "export const authHooks = {};\n", "1 service"],
  ["a generated file", "generated/auth/tables.ts", "", "1 written"],
  ["the lock", "generated/mesh.lock.json", "{", "1 written"],
  ["what was remembered", KEPT, "{", "up to date: 1 service"],
  ["what was remembered, to nothing", KEPT, "null", "up to date: 1 service"],
] as const)("after an edit of %s it is compiled again", async (_, path, text, said) => {
  if (path.startsWith("hooks/")) mkdirSync(at("hooks"));
  writeFileSync(at(path), text);
  const output = await generate();
  expect(output).toContain(said);
  expect(output).not.toContain("77 services");
});

test("what is remembered is not asked by --check, and cannot hide what is missing", async () => {
  expect(await generate("--check")).toContain("up to date: 1 service");
  rmSync(at("generated/auth/main.ts"));
  expect(await generate("--check")).toContain("generated/auth/main.ts: missing");
  expect(await generate()).toContain("1 written");
});

test("without node_modules nothing is remembered, and none is made", async () => {
  rmSync(at("node_modules"), { recursive: true });
  expect(await generate()).toContain("up to date: 1 service");
  expect(existsSync(at("node_modules"))).toBe(false);
});

test("a FIFO in the place of what is remembered holds up nobody", async () => {
  rmSync(at(KEPT));
  execFileSync("mkfifo", [at(KEPT)]);
  expect(await generate()).toContain("up to date: 1 service");
}, 30_000);
