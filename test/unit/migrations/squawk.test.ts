import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { splitStages } from "../../../runtime/schema/stages.js";
import { compile } from "../../support/compile.js";
import { chain, plan, shop } from "../../support/migrations.js";

/*
 * squawk is a linter by people who have run migrations beside traffic. What it finds in ours is mended, or excused here.
 */

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const SQUAWK = join(ROOT, "node_modules/.bin/squawk");

/** A rule of squawk's, and why it does not hold for us. */
const EXCUSED: Readonly<Record<string, string>> = {
  "require-lock-timeout":
    "The runtime sets one for each transaction; outside of a transaction a statement waits where nobody queues behind it.",
  "require-statement-timeout":
    "An index takes as long as it takes to build, and what holds a lock does not look at rows.",
  "prefer-robust-stmts":
    "The runtime remembers which stages are done, and each statement outside of a transaction may run again.",
  "adding-field-with-default":
    "A default of mesh.yaml is a constant or the moment of the statement: neither is volatile, so no row is rewritten.",
  "adding-not-nullable-field":
    "A CHECK that an earlier stage has proven spares SET NOT NULL its look at the rows, since PostgreSQL 12.",
  "require-concurrent-index-deletion":
    "Dropping an index takes a moment once the lock is there, and the lock is waited for half a second at a time.",
  "changing-column-type":
    "mesh.yaml asks for it, and the file says that the table is closed meanwhile; a second column is the other way.",
  "ban-drop-table": "mesh.yaml no longer has it, and generate asks for --allow-destructive.",
  "ban-drop-column": "mesh.yaml no longer has it, and generate asks for --allow-destructive.",
  "ban-drop-not-null": "mesh.yaml asks for it; the services' types follow.",
  "renaming-table": "mesh.yaml says renamed_from.",
  "renaming-column": "mesh.yaml says renamed_from.",
  "prefer-timestamp-tz": "A timestamp of mesh.yaml is UTC, in every session.",
  "prefer-bigint-over-smallint": "mesh.yaml says smallint where it means one.",
  "prefer-text-field": "mesh.yaml says varchar where it means one; text is a type of its own.",
  "ban-char-field": "mesh.yaml says char where it means one; text is a type of its own.",
  "prefer-bigint-over-int": "mesh.yaml says integer where it means one; bigint is a type of its own.",
};

const seen = new Set<string>();

interface Finding {
  readonly rule_name: string;
  readonly line: number;
  readonly message: string;
}

/** A stage as the runtime runs it: within a transaction of its own, or each statement by itself. */
async function lint(sql: string, transaction: boolean): Promise<readonly Finding[]> {
  const args = [
    "--reporter",
    "json",
    "--pg-version",
    "13",
    ...(transaction ? ["--assume-in-transaction"] : []),
  ];
  const child = execFile(SQUAWK, [...args, "--stdin-filepath", "stage.sql"]);
  let output = "";
  child.stdout?.on("data", (text: string) => {
    output += text;
  });
  child.stderr?.on("data", (text: string) => {
    output += text;
  });
  child.stdin?.end(sql);
  await new Promise((resolve) => child.once("close", resolve));
  return output.trim() === "" ? [] : (JSON.parse(output) as readonly Finding[]);
}

async function findingsOf(file: {
  readonly name: string;
  readonly text: string;
}): Promise<readonly string[]> {
  const stages = splitStages({ sql: file.text });
  const found = await Promise.all(stages.map(({ text, transaction }) => lint(text, transaction)));
  for (const { rule_name } of found.flat()) seen.add(rule_name);
  return found
    .flat()
    .filter(({ rule_name }) => EXCUSED[rule_name] === undefined)
    .map(({ rule_name, line, message }) => `${file.name}:${line + 1} ${rule_name}: ${message}`);
}

async function filesBelow(folder: string): Promise<{ readonly name: string; readonly text: string }[]> {
  const names = await readdir(join(ROOT, folder), { recursive: true });
  const migrations = names.filter((name) => /migrations\/\d+_.*\.sql$/.test(name)).sort();
  return Promise.all(
    migrations.map(async (name) => ({ name, text: await readFile(join(ROOT, folder, name), "utf8") })),
  );
}

/** Every kind of step once. */
const BEFORE = `
owners:
  columns:
    id: { type: text, key: true }
gone:
  columns:
    id: { type: text, key: true }
items:
  columns:
    id: { type: text, key: true }
    old: { type: text, null: true }
    code: { type: text }
    size: { type: integer, null: true, default: 1 }
    colour: { type: text, null: true }
    grade: { type: text, one_of: [a, b] }
    note: { type: text }
    dropped: { type: text, null: true }
    owner_id: { type: text, null: true }
  indexes: [[note]]
`;
const AFTER = `
owners:
  columns:
    id: { type: text, key: true }
    parent_id: { type: text, null: true, references: owners }
come:
  columns:
    id: { type: text, key: true }
    owner_id: { type: text, references: owners }
goods:
  renamed_from: items
  columns:
    id: { type: text, key: true }
    new: { type: text, null: true, renamed_from: old }
    code: { type: text, unique: true }
    size: { type: bigint, null: true }
    colour: { type: text, default: blue }
    grade: { type: text, one_of: [a, b, c] }
    note: { type: text, null: true }
    added: { type: timestamp, default: now }
    owner_id: { type: text, null: true, references: owners }
  unique: [[code, note]]
  indexes: [[colour, code]]
`;
test("the migrations of the reference mesh", async () => {
  const found = await Promise.all((await filesBelow("generated")).map(findingsOf));
  expect(found.flat()).toEqual([]);
});

test("the migrations of scenarios", async () => {
  const folder = join(ROOT, "test/scenarios/emit");
  const names = await readdir(folder);
  const meshes = await Promise.all(names.map((name) => readFile(join(folder, name, "mesh.yaml"), "utf8")));
  const files = meshes.flatMap((text) => Object.values(plan(compile(text)).files).flat());
  expect(files.length).toBeGreaterThan(names.length);
  expect((await Promise.all(files.map(findingsOf))).flat()).toEqual([]);
});

test("a migration that is not staged is found", async () => {
  const text = "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0);\nCREATE INDEX i ON t (a);\n";
  const found = await findingsOf({ name: "0001_x.sql", text });
  expect(found.map((finding) => finding.split(" ")[1])).toEqual(
    expect.arrayContaining(["constraint-missing-not-valid:", "require-concurrent-index-creation:"]),
  );
});

test("a migration with every kind of step", async () => {
  const files = chain([shop(BEFORE), shop(AFTER)]);
  expect((await Promise.all(files.map(findingsOf))).flat()).toEqual([]);
});

test("every exception is still needed", () => {
  expect(Object.keys(EXCUSED).filter((rule) => !seen.has(rule))).toEqual([]);
});
