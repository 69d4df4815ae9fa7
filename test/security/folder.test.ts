import { execFileSync } from "node:child_process";
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sha256 } from "../../generator/emit/lock.js";
import { applyPlan } from "../../generator/plan-output.js";
import { openOutputFolder } from "../../generator/project/output-folder.js";
import { readRegularFile } from "../../generator/project/regular-file.js";
import { readMesh } from "../support/compile.js";
import { generate, memoryFolder, plan } from "../support/generated-output.js";

/*
 * generated/ comes with a branch that anybody may send: links in it, and a lock that names files of others.
 */

const reference = readMesh("mesh.yaml");
let home: string;
let outside: string;
let root: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "mesh-folder-"));
  outside = join(home, "outside");
  root = join(home, "generated");
  mkdirSync(outside);
  writeFileSync(join(outside, "mine"), "mine");
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

/** Nothing was written through links. */
function expectOutsideUntouched(): void {
  expect(readdirSync(outside)).toEqual(["mine"]);
  expect(readFileSync(join(outside, "mine"), "utf8")).toBe("mine");
}

function written(): readonly string[] {
  if (!existsSync(root) || lstatSync(root).isSymbolicLink()) return [];
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
}

describe("what stands where a file or a folder is to be is refused before anything is written", () => {
  test.each<[string, () => void]>([
    ["a link to a file", () => symlinkSync(join(outside, "mine"), join(root, "README.md"))],
    ["a link to nothing", () => symlinkSync(join(outside, "new"), join(root, "README.md"))],
    ["a link in place of the lock", () => symlinkSync(join(outside, "mine"), join(root, "mesh.lock.json"))],
    ["a link to a folder", () => symlinkSync(outside, join(root, "auth"))],
    [
      "a link in place of the migrations",
      () => {
        mkdirSync(join(root, "auth"));
        symlinkSync(outside, join(root, "auth/migrations"));
      },
    ],
    [
      "a link among the migrations",
      () => {
        mkdirSync(join(root, "auth/migrations"), { recursive: true });
        symlinkSync(join(outside, "mine"), join(root, "auth/migrations/0001_initial.sql"));
      },
    ],
    [
      "a link in place of the whole",
      () => {
        rmSync(root, { recursive: true });
        symlinkSync(outside, root);
      },
    ],
    ["a FIFO", () => execFileSync("mkfifo", [join(root, "README.md")])],
    ["a FIFO in place of the lock", () => execFileSync("mkfifo", [join(root, "mesh.lock.json")])],
    ["a folder", () => mkdirSync(join(root, "README.md"))],
    ["a file in place of a folder", () => writeFileSync(join(root, "auth"), "")],
  ])("%s", async (_, prepare) => {
    mkdirSync(root);
    prepare();
    const before = written();
    const run = generate(reference, openOutputFolder(root));
    await expect(run).rejects.toMatchObject({ name: "UsageError", hint: expect.any(String) });
    await expect(run).rejects.toThrow(/generated/);
    expect(written()).toEqual(before);
    expectOutsideUntouched();
  });
});

describe("what changes between the look and the writing", () => {
  test("a folder that became a link gets nothing", async () => {
    const folder = openOutputFolder(root);
    await generate(reference, folder);
    const planned = await plan(reference.replace(/^description:.*$/m, "description: Another."), folder, {
      version: "9.9.9",
    });
    renameSync(join(root, "auth"), join(home, "auth"));
    symlinkSync(outside, join(root, "auth"));
    const write = [{ path: "auth/events.ts", text: "new" }];
    expect(() => applyPlan({ ...planned, write }, folder)).toThrow("link");
    expect(() => applyPlan({ ...planned, write: [], remove: ["auth/mine"] }, folder)).toThrow("link");
    expectOutsideUntouched();
  });

  test("a file that became a link is not written through", async () => {
    const folder = openOutputFolder(root);
    await generate(reference, folder);
    rmSync(join(root, "README.md"));
    symlinkSync(join(outside, "mine"), join(root, "README.md"));
    expect(() => folder.write("README.md", "new")).toThrow("link");
    expectOutsideUntouched();
  });
});

