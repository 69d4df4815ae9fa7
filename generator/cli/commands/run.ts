import { access } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { refuseOtherModules } from "../../project/module-type.js";
import { UsageError } from "../../project/usage-error.js";
import type { ExitCode } from "../exit-code.js";

/**
 * Runs one generated service in this process, configured by the environment alone. Signals reach its
 * own handlers, since there is no process between; this resolves once it has started.
 */
export async function run(service: string): Promise<ExitCode> {
  const entry = await findEntry(resolve("generated", service));
  if (!entry) {
    throw new UsageError(
      `there is no generated service "${service}": generated/${service}/main.ts does not exist`,
      "run `mesh generate`, in the folder of mesh.yaml, and check the name under `services:`",
    );
  }
  await refuseOtherModules(process.cwd());
  if (entry.endsWith(".ts")) (await import("tsx/esm/api")).register();
  await import(pathToFileURL(entry).href);
  return 0;
}

async function findEntry(folder: string): Promise<string | undefined> {
  for (const name of ["main.ts", "main.js"]) {
    const path = resolve(folder, name);
    const found = await access(path).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  return undefined;
}
