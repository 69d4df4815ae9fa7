import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { refuseOtherModules } from "../../../generator/project/module-type.js";

const root = mkdtempSync(join(tmpdir(), "mesh-module-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

test("a folder whose package.json does not say that its code is ES modules is refused with the fix, not with Node's message", async () => {
  const folder = join(root, "mesh");
  mkdirSync(folder);
  writeFileSync(join(root, "package.json"), '{ "type": "module" }');
  await refuseOtherModules(folder);
  for (const text of ["{}", '{ "type": "commonjs" }', "{"]) {
    writeFileSync(join(folder, "package.json"), text);
    await expect(refuseOtherModules(folder)).rejects.toMatchObject({ hint: 'add "type": "module" to it' });
  }
});
