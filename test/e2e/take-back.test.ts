import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { type Ended, mesh } from "../support/mesh-command.js";

/* Migrations that no commit has yet: whoever returns to a former state of mesh.yaml takes them back, by the command that is printed. */

const roots: string[] = [];
let folder = "";

const STATE = `mesh: shop
services:
  sales: { database: sales_db, publishes: [sales.*], http: { port: 8091, resources: { /api/orders: orders } } }
  desk: { database: desk_db, subscribes: [sales.order.*] }
databases:
  sales_db:
    tables:
      orders: { columns: { order_id: { type: nanoid, key: true }, item: text } }
  desk_db:
    tables:
      order_cache:
        cache: sales.order
        sync: { from: sales, get: /api/orders }
        columns: { order_id: { type: nanoid, key: true }, item: text }
subjects:
  sales.order.{id}.created: { event: OrderCreated, emit: { table: orders, on: insert }, payload: { order_id: string, item: string } }
  sales.order.{id}.updated: { event: OrderUpdated, emit: { table: orders, on: update }, payload: { order_id: string, item: string } }
  sales.order.{id}.deleted: { event: OrderDeleted, emit: { table: orders, on: delete }, payload: { order_id: string } }
`;

function git(...words: readonly string[]): string {
  const identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"];
  const { status, stdout, stderr } = spawnSync("git", [...identity, ...words], {
    cwd: folder,
    encoding: "utf8",
  });
  expect(status, stderr).toBe(0);
  return stdout;
}

function commit(): void {
  git("add", ".");
  git("commit", "-q", "-m", "a state");
}

async function save(text: string): Promise<Ended> {
  writeFileSync(join(folder, "mesh.yaml"), text);
  return await mesh(folder, "generate");
}

const withColumns = (columns: string) =>
  STATE.replaceAll("item: text }", `item: text, ${columns} }`).replaceAll(
    "item: string }",
    `item: string, ${columns.replaceAll("text", "string")} }`,
  );

const migrations = (service: string) => readdirSync(join(folder, `generated/${service}/migrations`));

/** What stands behind `npx mesh` in the output, word for word. */
function commandIn({ stderr }: Ended): readonly string[] {
  const found = /npx mesh (generate --take-back .*)/.exec(stderr)?.[1];
  expect(found, stderr).toBeDefined();
  return (found ?? "").split(" ");
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mesh-take-back-"));
  roots.push(folder);
});
afterAll(() => {
  for (const root of roots) rmSync(root, { recursive: true, force: true });
});

test.each(["in a repository", "without one"])(
  "the way back to a former state is told, works as it stands, and leaves what was there: %s",
  async (where) => {
    expect(await save(STATE)).toMatchObject({ code: 0 });
    if (where === "in a repository") {
      git("init", "-q", "-b", "main");
      commit();
    }
    const former = readFileSync(join(folder, "generated/mesh.lock.json"), "utf8");
    for (const columns of ["note: text?", "note: text?, size: text?"])
      expect(await save(withColumns(columns))).toMatchObject({ code: 0 });
    expect(migrations("sales")).toHaveLength(3);
    const refused = await save(STATE);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("error drop-column");
    const done = await mesh(folder, ...commandIn(refused));
    expect(done, done.stderr).toMatchObject({ code: 0 });
    expect(done.stdout.match(/^ {2}took back /gm)).toHaveLength(4);
    expect(done.stdout).not.toContain("destructive");
    expect(done.stderr).toContain("a database that has had what was taken back has to begin anew");
    expect(migrations("sales")).toHaveLength(1);
    expect(readFileSync(join(folder, "generated/mesh.lock.json"), "utf8")).toBe(former);
    expect(await mesh(folder, "generate", "--check")).toMatchObject({ code: 0 });
    if (where === "in a repository") expect(git("status", "--porcelain")).toBe("");
  },
);

test("only as many are taken back as is needed, and of several one is made", async () => {
  await save(STATE);
  for (const columns of ["note: text?", "note: text?, size: text?", "note: text?, size: text?, tint: text?"])
    await save(withColumns(columns));
  const [first = "", second = "", third = ""] = migrations("sales");
  const refused = await save(withColumns("note: text?"));
  expect(commandIn(refused).join(" ")).toContain(third);
  expect(await mesh(folder, ...commandIn(refused))).toMatchObject({ code: 0 });
  expect(migrations("sales")).toEqual([first, second]);
  await save(withColumns("note: text?, size: text?"));
  const path = (service: string) => `generated/${service}/migrations/${migrations(service)[1]}`;
  const joined = await mesh(folder, "generate", "--take-back", path("sales"), path("desk"));
  expect(joined, joined.stderr).toMatchObject({ code: 0 });
  expect(migrations("sales")).toEqual([first, expect.stringMatching(/^0002_/)]);
  expect(await mesh(folder, "generate", "--check")).toMatchObject({ code: 0 });
});

test("of a migration that somebody has deleted by hand, and no commit has, the way on is told", async () => {
  git("init", "-q", "-b", "main");
  await save(STATE);
  commit();
  await save(withColumns("note: text?"));
  rmSync(join(folder, `generated/sales/migrations/${migrations("sales")[1]}`));
  const missing = await save(STATE);
  expect(missing.stderr).toMatch(/error migration-missing[\s\S]*hint: no commit has it/);
  // The other service has one to take back, too: nothing is half done.
  const half = await mesh(folder, ...commandIn(missing));
  expect(half.code).toBe(1);
  expect(await mesh(folder, ...commandIn(half))).toMatchObject({ code: 0 });
  expect(git("status", "--porcelain")).toBe("");
});

test("what a commit has stays, on whichever branch, and is not offered", async () => {
  git("init", "-q", "-b", "main");
  await save(STATE);
  commit();
  git("checkout", "-q", "-b", "other");
  await save(withColumns("note: text?"));
  commit();
  const [, second = ""] = migrations("sales");
  const refused = await save(STATE);
  expect(refused.code).toBe(1);
  expect(refused.stderr).not.toContain("--take-back");
  const json = await mesh(folder, "generate", "--json");
  expect(JSON.parse(json.stdout)).not.toHaveProperty("takeBack");
  const path = `generated/sales/migrations/${second}`;
  const named = await mesh(folder, "generate", "--take-back", path);
  expect(named).toMatchObject({ code: 2, stdout: "" });
  expect(named.stderr).toContain(`a commit has ${path}, so databases of others may have had it`);
  expect(existsSync(join(folder, path))).toBe(true);
  for (const wrong of ["mesh.yaml", "generated/sales/migrations/0009_x.sql", "../x"])
    expect(await mesh(folder, "generate", "--take-back", wrong)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`${wrong} is no migration of this mesh`),
    });
});