test("another name of a file keeps the old text", async () => {
  mkdirSync(root);
  linkSync(join(outside, "mine"), join(root, "README.md"));
  await generate(reference, openOutputFolder(root));
  expect(readFileSync(join(root, "README.md"), "utf8")).toContain("# edd-cloud");
  expectOutsideUntouched();
  expect(written().filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

test.runIf(process.getuid?.() !== 0)("a folder that is read-only is told in one line", () => {
  mkdirSync(root, { mode: 0o500 });
  expect(() => openOutputFolder(root).write("README.md", "")).toThrow(
    /README\.md cannot be written \(EACCES\)/,
  );
});

test.each(["../outside/mine", "/etc/hosts", "auth/../../outside/mine", "", "a\nb", "."])(
  "%j is no path in it",
  (path) => {
    mkdirSync(root);
    const folder = openOutputFolder(root);
    expect(() => folder.write(path, "new")).toThrow();
    expect(() => folder.remove(path)).toThrow();
    expectOutsideUntouched();
  },
);

describe("the lock", () => {
  const hash = "0".repeat(64);
  const current = { lockVersion: 1, generator: "1.2.3", fingerprint: hash, files: {}, migrations: {} };

  test.each<unknown>([
    "null",
    "[]",
    "7",
    '"text"',
    "{}",
    '{"lockVersion":99}',
    '{"lockVersion":"1"}',
    '{"lockVersion":1}',
    '{"lockVersion":2}',
    { ...current, fingerprint: undefined },
    { ...current, fingerprint: ["x"] },
    { ...current, files: null },
    { ...current, files: [] },
    { ...current, files: { "README.md": 7 } },
    { ...current, files: { "README.md": "x" } },
    { ...current, files: { "../outside/mine": hash } },
    { ...current, files: { "/etc/hosts": hash } },
    { ...current, files: { "auth/../../mine": hash } },
    { ...current, files: { "auth\\..\\mine": hash } },
    { ...current, files: { "C:/mine": hash } },
    { ...current, files: { "a\nb.ts": hash } },
    { ...current, files: { "\u001b[2J.ts": hash } },
    { ...current, files: { "auth/migrations/0001_initial.sql": hash } },
    { ...current, migrations: "x" },
    { ...current, migrations: { "README.md": hash } },
    { ...current, migrations: { "../x/migrations/1.sql": hash } },
    { ...current, migrations: { "auth/migrations/a\u001b.sql": hash } },
  ])("%j is one error, and nothing is written", async (lock) => {
    const text = typeof lock === "string" ? lock : JSON.stringify(lock);
    const folder = memoryFolder({ "mesh.lock.json": text });
    const { refusals } = await generate(reference, folder);
    expect(refusals).toMatchObject([{ code: "lock-malformed", file: "generated/mesh.lock.json" }]);
    expect(refusals[0]?.message).toMatch(/^the lock .+: no run has left it so$/s);
    expect(folder.done).toEqual([]);
  });

  test("of a merge is read as far as its lines are those of a run", async () => {
    const folder = memoryFolder();
    await generate(reference, folder);
    const lock = folder.files.get("mesh.lock.json") ?? "";
    const line = `    "../outside/mine": "${hash}",`;
    folder.files.set(
      "mesh.lock.json",
      lock.replace('"files": {', `"files": {\n<<<<<<< ours\n${line}\n=======\n>>>>>>> theirs`),
    );
    folder.files.set("../outside/mine", "mine");
    expect((await generate(reference, folder)).remove).toEqual([]);
  });

  test("names no file for deletion that does not say that a run wrote it", async () => {
    const theirs = {
      "package.json": "{}",
      "notes.md": "# mine\n",
      "auth/mine.ts": "export {};\n",
      "auth/migrations/README.md": "mine",
      "schemas/Mine.schema.json": '{ "$id": "Mine.schema.json" }',
      ".gitignore": "*",
    };
    const ours = {
      "auth/old.ts": "// Code generated by meshwright from mesh.yaml. DO NOT EDIT.\nexport {};\n",
    };
    const folder = memoryFolder();
    await generate(reference, folder);
    const lock = JSON.parse(folder.files.get("mesh.lock.json") ?? "");
    for (const [path, text] of Object.entries({ ...theirs, ...ours })) {
      folder.files.set(path, text);
      lock.files[path] = sha256(text);
    }
    folder.files.set("mesh.lock.json", JSON.stringify({ ...lock, fingerprint: hash }));
    const { remove, warnings } = await generate(reference, folder);
    expect(remove).toEqual(Object.keys(ours));
    expect(warnings.filter(({ code }) => code === "left-alone").map(({ file }) => file)).toEqual(
      Object.keys(theirs).map((path) => `generated/${path}`),
    );
    for (const [path, text] of Object.entries(theirs)) expect(folder.files.get(path)).toBe(text);
  });

  test("a name in it is quoted in the command that a hint suggests", async () => {
    const migrations = { "auth/migrations/$(touch pwned);x.sql": hash };
    const folder = memoryFolder({ "mesh.lock.json": JSON.stringify({ ...current, migrations }) });
    const { refusals } = await generate(reference, folder);
    expect(refusals[0]?.hint).toContain("-- 'generated/auth/migrations/$(touch pwned);x.sql'");
  });
});

describe("mesh.yaml itself", () => {
  test.each<[string, (path: string) => void]>([
    ["a FIFO", (path) => execFileSync("mkfifo", [path])],
    ["a folder", (path) => mkdirSync(path)],
    ["a device", (path) => symlinkSync("/dev/zero", path)],
    ["a link to itself", (path) => symlinkSync(path, path)],
  ])("that is %s is one error, at once", async (_, make) => {
    const path = join(home, "mesh.yaml");
    make(path);
    await expect(readRegularFile(path, 100)).rejects.toMatchObject({ name: "UsageError" });
  });

  test("is read up to what a mesh may be", async () => {
    const path = join(home, "mesh.yaml");
    writeFileSync(path, "x".repeat(1_000));
    expect((await readRegularFile(path, 100))?.length).toBe(100);
    expect(await readRegularFile(join(home, "none"), 100)).toBeUndefined();
  });
});
