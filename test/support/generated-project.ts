import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { afterTest } from "./after-test.js";
import { ROOT } from "./compile.js";
import { mesh } from "./mesh-command.js";

/** A folder with the packages of this one. */
export function makeProject(): string {
  const folder = mkdtempSync(join(tmpdir(), "mesh-names-"));
  // As root, PostgreSQL runs under another uid, which must be able to enter the folder.
  chmodSync(folder, 0o755);
  const packages = join(folder, "node_modules");
  mkdirSync(packages);
  for (const name of readdirSync(join(ROOT, "node_modules")))
    if (!name.startsWith(".")) symlinkSync(join(ROOT, "node_modules", name), join(packages, name));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  return folder;
}

/** The same for as long as the test runs. */
export function testProject(): string {
  const folder = makeProject();
  afterTest(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Throws with the compiler's output. */
export async function generate(folder: string, document: object): Promise<void> {
  writeFileSync(join(folder, "mesh.yaml"), stringify(document, { aliasDuplicateObjects: false }));
  const { code, stderr } = await mesh(folder, "generate");
  if (code !== 0) throw new Error(stderr.slice(0, 5_000));
}

/** TypeScript's diagnostics for the generated files, or those of more folders, under the repository's flags. */
export function compile(folder: string, include: readonly string[] = ["generated"]): string {
  const flags = {
    extends: join(ROOT, "tsconfig.json"),
    compilerOptions: {
      rootDir: "/",
      typeRoots: [join(ROOT, "node_modules/@types")],
      noUnusedLocals: true,
    },
    include,
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(flags));
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  return spawnSync(process.execPath, [tsc, "-p", folder], { encoding: "utf8" }).stdout;
}
