import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, inject, test } from "vitest";
import { LOCK_FILE } from "../../generator/emit/lock.js";
import { emitMigrations } from "../../generator/emit/sql/emit-migrations.js";
import type { GenerateInput } from "../../generator/plan-output.js";
import { readCatalog } from "../support/catalog.js";
import {
  templates as emitTemplates,
  generate as generateFiles,
  type MemoryFolder,
  memoryFolder,
  plan as planFiles,
} from "../support/generated-output.js";
import { applyFiles, openDatabase, templates as sqlTemplates } from "../support/migrations.js";

/*
 * Two branches that each change the mesh, and what git makes of them: both branches' migrations, and a lock of one
 * of them, of neither, or full of conflict markers. The chain is the same whatever became of the lock.
 */

const real = (options: Partial<GenerateInput> = {}): Partial<GenerateInput> => ({
  loadMigrationPlanner: async () => emitMigrations,
  templates: { ...emitTemplates, ...sqlTemplates },
  ...options,
});
const generate = (text: string, folder: MemoryFolder, options?: Partial<GenerateInput>) =>
  generateFiles(text, folder, real(options));
const check = (text: string, folder: MemoryFolder) => planFiles(text, folder, real({ distrustLock: true }));

const scratch = mkdtempSync(join(tmpdir(), "mesh-branches-"));
afterAll(() => rmSync(scratch, { recursive: true }));

