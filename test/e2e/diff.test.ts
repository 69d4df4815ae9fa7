import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readMesh } from "../support/compile.js";
import { mesh, meshWith } from "../support/mesh-command.js";
import { sarifMistakes } from "../support/sarif-schema.js";

/* `mesh diff` as CI runs it: in a repository of git, in a folder below its top, against refs, files and the lock. */

const root = mkdtempSync(join(tmpdir(), "mesh-diff-"));
const folder = join(root, "systems");
const text = readMesh();
const FIELD = "payload: { user_id: nanoid, username: string, display_name: string }";

function git(...words: readonly string[]): void {
  const identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"];
  const { status, stderr } = spawnSync("git", [...identity, ...words], { cwd: folder, encoding: "utf8" });
  expect(status, stderr).toBe(0);
}

beforeAll(() => {
  mkdirSync(folder);
  git("init", "-q", "-b", "main");
  writeFileSync(join(folder, "mesh.yaml"), text);
  git("add", ".");
  git("commit", "-q", "-m", "a mesh");
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const write = (next: string) => writeFileSync(join(folder, "mesh.yaml"), next);

describe("against a commit", () => {
  test("mesh diff finds nothing where only a comment was written, and exits 0", async () => {
    write(`# A comment.\n${text}`);
    expect(await mesh(folder, "diff")).toMatchObject({
      code: 0,
      stdout: "no change against HEAD\n",
      stderr: "",
    });
  });

  test("prints what README.md shows for the edit that it tells of", async () => {
    write(text.replace(FIELD, FIELD.replace(", display_name: string", "")));
    const { code, stdout } = await mesh(folder, "diff");
    expect(code).toBe(1);
    expect(readMesh("README.md")).toContain(`\`\`\`\n${stdout}\`\`\``);
  });

  test("exits 1 for a breaking change, names those that it hurts, and 0 where --fail-on leaves its class out", async () => {
    write(text.replace(FIELD, FIELD.replace(", display_name: string", "")));
    const { code, stdout } = await mesh(folder, "diff", "--against", "main");
    expect(code).toBe(1);
    expect(stdout).toContain("main:mesh.yaml:155:51 UserCreated: display_name goes field-removed");
    expect(stdout).toContain("sfs (user_cache.display_name: keeps it)");
    expect(stdout).toContain("compute (user_cache.display_name: keeps it)");
    expect(await mesh(folder, "diff", "--fail-on", "destructive")).toMatchObject({ code: 0 });
    expect(await mesh(folder, "diff", "--fail-on", "none")).toMatchObject({ code: 0 });
    const { stdout: json, code: failing } = await mesh(
      folder,
      "diff",
      "--json",
      "--fail-on",
      "breaking-consumer",
    );
    expect(failing).toBe(1);
    expect(JSON.parse(json)).toMatchObject({ fails: true, counts: { "breaking-consumer": 1 } });
  });

  test("exits 2 in one line for a ref that is not there, one without the file, and a mesh.yaml with mistakes then or now", async () => {
    write(text);
    const lines = async (...args: readonly string[]) => {
      const { code, stdout, stderr } = await mesh(folder, "diff", ...args);
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      return stderr.split("\n")[0];
    };
    expect(await lines("--against", "v9")).toBe(
      'mesh: "v9" is neither a file nor a commit that this repository has',
    );
    expect(await lines("--against", "--output=x")).toMatch(/argument missing|is neither a file nor a commit/);
    expect(await lines("--fail-on", "breaking")).toContain('and not "breaking"');
    write(text.replace("subscribes: [auth.user.*]", "subscribes: [auth.usr.*]"));
    expect(await lines()).toContain("error unknown-subject");
    git("commit", "-q", "-a", "-m", "a mistake");
    write(text);
    expect(await lines()).toContain("HEAD:mesh.yaml is no mesh to this generator: HEAD:mesh.yaml:28:18 ");
    expect(await mesh(folder, "diff", "--against", "HEAD~1")).toMatchObject({ code: 0 });
    git("rm", "-q", "-f", "--cached", "mesh.yaml");
    git("commit", "-q", "-m", "no mesh");
    expect(await lines()).toBe("mesh: HEAD has no mesh.yaml in this folder");
  });

  test("reads the mesh.yaml that a symbolic link of the commit leads to", async () => {
    mkdirSync(join(folder, "linked"));
    symlinkSync("../kept.yaml", join(folder, "linked/mesh.yaml"));
    writeFileSync(join(folder, "kept.yaml"), text);
    git("add", ".");
    git("commit", "-q", "-m", "a link");
    writeFileSync(join(folder, "kept.yaml"), text.replace("port: 8084", "port: 9084"));
    expect((await mesh(join(folder, "linked"), "diff")).stdout).toContain("gateway listens on 9084");
  });
});

describe("to reviewers", () => {
  const awkward = "100%, a:b#c?d é";
  const place = join(folder, awkward);
  const file = `${awkward}/mesh.yaml`;

  beforeAll(() => {
    mkdirSync(place);
    writeFileSync(join(place, "old.yaml"), text);
    writeFileSync(
      join(place, "mesh.yaml"),
      text
        .replace("port: 8084", "port: 9084")
        .replace(
          'display_name:  { type: text, default: "" }',
          "display_name: text # %0A,\n          nick: text?",
        )
        .replace("image:         { type: text }", "image: text\n          approver_user_id: text?"),
    );
  });

  const commands = [{ args: ["check"] }, { args: ["diff", "--against", "old.yaml", "--fail-on", "none"] }];

  test.each(commands)(
    "mesh $args.0 --sarif is SARIF, and names files from the top of the repository",
    async ({ args }) => {
      const { code, stdout } = await mesh(place, ...args, "--sarif");
      expect(code).toBe(0);
      const log = JSON.parse(stdout);
      expect(sarifMistakes(log)).toEqual([]);
      expect(log.runs[0].results.length).toBeGreaterThan(0);
      for (const { locations } of log.runs[0].results) {
        const url = new URL(locations[0].physicalLocation.artifactLocation.uri, "file:///");
        expect(decodeURIComponent(url.pathname)).toBe(`/${file}`);
      }
    },
  );

  test.each(commands)(
    "mesh $args.0 --github is commands that the runner reads as they were meant",
    async ({ args }) => {
      const { code, stdout } = await mesh(place, ...args, "--github");
      expect(code).toBe(0);
      for (const line of stdout.trimEnd().split("\n")) {
        const [, properties = "", said = ""] = /^::(?:error|warning|notice) (.*?)::(.*)$/.exec(line) ?? [];
        const read = properties.split(",").map((pair) => pair.split("="));
        expect(read.map(([name]) => name)).toEqual(["file", "line", "col", "endLine", "endColumn", "title"]);
        expect(unescaped(read[0]?.[1] ?? "")).toBe(file);
        expect(unescaped(said)).not.toMatch(/%0[AD]|%25|%3A|%2C/);
      }
    },
  );

  /** As the runner of GitHub does. */
  function unescaped(text: string): string {
    const escapes = { "%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%" };
    return text.replace(/%(?:0[AD]|3A|2C|25)/g, (escaped) => escapes[escaped as keyof typeof escapes]);
  }

  test("a mesh.yaml with mistakes is SARIF of errors", async () => {
    writeFileSync(join(place, "mesh.yaml"), `${text}\n  - { on: auth.usr.deleted }\nnope: 1\n`);
    const { code, stdout } = await mesh(place, "check", "--sarif");
    expect(code).toBe(1);
    expect(sarifMistakes(JSON.parse(stdout))).toEqual([]);
    expect(JSON.parse(stdout).runs[0].results).toMatchObject([{ level: "error" }, { level: "error" }]);
  });
});

test("outside of a repository exits 2 for a ref, and compares with a file all the same", async () => {
  const bare = mkdtempSync(join(tmpdir(), "mesh-diff-"));
  writeFileSync(join(bare, "mesh.yaml"), text);
  writeFileSync(join(bare, "old.yaml"), text.replace("port: 8084", "port: 9084"));
  const { code, stderr } = await mesh(bare, "diff", "--against", "main");
  expect(code).toBe(2);
  expect(stderr).toContain('there is no git repository here, and no file "main": nothing to compare with');
  const { code: fine, stdout } = await mesh(bare, "diff", "--against", "old.yaml");
  expect(fine).toBe(0);
  expect(stdout).toContain("mesh.yaml:57:7 gateway listens on 8084, no longer on 9084 port-changed");
  rmSync(bare, { recursive: true, force: true });
});

test("a repository without a commit exits 2 and says that it has none", async () => {
  const fresh = mkdtempSync(join(tmpdir(), "mesh-diff-"));
  spawnSync("git", ["init", "-q"], { cwd: fresh });
  writeFileSync(join(fresh, "mesh.yaml"), text);
  const { code, stderr } = await mesh(fresh, "diff");
  rmSync(fresh, { recursive: true, force: true });
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: "mesh: the repository has no commit yet: nothing to compare with\n",
  });
});

