import { describe, expect, inject, test } from "vitest";
import { LOCK_FILE } from "../../generator/emit/lock.js";
import { emitMigrations } from "../../generator/emit/sql/emit-migrations.js";
import { readCatalog } from "../support/catalog.js";
import {
  templates as emitTemplates,
  generate as generateFiles,
  memoryFolder,
} from "../support/generated-output.js";
import { applyFiles, openDatabase, plainName, templates as sqlTemplates } from "../support/migrations.js";

/*
 * A database knows the migrations that it has had, and no service may ask it to have them again: the
 * chain goes where the database goes.
 */

type Folder = ReturnType<typeof memoryFolder>;

/** The real planner, into memory. */
const generate = (text: string, folder: Folder) =>
  generateFiles(text, folder, {
    loadMigrationPlanner: async () => emitMigrations,
    templates: { ...emitTemplates, ...sqlTemplates },
  });

interface Owned {
  readonly service: string;
  readonly database: string;
}

function mesh(...owned: readonly Owned[]): string {
  const services = owned.map(
    ({ service, database }) => `  ${service}: { database: ${database}, publishes: [${service}.*] }`,
  );
  const databases = owned.map(
    ({ database }) =>
      `  ${database}: { tables: { ${database}_rows: { columns: { id: { type: nanoid, key: true }, name: text } } } }`,
  );
  const subjects = owned.map(
    ({ service, database }) =>
      `  ${service}.row.{id}.created: { event: ${service}Created, emit: { table: ${database}_rows, on: insert }, payload: { id: string, name: string } }`,
  );
  const capital = (text: string) =>
    text.replaceAll(/event: (\w)/g, (_, letter) => `event: ${letter.toUpperCase()}`);
  return [
    "mesh: m\nservices:",
    ...services,
    "databases:",
    ...databases,
    "subjects:",
    ...subjects.map(capital),
  ].join("\n");
}

const sfs = mesh({ service: "sfs", database: "sfs_db" });
const storage = mesh({ service: "storage", database: "sfs_db" });
const FIRST = "0001_initial.sql";
const NEW = "0002_events_of_sfs_db_rows.sql";

/** Path of a service's file, by its name without the hash. */
function pathOf(folder: Folder, service: string, plain: string): string {
  const name = migrationsOf(folder, service).find((file) => plainName(file.name) === plain)?.name;
  return `${service}/migrations/${name ?? plain}`;
}

const namesOf = (files: readonly { readonly name: string }[]) => files.map(({ name }) => plainName(name));

