import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { ROOT } from "../support/compile.js";
import { mesh, meshWith } from "../support/mesh-command.js";

/* `mesh impact` and `mesh explain` as an architect uses them: a mesh.yaml and hooks, and nothing that was generated. */

const folder = mkdtempSync(join(tmpdir(), "mesh-ask-"));
const at = (path: string) => join(folder, path);

beforeEach(() => {
  rmSync(at("hooks"), { recursive: true, force: true });
  cpSync(join(ROOT, "mesh.yaml"), at("mesh.yaml"));
  cpSync(join(ROOT, "hooks"), at("hooks"), { recursive: true });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("explain tells of a deletion across services, with the hook before it and the columns that it reads", async () => {
  const { code, stdout, stderr } = await mesh(folder, "explain", "auth.user.deleted");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const lines = stdout.split("\n");
  const indexOf = (text: string) => lines.findIndex((line) => line.includes(text));
  expect(lines[indexOf("deleteContainerNamespace")]).toMatch(
    /before each row goes; reads container_id, namespace {2}hooks\/compute\.ts:\d+$/,
  );
  expect(indexOf("deletes rows by user_id")).toBeLessThan(indexOf("compute.container.deleted"));
  expect(indexOf("compute.container.deleted")).toBeLessThan(indexOf("gateway.route.unregistered"));
  expect(stdout).toContain("services: auth, compute, gateway, sfs\n");
});

test("--json has the same tree, with places in mesh.yaml and in hooks", async () => {
  const { code, stdout } = await mesh(folder, "explain", "UserDeleted", "--json");
  expect(code).toBe(0);
  const { next, ...root } = JSON.parse(stdout);
  expect(root).toMatchObject({
    name: "auth.user.deleted",
    part: { kind: "event", event: "UserDeleted" },
    at: { file: "mesh.yaml", line: expect.any(Number), column: 3 },
    services: ["auth", "compute", "gateway", "sfs"],
    from: [{ how: "emits", name: "auth_db.users", with: ["delete"] }],
    remarks: [],
  });
  const compute = next.find(({ part }: { part: { service?: string } }) => part.service === "compute");
  expect(compute.next[0]).toMatchObject({
    how: "deletes rows",
    next: [
      {
        how: "before",
        with: ["container_id", "namespace"],
        at: { file: "hooks/compute.ts", line: expect.any(Number) },
      },
      { how: "emits", name: "compute.container.deleted" },
    ],
  });
});

test("a hook that reads the field is among those that a change concerns, and one that does not is not", async () => {
  const hook = (field: string) =>
    `export const sfsHooks = { async onUserUpdated({ event }) { console.log(event.${field}); } };`;
  writeFileSync(at("hooks/sfs.ts"), hook("display_name"));
  const concerned = await mesh(folder, "impact", "auth.users.display_name");
  expect(concerned.stdout).toContain("sfs.onUserUpdated  reads display_name");
  writeFileSync(at("hooks/sfs.ts"), hook("username"));
  expect((await mesh(folder, "impact", "auth.users.display_name")).stdout).not.toContain("onUserUpdated");
});

test("hooks that do not compile are named with their line, and the answer counts them in", async () => {
  writeFileSync(at("hooks/sfs.ts"), "export const sfsHooks = {\n  async onUserUpdated({ event ) {},\n};\n");
  const { code, stdout, stderr } = await mesh(folder, "impact", "auth.users.display_name");
  expect(code).toBe(0);
  expect(stdout).toContain("sfs.onUserUpdated  may use it: what it reads is not known");
  expect(stderr).toMatch(/^hooks\/sfs\.ts:2: it does not compile: .*; what these hooks read is not known\n$/);
});

test.each([
  ["auth.usrs.display_name", 'did you mean "auth.users.display_name"?'],
  ["sfs_bd", 'did you mean "sfs_db"?'],
  ["auth.user.updatd", 'did you mean "auth.user.updated"?'],
  ["what is this", "name a service, subject, entity, field, table, column or path: auth, "],
])("impact of %s, which there is not, is one error with the nearest name", async (word, hint) => {
  const { code, stdout, stderr } = await mesh(folder, "impact", word);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain(`mesh: mesh.yaml has no "${word}"\nhint: ${hint}`);
});

test("a field that is named alone is asked back with what has it, and a database answers with its tables", async () => {
  expect(await mesh(folder, "impact", "display_name")).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(
      /"display_name" says not of what\nhint: it may be .*auth\.user\.display_name, .*auth_db\.users\.display_name/,
    ),
  });
  const { stdout } = await mesh(folder, "impact", "sfs_db");
  expect(stdout).toMatch(/^sfs_db {2}the database of sfs/);
  expect(stdout).toMatch(/─ sfs {2}keeps its rows in it/);
  expect(stdout).toMatch(
    /─ sfs_db.user_cache {2}a copy of auth.user, filled from GET \/api\/users of auth too/,
  );
});