test("a repository that git refuses, as that of another user, exits 2 with what git says of it", async () => {
  // Git's own switch for its tests.
  const env = { GIT_TEST_ASSUME_DIFFERENT_OWNER: "1" };
  const { code, stderr } = await meshWith(folder, env, "diff");
  expect(code).toBe(2);
  expect(stderr).toMatch(
    /git does not read the repository here: detected dubious .*\nhint: .*safe\.directory/,
  );
});

test("against a lock tells of the edits since the last generate, and refuses one that a merge has touched", async () => {
  write(text);
  expect(await mesh(folder, "generate")).toMatchObject({ code: 0 });
  const lock = join(folder, "generated/mesh.lock.json");
  write(text.replace("storage_gb: integer }", "storage_gb: integer, status: string }"));
  const { code, stdout } = await mesh(folder, "diff", "--against", "generated/mesh.lock.json");
  expect(code).toBe(1);
  expect(stdout).toContain("ContainerCreated: status is new, and must be there");
  writeFileSync(lock, readFileSync(lock, "utf8").replace('"port":8084', '"port":1'));
  const refused = await mesh(folder, "diff", "--against", "generated/mesh.lock.json");
  expect(refused).toMatchObject({ code: 2, stdout: "" });
  expect(refused.stderr).toContain("is not as one run of this generator has left it");
});

test("against a lock that another version has written exits 2, and says which version that was", async () => {
  const other = join(folder, "other.lock.json");
  const lock = readFileSync(join(folder, "generated/mesh.lock.json"), "utf8");
  writeFileSync(other, lock.replace(/"generator": "[^"]*"/, '"generator": "9.9.9"'));
  const { code, stdout, stderr } = await mesh(folder, "diff", "--against", "other.lock.json");
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(/other\.lock\.json was written by meshwright 9\.9\.9, and this is \d/);
});

test("hooks that do not compile are named with their line beside what changes", async () => {
  mkdirSync(join(folder, "hooks"));
  writeFileSync(
    join(folder, "hooks/sfs.ts"),
    "export const sfsHooks = {\n  async onUserCreated({ event ) {},\n};\n",
  );
  write(text.replace(FIELD, FIELD.replace(", display_name: string", "")));
  writeFileSync(join(folder, "old.yaml"), text);
  const { stdout, stderr } = await mesh(folder, "diff", "--against", "old.yaml", "--fail-on", "none");
  expect(stdout).toContain("UserCreated: display_name goes");
  expect(stderr).toMatch(/^hooks\/sfs\.ts:2: it does not compile: .*; what these hooks read is not known\n$/);
});
