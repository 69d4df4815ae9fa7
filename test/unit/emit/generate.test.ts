import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { LOCK_FILE } from "../../../generator/emit/lock.js";
import { compile, ROOT, readMesh } from "../../support/compile.js";
import { generate, keepMigrations, memoryFolder, outputOf, plan } from "../../support/generated-output.js";

const reference = readMesh("mesh.yaml");

/** Reorders the blocks below `services:`, `databases:` and `subjects:`, and nothing else. */
function shuffleBlocks(text: string): string {
  const sections = text.split(/^(?=\S)/m);
  const shuffled = sections.map((section) => {
    if (!/^(services|databases|subjects):/.test(section)) return section;
    const [head = "", ...blocks] = section.split(/^(?= {2}[\w.{}]+:)/m);
    return (
      head +
      blocks
        .reverse()
        .map((block) => `${block.trimEnd()}\n`)
        .join("")
    );
  });
  const isSection = (section: string) => /^(services|subjects|cascades):/.test(section);
  return [...shuffled.filter((section) => !isSection(section)), ...shuffled.filter(isSection).reverse()].join(
    "",
  );
}

/** An anchor must precede its aliases, so the anchored block is copied in their place. */
const withoutAnchors = (text: string) => {
  const block = /user_cache: &user_cache\n((?: {8}.*\n)+)/.exec(text)?.[1] ?? "";
  return text.replace(" &user_cache", "").replace("user_cache: *user_cache\n", `user_cache:\n${block}`);
};

describe("the output", () => {
  test("is the same, byte for byte, each time", async () => {
    expect(await outputOf(reference)).toEqual(await outputOf(reference));
  });

  test("does not depend on where blocks stand, nor on comments", async () => {
    const shuffled = shuffleBlocks(withoutAnchors(reference));
    expect(shuffled.indexOf("  gateway:")).toBeLessThan(shuffled.indexOf("  auth:"));
    expect(compile(shuffled).services).toHaveLength(4);
    expect(await outputOf(`# another comment\n${shuffled}`)).toEqual(await outputOf(reference));
  });

  test("changes only in the files that speak of an event when one is added", async () => {
    const folder = memoryFolder();
    await generate(reference, folder);
    folder.done.length = 0;
    const before = Object.fromEntries(folder.files);
    const added =
      "  sfs.file.{id}.scanned: { event: FileScanned, payload: { file_id: nanoid, clean: boolean } }";
    await generate(reference.replace(/^subjects:$/m, `subjects:\n${added}`), folder);

    expect(folder.done.sort()).toEqual(
      [
        "README.md",
        LOCK_FILE,
        "nats.conf",
        "schemas/FileScanned.schema.json",
        "sfs/events.ts",
        "sfs/validators.compiled.ts",
      ].map((path) => `write ${path}`),
    );
    const lines = new Set(before["sfs/validators.compiled.ts"]?.split("\n"));
    const fresh = folder.files
      .get("sfs/validators.compiled.ts")
      ?.split("\n")
      .filter((line) => !lines.has(line));
    expect(fresh?.filter((line) => line.startsWith("const $"))).toHaveLength(1);
  });

  test("keeps to 110 columns and 60 lines of TypeScript per event at 100 events", async () => {
    const output = Object.entries(await outputOf(manyEvents(10, 10))).filter(([path]) =>
      path.endsWith(".ts"),
    );
    const handRead = output.filter(([path]) => !path.endsWith("validators.compiled.ts"));
    const lines = (files: typeof output) => files.flatMap(([, text]) => text.split("\n"));
    expect(lines(output).length).toBeLessThanOrEqual(6_000);
    expect(lines(handRead).filter((line) => line.length > 110)).toEqual([]);
  });
});