/** With git's own merge, conflict markers included. */
function gitMerge(base: string, ours: string, theirs: string, ...how: readonly string[]): string {
  const paths = { ours, base, theirs };
  for (const [name, text] of Object.entries(paths)) writeFileSync(join(scratch, name), text);
  try {
    return execFileSync("git", ["merge-file", "-p", ...how, "ours", "base", "theirs"], {
      cwd: scratch,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

interface Columns {
  /** Columns of table `users` besides its key and its name. */
  readonly columns: string;
  /** Fields of its events besides these. */
  readonly fields?: string;
  readonly table?: string;
  readonly tables?: string;
}

function mesh({ columns, fields = "", table = "users", tables = "" }: Columns): string {
  const event = (name: string, action: string, on: string) =>
    `  auth.user.{id}.${action}: { event: ${name}, emit: { table: ${table.split(":")[0]}, on: ${on} }, payload: { id: string, name: string${fields} } }`;
  return `mesh: m
services:
  auth: { database: auth_db, publishes: [auth.*] }
databases:
  auth_db:
    tables:
      ${table.includes(":") ? table : `${table}:`}
        columns:
          id: { type: nanoid, key: true }
          name: text
          ${columns}
${tables}
subjects:
${event("UserCreated", "created", "insert")}
${event("UserUpdated", "updated", "update")}
`;
}

interface Case {
  readonly what: string;
  readonly base: Columns | undefined;
  readonly ours: Columns;
  readonly theirs: Columns;
  readonly merged: Columns;
  /** Whether the branches and the merge allow destructive steps. */
  readonly allowed?: "on the branch" | "at the merge";
}

const NOTE = "note: { type: text, null: true }";
const EMAIL = "email: { type: text, null: true }";
const PHONE = "phone: { type: text, null: true }";
const below = (...columns: readonly string[]) => columns.join("\n          ");

const CASES: readonly Case[] = [
  {
    what: "different columns and different fields of the same event",
    base: { columns: NOTE },
    ours: { columns: below(NOTE, EMAIL), fields: ", email: string?" },
    theirs: { columns: below(NOTE, PHONE), fields: ", phone: string?" },
    merged: { columns: below(NOTE, EMAIL, PHONE), fields: ", email: string?, phone: string?" },
  },
  {
    what: "the same column",
    base: { columns: NOTE },
    ours: { columns: below(NOTE, EMAIL) },
    theirs: { columns: below(NOTE, EMAIL), fields: ", email: string?" },
    merged: { columns: below(NOTE, EMAIL), fields: ", email: string?" },
  },
  {
    what: "the same column as different things",
    base: { columns: NOTE },
    ours: { columns: below(NOTE, "age: { type: integer, null: true }") },
    theirs: { columns: below(NOTE, "age: { type: bigint, default: 0 }") },
    merged: { columns: below(NOTE, "age: { type: bigint, default: 0 }") },
  },
  {
    what: "a column dropped here and changed there",
    base: { columns: NOTE },
    ours: { columns: EMAIL },
    theirs: { columns: below('note: { type: text, default: "" }', PHONE) },
    merged: { columns: below(EMAIL, PHONE) },
    allowed: "on the branch",
  },
  {
    what: "a column with two new names",
    base: { columns: NOTE },
    ours: { columns: "remark: { type: text, null: true, renamed_from: note }" },
    theirs: { columns: "comment: { type: text, null: true, renamed_from: note }" },
    merged: { columns: "remark: { type: text, null: true, renamed_from: note }" },
  },
  {
    what: "a table renamed here and given a column there",
    base: { columns: NOTE },
    ours: { columns: NOTE, table: "people:\n        renamed_from: users" },
    theirs: { columns: below(NOTE, EMAIL), fields: ", email: string?" },
    merged: {
      columns: below(NOTE, EMAIL),
      fields: ", email: string?",
      table: "people:\n        renamed_from: users",
    },
  },
  {
    what: "the same new table, made otherwise",
    base: { columns: NOTE },
    ours: { columns: NOTE, tables: "      keys: { columns: { k: { type: nanoid, key: true } } }" },
    theirs: {
      columns: NOTE,
      tables: "      keys: { columns: { k: { type: nanoid, key: true }, v: text? } }",
    },
    merged: {
      columns: NOTE,
      tables: "      keys: { columns: { k: { type: nanoid, key: true }, v: text? } }",
    },
  },
  {
    what: "the whole service",
    base: undefined,
    ours: { columns: EMAIL },
    theirs: { columns: PHONE },
    merged: { columns: below(EMAIL, PHONE) },
  },
  {
    what: "and the merge takes one side's file, which loses what the other has made",
    base: { columns: NOTE },
    ours: { columns: below(NOTE, EMAIL) },
    theirs: { columns: below(NOTE, PHONE) },
    merged: { columns: below(NOTE, EMAIL) },
    allowed: "at the merge",
  },
];

const isMigration = (path: string) => path.includes("/migrations/");
const migrationsOf = (folder: MemoryFolder) =>
  [...folder.files]
    .filter(([path]) => isMigration(path))
    .map(([path, text]) => ({ name: path.slice(path.lastIndexOf("/") + 1), text }));

async function branchOff(base: MemoryFolder, text: string, options?: Partial<GenerateInput>) {
  const folder = memoryFolder(Object.fromEntries(base.files));
  expect((await generate(text, folder, options)).refusals).toEqual([]);
  return folder;
}

describe.each(CASES)("branches that change $what", ({ base, ours, theirs, merged, allowed }) => {
  test("are merged into one chain for the databases of each", async () => {
    const common = memoryFolder();
    if (base !== undefined) await generate(mesh(base), common);
    const onBranch = { allowDestructive: allowed === "on the branch" };
    const a = await branchOff(common, mesh(ours), onBranch);
    const b = await branchOff(common, mesh(theirs), onBranch);
    const lockOf = (folder: MemoryFolder) => folder.files.get(LOCK_FILE) ?? "";
    const locks: Readonly<Record<string, string | undefined>> = {
      ours: lockOf(a),
      theirs: lockOf(b),
      "of neither": lockOf(common) || undefined,
      "with markers": gitMerge(lockOf(common), lockOf(a), lockOf(b)),
      "with markers and the base": gitMerge(lockOf(common), lockOf(a), lockOf(b), "--diff3"),
      union: gitMerge(lockOf(common), lockOf(a), lockOf(b), "--union"),
      garbage: "<<<<<<< what",
      lost: undefined,
    };
    expect(locks["with markers"]).toContain("<<<<<<< ");
    const text = mesh(merged);
    let chain: ReturnType<typeof migrationsOf> | undefined;
    for (const [how, lock] of Object.entries(locks)) {
      // All other files are regenerated, whichever side they are from.
      const folder = memoryFolder({ ...Object.fromEntries(b.files), ...Object.fromEntries(a.files) });
      if (lock === undefined) folder.files.delete(LOCK_FILE);
      else folder.files.set(LOCK_FILE, lock);
      const before = await check(text, folder);
      expect(before.drift.length + before.refusals.length, how).toBeGreaterThan(0);
      if (allowed === "at the merge") {
        expect((await generate(text, folder)).refusals, how).toMatchObject([
          { code: "drop-column", hint: expect.stringContaining("--allow-destructive") },
        ]);
      }
      const done = await generate(text, folder, { allowDestructive: allowed === "at the merge" });
      expect(done.refusals, how).toEqual([]);
      expect(await check(text, folder), how).toMatchObject({ drift: [], refusals: [] });
      chain ??= migrationsOf(folder);
      expect(migrationsOf(folder), how).toEqual(chain);
    }
    const fresh = memoryFolder();
    await generate(text, fresh);
    const last = await openDatabase(inject("postgres"), migrationsOf(fresh));
    const expected = await readCatalog(last.client);
    await last.close();
    for (const had of [[], migrationsOf(common), migrationsOf(a), migrationsOf(b)]) {
      const database = await openDatabase(inject("postgres"), had.length > 0 ? had : undefined);
      await applyFiles(database.client, chain ?? []);
      expect(await readCatalog(database.client)).toEqual(expected);
      await database.close();
    }
  }, 180_000);
});

describe("branches", () => {
  const base = mesh({ columns: NOTE });
  const [ours, theirs] = [mesh({ columns: below(NOTE, EMAIL) }), mesh({ columns: below(NOTE, PHONE) })];
  const both = mesh({ columns: below(NOTE, EMAIL, PHONE) });

  async function meet() {
    const common = memoryFolder();
    await generate(base, common);
    const [a, b] = [await branchOff(common, ours), await branchOff(common, theirs)];
    return {
      common,
      a,
      b,
      met: memoryFolder({ ...Object.fromEntries(b.files), ...Object.fromEntries(a.files) }),
    };
  }

  test("that nothing has joined yet are refused by the runtime, with the command that joins them", async () => {
    const { a, met } = await meet();
    const database = await openDatabase(inject("postgres"), migrationsOf(a));
    await expect(applyFiles(database.client, migrationsOf(met))).rejects.toThrow(
      /are of two branches, and nothing joins them; run mesh generate/,
    );
    await database.close();
  });

  test("keep rows and their events, whichever way a database went", async () => {
    const { a, b, met } = await meet();
    await generate(both, met);
    for (const had of [a, b]) {
      const database = await openDatabase(inject("postgres"), migrationsOf(had));
      const own = had === a ? "email" : "phone";
      await database.client.query(`INSERT INTO users (id, name, ${own}) VALUES ('u', 'U', 'kept')`);
      await applyFiles(database.client, migrationsOf(met));
      const { rows } = await database.client.query(`SELECT ${own} AS value FROM users`);
      expect(rows).toEqual([{ value: "kept" }]);
      await database.close();
    }
  });

  test("that were each tried on one database are told apart before anything is applied", async () => {
    const { a, b } = await meet();
    const database = await openDatabase(inject("postgres"), migrationsOf(a));
    await expect(applyFiles(database.client, migrationsOf(b))).rejects.toThrow(
      /add_users_email_\w+\.sql was applied at .* but is missing here, so .*add_users_phone_\w+\.sql cannot follow: they are of two branches; merge/,
    );
    await database.close();
  });

  test("that were joined twice, differently, are joined again", async () => {
    const { b, met } = await meet();
    const [one, two] = [memoryFolder(Object.fromEntries(met.files)), met];
    const [AGE, CITY] = ["age: { type: integer, null: true }", "city: { type: text, null: true }"];
    await generate(mesh({ columns: below(NOTE, EMAIL, PHONE, AGE) }), one);
    await generate(mesh({ columns: below(NOTE, EMAIL, PHONE, CITY) }), two);
    const last = memoryFolder({ ...Object.fromEntries(two.files), ...Object.fromEntries(one.files) });
    const text = mesh({ columns: below(NOTE, EMAIL, PHONE, AGE, CITY) });
    expect((await generate(text, last)).refusals).toEqual([]);
    const fresh = memoryFolder();
    await generate(text, fresh);
    const expected = await openDatabase(inject("postgres"), migrationsOf(fresh));
    for (const had of [b, one, two]) {
      const database = await openDatabase(inject("postgres"), migrationsOf(had));
      await applyFiles(database.client, migrationsOf(last));
      expect(await readCatalog(database.client)).toEqual(await readCatalog(expected.client));
      await database.close();
    }
    await expected.close();
  });

  test("carry what a person wrote on one of them to the databases of the other", async () => {
    const { common, b } = await meet();
    const [first] = migrationsOf(common);
    const byHand = {
      name: "0002_admin.sql",
      text: `-- follows: ${first?.name}\nINSERT INTO users (id, name) VALUES ('admin', 'A');\n`,
    };
    const met = memoryFolder(Object.fromEntries(b.files));
    met.files.set(`auth/migrations/${byHand.name}`, byHand.text);
    expect((await generate(theirs, met)).refusals).toEqual([]);
    for (const had of [[], [...migrationsOf(common), byHand], migrationsOf(b)]) {
      const database = await openDatabase(inject("postgres"), had.length > 0 ? had : undefined);
      await applyFiles(database.client, migrationsOf(met));
      const { rows } = await database.client.query("SELECT id, phone FROM users");
      expect(rows).toEqual([{ id: "admin", phone: null }]);
      await database.close();
    }
  });

  test("of which one wrote and generated are refused, with the command that puts them in order", async () => {
    const { a, b } = await meet();
    const email = migrationsOf(a).find(({ name }) => name.includes("email"))?.name;
    a.files.set("auth/migrations/0003_fill.sql", `-- follows: ${email}\nUPDATE users SET email = name;\n`);
    const met = memoryFolder({ ...Object.fromEntries(b.files), ...Object.fromEntries(a.files) });
    expect((await generate(both, met)).refusals).toMatchObject([
      {
        code: "migration-by-hand",
        hint: expect.stringMatching(/sed -i .*-- follows: 0002_add_users_phone_/),
      },
    ]);
    expect((await check(both, met)).refusals).toHaveLength(1);
  });

  test("of which a file is missing or edited are refused, with the command that restores it", async () => {
    const { met } = await meet();
    await generate(both, met);
    const paths = [...met.files.keys()].filter(isMigration);
    for (const path of paths) {
      for (const lock of ["kept", "lost"]) {
        const tampered = memoryFolder(Object.fromEntries(met.files));
        if (lock === "lost") tampered.files.delete(LOCK_FILE);
        tampered.files.set(path, `${met.files.get(path)}-- an afterthought\n`);
        const restore = { hint: expect.stringContaining(`-- generated/${path}`) };
        expect((await check(both, tampered)).refusals).toMatchObject([
          { code: "migration-changed", ...restore },
        ]);
        tampered.files.delete(path);
        const { refusals } = await check(both, tampered);
        // Without a lock nothing names the last file; the chain goes on from the two before it.
        if (lock === "lost" && path.includes("join")) expect(refusals).toEqual([]);
        else expect(refusals[0]).toMatchObject({ code: "migration-missing", ...restore });
      }
    }
  });

  test.each([
    ["not numbered", "fix.sql"],
    ["numbered on", "0003_fix.sql"],
  ])("do not guess the place of a file by hand that is %s", async (_, name) => {
    const { a } = await meet();
    a.files.set(`auth/migrations/${name}`, "SELECT 1;");
    const { refusals } = await generate(ours, a);
    expect(refusals).toMatchObject([
      {
        code: "migration-unplaced",
        hint: expect.stringMatching(/"-- follows: 0002_add_users_email_\w+\.sql"/),
      },
    ]);
  });
});
