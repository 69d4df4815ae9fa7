import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { LOCK_FILE } from "../../../generator/emit/lock.js";
import { ROOT, readMesh } from "../../support/compile.js";
import { generate, memoryFolder, outputOf, readTree, writeTree } from "../../support/generated-output.js";

/*
 * A directory is a test: mesh.yaml, and under expected/ the whole tree that it becomes. A file too many
 * fails as one too few does. UPDATE_SCENARIOS=1 records the trees anew.
 */

const SCENARIOS = "test/scenarios/emit";
const hint = "the output has changed: read the difference, then record it with UPDATE_SCENARIOS=1";

describe.each(readdirSync(join(ROOT, SCENARIOS)))("%s", (name) => {
  test("becomes the recorded tree", async () => {
    const output = await outputOf(readMesh(`${SCENARIOS}/${name}/mesh.yaml`));
    const expected = join(ROOT, SCENARIOS, name, "expected");
    if (process.env.UPDATE_SCENARIOS === "1") writeTree(expected, output);
    expect(output, hint).toEqual(readTree(expected));
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