/** Services with a table per three events, each hearing the next one's first entity. */
function manyEvents(services: number, events: number): string {
  const names = Array.from({ length: services }, (_, index) => `svc${index}`);
  const next = (index: number) => `svc${(index + 1) % services}`;
  const tables = Array.from({ length: Math.ceil(events / 3) }, (_, index) => `things${index}`);
  const columns = "{ thing_id: { type: nanoid, key: true }, name: text, size: integer, owner_id: text? }";
  const operations = ["insert", "update", "delete"] as const;
  const subjects = names.flatMap((name) =>
    Array.from({ length: events }, (_, index) => {
      const on = operations[index % 3];
      const table = tables[Math.floor(index / 3)];
      return `  ${name}.${table}.{id}.${on}: { event: ${name.toUpperCase()}E${index}, emit: { table: ${table}, on: ${on} }, payload: { thing_id: nanoid, name: string } }`;
    }),
  );
  return [
    "mesh: many\nservices:",
    ...names.map(
      (name, index) =>
        `  ${name}: { database: ${name}_db, publishes: [${name}.*], subscribes: [${next(index)}.things0.*] }`,
    ),
    "databases:",
    ...names.map(
      (name) =>
        `  ${name}_db: { tables: { ${tables.map((table) => `${table}: { columns: ${columns} }`).join(", ")} } }`,
    ),
    "subjects:",
    ...subjects,
  ].join("\n");
}

describe("a second run", () => {
  test("is idempotent: writes nothing when nothing has changed, and loads no emitter", async () => {
    const folder = memoryFolder();
    await generate(reference, folder);
    folder.done.length = 0;
    const again = await generate(reference, folder, {
      loadMigrationPlanner: () => Promise.reject(new Error("the planner was loaded")),
    });
    expect(again).toMatchObject({ write: [], remove: [], drift: [], refusals: [] });
    expect(again.keep).toHaveLength(folder.files.size);
    expect(folder.done).toEqual([]);
  });

  test("finds the same by emitting everything with --force", async () => {
    const folder = memoryFolder();
    await generate(reference, folder);
    folder.done.length = 0;
    const again = await generate(reference, folder, { distrustLock: true });
    expect(again.drift).toEqual([]);
    expect(folder.done).toEqual([]);
  });

  test("emits anew for another version and for another template", async () => {
    const folder = memoryFolder();
    await generate(reference, folder);
    expect((await plan(reference, folder, { version: "9.9.9" })).drift).toEqual([
      { path: LOCK_FILE, kind: "outdated" },
    ]);
    const templates = { "docs/README.md.hbs": "changed" };
    await expect(plan(reference, folder, { templates })).rejects.toThrow(
      'template "broker/nats.conf.hbs" is missing',
    );
  });

  test("removes what no longer comes out, and nothing that it did not write", async () => {
    const folder = memoryFolder({ "auth/notes.md": "mine", "schemas/Mine.schema.json": "{}" });
    await generate(reference, folder);
    const smaller = reference.replace(/ {2}gateway\.ingress\.\{id\}\.deleted:\n(?: {4}.*\n)+/, "");
    const planned = await generate(smaller, folder);
    expect(planned.remove).toEqual(["schemas/IngressDeleted.schema.json"]);
    expect(planned.drift).toContainEqual({ path: "schemas/IngressDeleted.schema.json", kind: "stale" });
    expect(folder.files.has("schemas/IngressDeleted.schema.json")).toBe(false);
    expect(folder.files.get("auth/notes.md")).toBe("mine");
    expect(folder.files.get("schemas/Mine.schema.json")).toBe("{}");
  });

  test("does not remove outside its folder, whatever the lock says", async () => {
    const folder = memoryFolder();
    await generate(reference, folder);
    const lock = JSON.parse(folder.files.get(LOCK_FILE) ?? "");
    lock.files = { ...lock.files, "../hooks/sfs.ts": "x", "/etc/hosts": "x" };
    folder.files
      .set(LOCK_FILE, JSON.stringify(lock))
      .set("../hooks/sfs.ts", "mine")
      .set("/etc/hosts", "mine");
    expect((await generate(reference, folder)).remove).toEqual([]);
  });

  test("names what was changed by hand and what is missing, and puts both right", async () => {
    const folder = memoryFolder();
    await generate(reference, folder);
    const { "auth/events.ts": original } = Object.fromEntries(folder.files);
    folder.files.set("auth/events.ts", "// mine now");
    folder.files.delete("sfs/main.ts");
    const { drift } = await generate(reference, folder);
    expect(drift).toEqual([
      { path: "auth/events.ts", kind: "changed" },
      { path: "sfs/main.ts", kind: "missing" },
    ]);
    expect(folder.files.get("auth/events.ts")).toBe(original);
    expect(folder.files.has("sfs/main.ts")).toBe(true);
  });

  test.each(["", "not json"])(
    "takes the lock %j, of which a merge has left nothing, for none",
    async (lock) => {
      const folder = memoryFolder({ [LOCK_FILE]: lock });
      await generate(reference, folder);
      expect(JSON.parse(folder.files.get(LOCK_FILE) ?? "").lockVersion).toBe(1);
    },
  );

  test("writes the lock last, after everything else is in place", async () => {
    const folder = memoryFolder();
    await generate(reference, folder);
    expect(folder.done.at(-1)).toBe(`write ${LOCK_FILE}`);
  });
});