function migrationsOf(folder: Folder, service: string) {
  return [...folder.files]
    .filter(([path]) => path.startsWith(`${service}/migrations/`))
    .map(([path, text]) => ({ name: path.split("/").at(-1) ?? "", text }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function generated(...texts: readonly string[]): Promise<Folder> {
  const folder = memoryFolder();
  for (const text of texts) expect((await generate(text, folder)).refusals).toEqual([]);
  return folder;
}

describe("a service that is renamed and keeps its database", () => {
  test("takes the migrations along, byte for byte, and adds what is different", async () => {
    const folder = await generated(sfs);
    const path = pathOf(folder, "sfs", FIRST);
    const first = folder.files.get(path);
    const planned = await generate(storage, folder);
    expect(planned.refusals).toEqual([]);
    expect(planned.remove).toContain(path);
    expect([...folder.files.keys()].filter((path) => path.startsWith("sfs/"))).toEqual([]);
    expect(namesOf(migrationsOf(folder, "storage"))).toEqual([FIRST, NEW]);
    expect(folder.files.get(pathOf(folder, "storage", FIRST))).toBe(first);
    expect(folder.files.get(pathOf(folder, "storage", NEW))).toContain("storage.row");
    expect((await generate(storage, folder)).drift).toEqual([]);
    const locked = Object.keys(JSON.parse(folder.files.get(LOCK_FILE) ?? "").migrations);
    expect(locked).toEqual([pathOf(folder, "storage", FIRST), pathOf(folder, "storage", NEW)]);
  });

  test("starts on the database that was migrated before, which is then like a fresh one", async () => {
    const before = await generated(sfs);
    const moved = await openDatabase(inject("postgres"), migrationsOf(before, "sfs"));
    await moved.client.query("INSERT INTO sfs_db_rows VALUES ('a', 'A')");
    const after = await generated(sfs, storage);
    await applyFiles(moved.client, migrationsOf(after, "storage"));
    await moved.client.query("INSERT INTO sfs_db_rows VALUES ('b', 'B')");
    const { rows } = await moved.client.query("SELECT subject FROM mesh.outbox ORDER BY 1");
    expect(rows.map(({ subject }) => subject)).toEqual(["sfs.row.a.created", "storage.row.b.created"]);

    const fresh = await openDatabase(inject("postgres"), migrationsOf(await generated(storage), "storage"));
    expect(await readCatalog(moved.client)).toEqual(await readCatalog(fresh.client));
    await Promise.all([moved.close(), fresh.close()]);
  });

  test("may have had its folder renamed by hand", async () => {
    const folder = await generated(sfs);
    for (const [path, text] of [...folder.files]) {
      if (!path.startsWith("sfs/")) continue;
      folder.files.delete(path);
      folder.files.set(path.replace("sfs/", "storage/"), text);
    }
    expect((await generate(storage, folder)).refusals).toEqual([]);
    expect(Object.fromEntries(folder.files)).toEqual(
      Object.fromEntries((await generated(sfs, storage)).files),
    );
  });

  test.each([0, 1, 2, 3, 5, 8])(
    "goes on where a run was cut off that many steps before its end: %i",
    async (missing) => {
      const [whole, cut] = [await generated(sfs), await generated(sfs)];
      whole.done.length = 0;
      await generate(storage, whole);
      let steps = whole.done.length - missing;
      const limited = (act: () => void) => {
        if (steps-- <= 0) throw new Error("cut off");
        act();
      };
      const cutting = {
        ...cut,
        write: (path: string, text: string) => limited(() => cut.write(path, text)),
        remove: (path: string) => limited(() => cut.remove(path)),
      };
      await generate(storage, cutting).catch((error: Error) => expect(error.message).toBe("cut off"));
      expect((await generate(storage, cut)).refusals).toEqual([]);
      expect(Object.fromEntries(cut.files)).toEqual(Object.fromEntries(whole.files));
    },
  );

  test("leaves the old place only once the new one is written, and the lock is last", async () => {
    const folder = await generated(sfs);
    folder.done.length = 0;
    const path = pathOf(folder, "sfs", FIRST);
    await generate(storage, folder);
    const at = (step: string) => folder.done.indexOf(step);
    expect(at(`remove ${path}`)).toBeGreaterThan(at(`write ${pathOf(folder, "storage", FIRST)}`));
    expect(folder.done.at(-1)).toBe(`write ${LOCK_FILE}`);
  });

  test.each([
    ["migration-changed", (folder: Folder) => folder.files.set(pathOf(folder, "sfs", FIRST), "SELECT 1;")],
    ["migration-missing", (folder: Folder) => folder.files.delete(pathOf(folder, "sfs", FIRST))],
    [
      "migration-in-the-way",
      (folder: Folder) => folder.files.set("storage/migrations/0001_x.sql", "SELECT 1;"),
    ],
    [
      "migration-in-the-way",
      (folder: Folder) => folder.files.set(`storage/migrations/${FIRST}`, "SELECT 1;"),
    ],
  ])("is refused: %s", async (code, tamper) => {
    const folder = await generated(sfs);
    folder.done.length = 0;
    tamper(folder);
    expect((await generate(storage, folder)).refusals).toMatchObject([{ code }]);
    expect(folder.done).toEqual([]);
  });
});

describe("services that both stay", () => {
  const before = mesh({ service: "a", database: "one" }, { service: "b", database: "two" });

  test("swap their databases with the migrations", async () => {
    const folder = await generated(before);
    const [a, b] = [migrationsOf(folder, "a"), migrationsOf(folder, "b")];
    const after = mesh({ service: "a", database: "two" }, { service: "b", database: "one" });
    expect((await generate(after, folder)).refusals).toEqual([]);
    expect(migrationsOf(folder, "a")).toEqual([
      ...b,
      expect.objectContaining({ name: expect.stringMatching(/^0002_events_of_two_rows_/) }),
    ]);
    expect(migrationsOf(folder, "b")).toEqual([
      ...a,
      expect.objectContaining({ name: expect.stringMatching(/^0002_events_of_one_rows_/) }),
    ]);
    expect((await generate(after, folder)).drift).toEqual([]);
  });

  test("hand a database over: the other service starts with a new one", async () => {
    const folder = await generated(mesh({ service: "a", database: "one" }));
    const first = migrationsOf(folder, "a")[0]?.name;
    folder.files.set("a/migrations/0002_by_hand.sql", `-- follows: ${first}\nSELECT 1;`);
    const a = migrationsOf(folder, "a");
    const after = mesh({ service: "a", database: "two" }, { service: "b", database: "one" });
    expect((await generate(after, folder)).refusals).toEqual([]);
    expect(migrationsOf(folder, "b").slice(0, 2)).toEqual(a);
    expect(migrationsOf(folder, "b")).toHaveLength(3);
    expect(namesOf(migrationsOf(folder, "a"))).toEqual([FIRST]);
    expect(migrationsOf(folder, "a")[0]?.text).toContain("CREATE TABLE two_rows");
    expect((await generate(after, folder)).drift).toEqual([]);
  });

  test("go on with their own when only the database is called otherwise", async () => {
    const text = mesh({ service: "a", database: "one" });
    const folder = await generated(
      text,
      text.replaceAll(/\bone:/g, "uno:").replace("database: one", "database: uno"),
    );
    // The chain is found by the database's name, so the new name is recorded.
    expect(namesOf(migrationsOf(folder, "a"))).toEqual([FIRST, "0002_model.sql"]);
    expect((await generate(text.replaceAll(/\bone\b/g, "uno"), folder)).refusals).toEqual([]);
    expect(migrationsOf(folder, "a")).toHaveLength(2);
  });
});
