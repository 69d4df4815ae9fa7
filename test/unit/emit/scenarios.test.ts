import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { LOCK_FILE } from "../../../generator/emit/lock.js";
import { emitMigrations } from "../../../generator/emit/sql/emit-migrations.js";
import { ROOT, readMesh } from "../../support/compile.js";
import { generate, memoryFolder, readTree, writeTree } from "../../support/generated-output.js";

/*
 * A directory is a test: mesh.yaml, with the reason in its first comment, and under expected/ what it becomes. A file
 * too many fails as one too few does. `# records: sfs/tables.ts, schemas/*` names the files in which the feature shows;
 * without it the whole tree is recorded. Where there is a before.yaml, mesh.yaml comes after it.
 * UPDATE_SCENARIOS=1 records the trees anew.
 */

const SCENARIOS = "test/scenarios/emit";
const hint = "the output has changed: read the difference, then record it with UPDATE_SCENARIOS=1";

/** The same of every mesh, or of what else is recorded: the reference mesh's are compared below. */
const COMMON = ["mesh.schema.json", LOCK_FILE];

const planner = {
  loadMigrationPlanner: async () => emitMigrations,
  templates: readTree(join(ROOT, "templates")),
};

async function recordedOutput(name: string): Promise<Record<string, string>> {
  const text = readMesh(`${SCENARIOS}/${name}/mesh.yaml`);
  const [, records] = /^# records: (.+)$/m.exec(text) ?? [];
  const folder = memoryFolder();
  const before = `${SCENARIOS}/${name}/before.yaml`;
  if (existsSync(join(ROOT, before)))
    await generate(readMesh(before), folder, records === undefined ? {} : planner);
  await generate(text, folder, records === undefined ? {} : planner);
  const files = [...folder.files].filter(([path]) => !COMMON.includes(path) && isRecorded(path, records));
  // Its hash would give a migration another name with each change.
  return Object.fromEntries(
    files.map(([path, content]) => [path.replace(/_[0-9a-f]{10}(?=\.sql$)/, ""), content]),
  );
}

function isMigration([path]: readonly [string, string]): boolean {
  return path.includes("/migrations/");
}

/** `*` stands for a part of one name. */
function isRecorded(path: string, patterns: string | undefined): boolean {
  if (patterns === undefined) return true;
  return patterns
    .split(", ")
    .map((pattern) => pattern.replaceAll(".", "\\.").replaceAll("*", "[^/]*"))
    .some((pattern) => new RegExp(`^${pattern}$`).test(path));
}

describe.each(readdirSync(join(ROOT, SCENARIOS)))("%s", (name) => {
  test("becomes the recorded tree", async () => {
    const output = await recordedOutput(name);
    const expected = join(ROOT, SCENARIOS, name, "expected");
    if (process.env.UPDATE_SCENARIOS === "1") writeTree(expected, output);
    expect(output, hint).toEqual(readTree(expected));
    expect(Object.keys(output)).not.toEqual([]);
  });

  test("is where its migrations lead: generated anew, none is added", async () => {
    const text = readMesh(`${SCENARIOS}/${name}/mesh.yaml`);
    const first = memoryFolder();
    await generate(text, first, planner);
    const again = memoryFolder(Object.fromEntries([...first.files].filter(isMigration)));
    await generate(text, again, planner);
    expect([...again.files].filter(isMigration)).toEqual([...first.files].filter(isMigration));
  });

  test("says why it exists", () => {
    expect(readMesh(`${SCENARIOS}/${name}/mesh.yaml`)).toMatch(/^# [A-Z].{30,}/);
  });
});

test("the reference mesh becomes generated/", async () => {
  const committed = readTree(join(ROOT, "generated"));
  const migrations = Object.entries(committed).filter(([path]) => path.includes("/migrations/"));
  const folder = memoryFolder(Object.fromEntries(migrations));
  const { version } = JSON.parse(readMesh("generator/package.json"));
  await generate(readMesh("mesh.yaml"), folder, { version });

  const fresh = Object.fromEntries(folder.files);
  const { [LOCK_FILE]: freshLock = "{}", ...files } = fresh;
  const { [LOCK_FILE]: committedLock = "{}", ...committedFiles } = committed;
  expect(files, "generated/ lags behind: npm run generate").toEqual(committedFiles);
  expect(JSON.parse(freshLock).files).toEqual(JSON.parse(committedLock).files);
});
