import { copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../support/compile.js";
import { makeProject } from "../support/generated-project.js";
import { mesh } from "../support/mesh-command.js";

/*
 * `mesh simulate` writes rows that enter partial copies and leave them: by one of several values, a boolean and null.
 */

let folder: string;
beforeAll(() => {
  folder = makeProject();
  copyFileSync(join(ROOT, "test/scenarios/emit/copies/mesh.yaml"), join(folder, "mesh.yaml"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("every promise holds for a copy of a list of values, of null and of a boolean", async () => {
  const generated = await mesh(folder, "generate");
  expect(generated.code, generated.stderr).toBe(0);
  const { code, stdout, stderr } = await mesh(folder, "simulate", "--runs", "5", "--seed", "5");
  expect(code, stdout + stderr).toBe(0);
  expect(stdout).toContain("every promise kept");
});
