import { cpSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { ROOT } from "./compile.js";
import { compile, testProject } from "./generated-project.js";
import { mesh } from "./mesh-command.js";

/** A copy of `examples/<name>` for as long as the test runs, generated without a warning and compiled with its hooks. */
export async function makeExample(name: string): Promise<string> {
  const folder = testProject();
  cpSync(join(ROOT, "examples", name), folder, {
    recursive: true,
    filter: (path) => !/[/\\](generated|\.mesh)$/.test(path),
  });
  const { code, stderr } = await mesh(folder, "generate");
  expect(code, stderr).toBe(0);
  expect(stderr).not.toContain("warning");
  expect(compile(folder, ["generated", "hooks"])).toBe("");
  return folder;
}
