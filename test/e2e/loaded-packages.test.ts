import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../support/compile.js";
import { meshWith } from "../support/mesh-command.js";

/*
 * What a command loads is most of what it costs: a compiler, a server or a driver that it does not use is half a second. A command that
 * needs another package has it added here; one that loads it through a file that it shares with others imports that file too early.
 */

const LIST = fileURLToPath(new URL("../support/list-packages.cjs", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "mesh-loaded-"));

beforeAll(() => cpSync(join(ROOT, "mesh.yaml"), join(folder, "mesh.yaml")));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Those that are long to load, of the ones that `mesh` can load at all. */
const HEAVY = [
  "ajv",
  "elkjs",
  "fast-check",
  "fastify",
  "handlebars",
  "nats",
  "pg",
  "pgsql-ast-parser",
  "pino",
  "prom-client",
  "ts-morph",
  "tsx",
  "typescript",
  "yaml",
];

interface Loaded {
  readonly packages: readonly string[];
  readonly files: readonly string[];
}

async function heavyPackagesOf(...words: readonly string[]): Promise<readonly string[]> {
  const loaded = join(folder, "loaded.json");
  const ended = await meshWith(folder, { NODE_OPTIONS: `--require "${LIST}"`, LOADED: loaded }, ...words);
  expect(ended.stderr).not.toContain("Error:");
  const { packages } = JSON.parse(readFileSync(loaded, "utf8")) as Loaded;
  rmSync(loaded);
  return packages.filter((name) => HEAVY.includes(name)).sort();
}

test.each([
  { words: ["--help"], packages: [] },
  { words: ["check"], packages: [] },
  { words: ["generate"], packages: ["ajv", "handlebars", "ts-morph"] },
  // Up to date by now.
  { words: ["generate"], packages: [] },
  { words: ["diff", "--against", "mesh.yaml"], packages: [] },
  { words: ["impact", "auth.users.display_name"], packages: [] },
  { words: ["explain", "auth.user.deleted"], packages: [] },
  { words: ["graph"], packages: ["elkjs"] },
  { words: ["graph", "--format", "mermaid"], packages: [] },
  { words: ["export", "asyncapi"], packages: [] },
  { words: ["status"], packages: ["nats", "pg", "pino"] },
  { words: ["dlq", "list"], packages: ["nats", "pg", "pino"] },
])("mesh $words loads no package that it does without", async ({ words, packages }) => {
  expect(await heavyPackagesOf(...words)).toEqual(packages);
});

test("templates are published compiled: what prints them loads no compiler", async () => {
  const loaded = join(folder, "loaded.json");
  const environment = { NODE_OPTIONS: `--require "${LIST}"`, LOADED: loaded };
  await meshWith(folder, environment, "generate", "--force");
  const files = (JSON.parse(readFileSync(loaded, "utf8")) as Loaded).files.map((file) =>
    file.replaceAll("\\", "/"),
  );
  expect(files.filter((file) => file.endsWith("handlebars/runtime.js"))).toHaveLength(2);
  expect(files.filter((file) => file.includes("handlebars/compiler"))).toEqual([]);
});
