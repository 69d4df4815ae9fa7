import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { mesh } from "../support/mesh-command.js";

/* `mesh deploy` in a project from which no image comes, and on a mesh with mistakes. */

const folder = mkdtempSync(join(tmpdir(), "mesh-deploy-"));
const at = (path: string) => join(folder, path);
const LOCK = { name: "shop", lockfileVersion: 3, packages: {} };

beforeAll(async () => {
  expect(await mesh(folder, "init")).toMatchObject({ code: 0 });
  expect(await mesh(folder, "generate")).toMatchObject({ code: 0 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("without a lock, a build script or package.json it ends with 1, says what is missing, and names no next step", async () => {
  const manifest = JSON.parse(readFileSync(at("package.json"), "utf8"));
  const { build: _, ...scripts } = manifest.scripts;
  const lacking = [
    [manifest, undefined, "there is no package-lock.json"],
    [{ ...manifest, scripts }, LOCK, 'package.json has no script "build"'],
    [undefined, undefined, "there is no package.json"],
    [
      manifest,
      { ...LOCK, packages: { "node_modules/a": { resolved: "file:../a.tgz" } } },
      "package-lock.json installs ../a.tgz, outside of this folder",
    ],
    [
      manifest,
      { ...LOCK, packages: { "node_modules/a": { resolved: "packages/a", link: true } } },
      "package-lock.json installs the folder packages/a",
    ],
  ] as const;
  const put = (path: string, value: object | undefined) =>
    value === undefined ? rmSync(at(path), { force: true }) : writeFileSync(at(path), JSON.stringify(value));
  for (const [project, lock, reason] of lacking) {
    put("package.json", project);
    put("package-lock.json", lock);
    const deployed = await mesh(folder, "deploy", "compose");
    expect(deployed).toMatchObject({ code: 1, stderr: expect.stringContaining(reason) });
    expect(deployed.stdout).not.toContain("next:");
    const json = await mesh(folder, "deploy", "compose", "--json");
    expect(json).toMatchObject({ code: 1, stderr: "" });
    expect(JSON.parse(json.stdout)).toMatchObject({ unfit: [expect.stringContaining(reason)], next: [] });
    const checked = await mesh(folder, "deploy", "compose", "--check");
    expect(checked).toMatchObject({ code: 1, stderr: expect.stringContaining(reason) });
    expect(checked.stdout).not.toContain("up to date");
  }
  put("package.json", manifest);
  put("package-lock.json", LOCK);
  expect(await mesh(folder, "deploy", "compose")).toMatchObject({
    code: 0,
    stderr: "",
    stdout: expect.stringContaining("next:"),
  });
  expect(await mesh(folder, "deploy", "compose", "--check")).toMatchObject({ code: 0, stderr: "" });
});

test("--json of a mesh with mistakes is their diagnostics, with exit code 1", async () => {
  const text = readFileSync(at("mesh.yaml"), "utf8");
  writeFileSync(at("mesh.yaml"), text.replace("database: customers_db", "database: customer_db"));
  for (const target of ["compose", "kubernetes"]) {
    const { code, stdout, stderr } = await mesh(folder, "deploy", target, "--json");
    expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
    expect(JSON.parse(stdout).diagnostics).toContainEqual(
      expect.objectContaining({ code: "unknown-database", severity: "error", file: "mesh.yaml" }),
    );
  }
  writeFileSync(at("mesh.yaml"), text);
});