describe("migrations", () => {
  const first = "auth/migrations/0001_initial.sql";

  test("are emitted as planned, locked, and never removed or rewritten", async () => {
    const folder = memoryFolder({ [first]: "CREATE TABLE users ();" });
    await generate(reference, folder);
    expect(Object.keys(JSON.parse(folder.files.get(LOCK_FILE) ?? "").migrations)).toEqual([first]);
    await generate(reference.replace(/^description:.*$/m, "description: Another."), folder);
    expect(folder.done.filter((step) => step.includes("migrations"))).toEqual([]);
  });

  test.each([
    ["changed", "migration-changed", (files: Map<string, string>) => files.set(first, "DROP TABLE users;")],
    ["gone", "migration-missing", (files: Map<string, string>) => files.delete(first)],
  ])("refuse to go on when one is %s", async (_, code, tamper) => {
    const folder = memoryFolder({ [first]: "CREATE TABLE users ();" });
    await generate(reference, folder);
    folder.done.length = 0;
    tamper(folder.files);
    const planned = await generate(reference, folder);
    expect(planned.refusals).toMatchObject([{ code }]);
    expect(planned.refusals[0]?.message).toContain(first);
    expect(folder.done).toEqual([]);
  });

  test("may be joined by one that a person wrote: it is locked from then on", async () => {
    const folder = memoryFolder({ [first]: "CREATE TABLE users ();" });
    await generate(reference, folder);
    folder.files.set("auth/migrations/0002_by_hand.sql", "SELECT 1;");
    await generate(reference, folder);
    expect(Object.keys(JSON.parse(folder.files.get(LOCK_FILE) ?? "").migrations)).toHaveLength(2);
  });

  test("get what the last run knew and what there is", async () => {
    const folder = memoryFolder({ [first]: "CREATE TABLE users ();" });
    const seen: unknown[] = [];
    const loadMigrationPlanner = async () => (input: Parameters<typeof keepMigrations>[0]) => {
      seen.push([input.next.name, Object.keys(input.existing), input.existing.auth?.length]);
      return keepMigrations(input);
    };
    const services = ["auth", "compute", "gateway", "sfs"];
    await generate(reference, folder, { loadMigrationPlanner });
    await generate(reference, folder, { loadMigrationPlanner, distrustLock: true });
    expect(seen).toEqual([
      ["edd-cloud", services, 1],
      ["edd-cloud", services, 1],
    ]);
  });

  test("that are refused leave everything as it is", async () => {
    const folder = memoryFolder();
    const refusal = {
      code: "drop-table" as const,
      service: "auth",
      message: "auth.users would be dropped",
      hint: "keep it",
    };
    const planned = await generate(reference, folder, {
      loadMigrationPlanner: async () => () => ({ files: {}, refusals: [refusal] }),
    });
    expect(planned).toMatchObject({ write: [], remove: [], refusals: [refusal] });
    expect(folder.done).toEqual([]);
  });
});

test("deciding that nothing has changed loads none of the heavy packages", () => {
  const loaded = new Set<string>();
  const visit = (path: string) => {
    if (loaded.has(path)) return;
    loaded.add(path);
    const text = readFileSync(path, "utf8");
    for (const [, specifier = ""] of text.matchAll(/^import (?!type )[^;]*?from "([^"]+)"/gm)) {
      if (specifier.startsWith(".")) visit(join(dirname(path), specifier.replace(/\.js$/, ".ts")));
      else loaded.add(specifier);
    }
  };
  visit(join(ROOT, "generator/plan-output.ts"));
  // The highest version is two lines.
  const light = ["@meshwright/runtime/version", "node:crypto"];
  expect([...loaded].filter((name) => !name.startsWith(ROOT)).sort()).toEqual(light);
});