test("a word near a code is offered the code, whatever its spelling", async () => {
  const { code, stderr } = await mesh(folder, "explain", "shortretention");
  expect(code).toBe(2);
  expect(stderr).toContain('did you mean "short-retention"?');
});

test("a mesh with a mistake is told of it, and nothing else", async () => {
  writeFileSync(
    at("mesh.yaml"),
    readFileSync(at("mesh.yaml"), "utf8").replace("[auth.user.*]\n    http", "[auth.usr.*]\n    http"),
  );
  const { code, stdout, stderr } = await mesh(folder, "impact", "auth");
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(/unknown-subject[\s\S]*\n1 error\n$/);
});

test("check and diff, which write nothing, do not say that nothing was written, and generate does", async () => {
  const text = readFileSync(at("mesh.yaml"), "utf8");
  writeFileSync(at("mesh.yaml"), text.replace("[auth.user.*]\n    http", "[auth.usr.*]\n    http"));
  for (const words of [["check"], ["diff", "--against", "mesh.yaml"]])
    expect((await mesh(folder, ...words)).stderr).toMatch(/\n1 error\n$/);
  expect((await mesh(folder, "generate")).stderr).toMatch(/\n1 error; nothing was written\n$/);
});

test("export into what is no folder, or where none can be made, is one line", async () => {
  writeFileSync(at("taken"), "");
  symlinkSync("linked-to", at("link"));
  for (const out of [
    "taken",
    "taken/below",
    "link",
    ...(existsSync("/proc/self") ? ["/proc/below/api"] : []),
  ]) {
    const { code, stdout, stderr } = await mesh(folder, "export", "backstage", "--out", out);
    expect({ out, code, stdout }).toEqual({ out, code: 2, stdout: "" });
    expect(stderr).toMatch(
      /^mesh: .*(a folder is to be there|cannot be written \(E[A-Z]+\))\n(hint: .*\n)?$/,
    );
  }
  mkdirSync(at("linked-to"));
  expect(await mesh(folder, "export", "backstage", "--out", "link")).toMatchObject({ code: 0 });
  expect(await mesh(folder, "export", "backstage", "--out", "new/folder")).toMatchObject({ code: 0 });
});

test("explain tells of a code with lines that are wrong and right, also where there is no mesh", async () => {
  expect(await mesh(tmpdir(), "explain", "unknown-subject")).toEqual({
    code: 0,
    stdout: `unknown-subject  error

A subscription that matches nothing would receive nothing, and say nothing of it.

  - subscribes: [auth.usr.*]
  + subscribes: [auth.user.*]
`,
    stderr: "",
  });
  const { stdout } = await mesh(tmpdir(), "explain", "drop-column", "--json");
  expect(JSON.parse(stdout)).toEqual({
    code: "drop-column",
    severity: "error",
    why: expect.stringContaining("renamed_from"),
  });
});

test("explain tells of a kind of change what it does, who deploys first and what to do instead", async () => {
  const { code, stdout } = await mesh(tmpdir(), "explain", "field-removed");
  expect(code).toBe(0);
  expect(stdout).toMatch(/^field-removed {2}breaking-consumer: /);
  expect(stdout).toContain(
    "deploy  release 1: its readers can do without it\n        release 2: the owner no longer sends it\n",
  );
  expect(stdout).toContain("instead make it optional (type?)");
  const { stdout: json } = await mesh(tmpdir(), "explain", "field-removed", "--json");
  expect(JSON.parse(json)).toMatchObject({
    kind: "field-removed",
    class: "breaking-consumer",
    deployment: { first: "consumers", releases: 2 },
  });
});

test.each([
  [
    "field-removd",
    'no diagnostic and no change is called "field-removd"\nhint: did you mean "field-removed"?',
  ],
  [
    "unknown-subjekt",
    'no diagnostic and no change is called "unknown-subjekt"\nhint: did you mean "unknown-subject"?',
  ],
  ["auth.users", '"auth.users" is no event, no code and no kind of change\nhint: mesh impact auth_db.users'],
])("explain of %s says what was meant", async (word, said) => {
  expect(await mesh(folder, "explain", word)).toEqual({ code: 2, stdout: "", stderr: `mesh: ${said}\n` });
});

test("colours come where they are wanted, and change no word", async () => {
  const plain = await mesh(folder, "impact", "auth.user");
  const coloured = await meshWith(folder, { FORCE_COLOR: "1" }, "impact", "auth.user");
  expect(plain.stdout).not.toContain("\x1b");
  expect(coloured.stdout).toContain("\x1b[1mauth.user\x1b[22m");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours of a terminal.
  expect(coloured.stdout.replaceAll(/\x1b\[\d+m/g, "")).toBe(plain.stdout);
});
