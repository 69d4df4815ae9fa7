import { mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Service } from "../../../generator/model/mesh.js";
import type { ServiceDefinition } from "../../../runtime/definition/service-definition.js";
import { serviceVariables } from "../../../runtime/service/config.js";
import { compile, ROOT, readMesh } from "../../support/compile.js";
import { outputOf, writeTree } from "../../support/generated-output.js";

/*
 * The generator prints the environment of a service into .env.example and the README, and the runtime derives it from the
 * service's definition: they say the same.
 */

const scenarios = readdirSync(join(ROOT, "test/scenarios/emit")).map(
  (name) => `test/scenarios/emit/${name}/mesh.yaml`,
);

const folder = mkdtempSync(join(tmpdir(), "mesh-environment-"));
beforeAll(() => symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules")));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each(["mesh.yaml", ...scenarios])(
  "the runtime reads the variables that are documented: %s",
  async (path) => {
    const text = readMesh(path);
    const generated = join(folder, path.replaceAll("/", "-"));
    writeTree(generated, await outputOf(text));
    for (const service of compile(text).services.filter(({ external }) => !external)) {
      const definition = await load(join(generated, service.name, "service.ts"), service);
      const documented = service.environment.map(({ name, required, default: value }) => ({
        name,
        ...(required && { required }),
        ...(value !== undefined && { default: value }),
      }));
      const byName = (a: { name: string }, b: { name: string }) => a.name.localeCompare(b.name);
      expect([...serviceVariables(definition)].sort(byName)).toEqual(documented.sort(byName));
    }
  },
);

async function load(file: string, { names }: Service): Promise<ServiceDefinition> {
  const module: Record<string, (hooks: object) => ServiceDefinition> = await import(file);
  const factory = module[`${names.value}Service`];
  if (factory === undefined) throw new Error(`${file} has no service`);
  return factory({});
}
