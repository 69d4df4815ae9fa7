import { describe, expect, test } from "vitest";
import { compileMesh } from "../../../generator/compile.js";
import { renderDiagnostics } from "../../../generator/diagnostics/render.js";
import { compile } from "../../support/compile.js";
import { plan } from "../../support/migrations.js";

/** Whole files, so that the frame is seen as it is printed. */
const mesh = (tables: string) =>
  `mesh: m\nservices: { shop: { database: shop_db } }\ndatabases:\n  shop_db:\n    tables:\n${tables}`;

const SESSIONS = `      sessions:
        columns:
          session_id: { type: nanoid, key: true }
          user_id: text
          expires_at: timestamp
`;
const withColumn = (from: string, to: string) => mesh(SESSIONS.replace(from, to));

function refusalsOf(from: string, to: string, allowDestructive = false): string {
  const previous = compile(from);
  const existing = plan(previous).files.shop ?? [];
  const { mesh: next, locate } = compileMesh(to, { file: "mesh.yaml" });
  if (next === undefined) throw new Error(`the test's mesh does not compile:\n${to}`);
  const { refusals, files } = plan(next, { existing, allowDestructive });
  if (refusals.length > 0) expect(files.shop).toEqual(existing);
  return renderDiagnostics(locate(refusals.map(({ path = [], ...refusal }) => ({ ...refusal, path }))));
}

/** `mesh.yaml:8:11 - error require-column`, and what is underlined. */
function placesOf(rendered: string): readonly string[] {
  const lines = rendered.split("\n");
  return lines.flatMap((line, at) => {
    const head = /^(mesh\.yaml:\d+:\d+ - error [\w-]+):/.exec(line);
    if (head === null) return [];
    const carets = lines[at + 2] ?? "";
    return [`${head[1]} ${lines[at + 1]?.slice(carets.indexOf("^"), carets.lastIndexOf("^") + 1)}`];
  });
}

describe("a refusal stands at the nearest thing that is still in mesh.yaml", () => {
  test("as every other mistake", () => {
    expect(refusalsOf(mesh(SESSIONS), withColumn("          user_id: text\n", ""))).toMatchInlineSnapshot(`
      "mesh.yaml:6:7 - error drop-column: column "sessions.user_id" would be dropped with its values
        6 |       sessions:
          |       ^^^^^^^^
        hint: if it has a new name, say renamed_from: user_id on the new column; to drop it, release a version that no longer uses it (null: true), then generate with --allow-destructive
      "
    `);
  });

  test.each<[string, string, string, readonly string[]]>([
    [
      "a dropped table: the database",
      mesh(`${SESSIONS}      old: { columns: { id: { type: nanoid, key: true } } }\n`),
      mesh(SESSIONS),
      ["mesh.yaml:4:3 - error drop-table shop_db"],
    ],
    [
      "a narrower type: the column",
      mesh(SESSIONS),
      withColumn("expires_at: timestamp", "expires_at: integer"),
      ["mesh.yaml:10:11 - error narrow-type expires_at"],
    ],
    [
      "a required column: the column",
      mesh(SESSIONS),
      withColumn("user_id: text", "user_id: text\n          agent: text"),
      ["mesh.yaml:10:11 - error require-column agent"],
    ],
    [
      "another key: the column that is now the key",
      mesh(SESSIONS),
      mesh(
        SESSIONS.replace("{ type: nanoid, key: true }", "text").replace(
          "user_id: text",
          "user_id: { type: text, key: true }",
        ),
      ),
      ["mesh.yaml:9:11 - error change-key user_id"],
    ],
    [
      "a unique set: the table",
      mesh(SESSIONS),
      withColumn("        columns:", "        unique: [[user_id, expires_at]]\n        columns:"),
      ["mesh.yaml:6:7 - error restrict-rows sessions"],
    ],
    [
      "several: in the order of the file",
      mesh(SESSIONS),
      withColumn("expires_at: timestamp", "expires_at: integer").replace("user_id: text", "agent: text"),
      [
        "mesh.yaml:6:7 - error drop-column sessions",
        "mesh.yaml:9:11 - error require-column agent",
        "mesh.yaml:10:11 - error narrow-type expires_at",
      ],
    ],
  ])("%s", (_, from, to, places) => {
    expect(placesOf(refusalsOf(from, to))).toEqual(places);
  });
});

describe("a wrong renamed_from is one error", () => {
  const ends = (former: string) => `ends: { type: timestamp, renamed_from: ${former} }`;

  test("at what it says", () => {
    expect(
      refusalsOf(mesh(SESSIONS), withColumn("expires_at: timestamp", ends("nope"))),
    ).toMatchInlineSnapshot(`
      "mesh.yaml:10:50 - error unknown-former-name: column "ends" of "sessions" says renamed_from: nope, but there was no such column before
        10 |           ends: { type: timestamp, renamed_from: nope }
           |                                                  ^^^^
        hint: did you mean "expires_at"?
      "
    `);
  });

  test("which no permission to destroy lets pass", () => {
    const to = withColumn("expires_at: timestamp", ends("nope"));
    expect(placesOf(refusalsOf(mesh(SESSIONS), to, true))).toEqual([
      "mesh.yaml:10:50 - error unknown-former-name nope",
    ]);
  });

  test.each<[string, string, string, string]>([
    [
      "of a table",
      mesh(SESSIONS),
      mesh(SESSIONS.replace("sessions:", "logins:\n        renamed_from: session")),
      'did you mean "sessions"?',
    ],
    [
      "of a key, with the name that was meant",
      mesh(SESSIONS),
      withColumn(
        "session_id: { type: nanoid, key: true }",
        "login_id: { type: nanoid, key: true, renamed_from: sesion_id }",
      ),
      'did you mean "session_id"?',
    ],
    [
      "nearest of several",
      mesh(SESSIONS),
      withColumn("expires_at: timestamp", ends("expire_at")).replace(
        "          user_id: text\n",
        "          who: { type: text, renamed_from: user_id }\n",
      ),
      'did you mean "expires_at"?',
    ],
    [
      "when nothing is near",
      mesh(SESSIONS),
      withColumn("expires_at: timestamp", ends("nope")).replace("          user_id: text\n", ""),
      "these are gone, and one of them may be meant: user_id, expires_at",
    ],
    [
      "when nothing is gone",
      mesh(SESSIONS),
      withColumn("user_id: text", `user_id: text\n          ${ends("nope")}`),
      "all that there was still has its name; if the column is new, take renamed_from away",
    ],
    [
      "of two that say the same",
      mesh(SESSIONS),
      withColumn(
        "expires_at: timestamp",
        `${ends("expires_at")}\n          until: { type: timestamp, renamed_from: expires_at }`,
      ),
      "one column gets the name and the data; take renamed_from away from the other",
    ],
  ])("%s", (_, from, to, hint) => {
    const rendered = refusalsOf(from, to);
    expect(rendered.match(/ - error /g)).toHaveLength(1);
    expect(rendered).toContain(`  hint: ${hint}\n`);
  });

  test("unless it was carried out before, or there was nothing before", () => {
    const renamed = withColumn("expires_at: timestamp", ends("expires_at"));
    const wider = renamed.replace("user_id: text", "user_id: text?");
    expect(refusalsOf(mesh(SESSIONS), renamed)).toBe("");
    expect(refusalsOf(renamed, wider)).toBe("");
    expect(plan(compile(wider)).refusals).toEqual([]);
    expect(refusalsOf(withColumn("expires_at", "ends"), wider)).toBe("");
  });
});

describe("a table that goes to another service of the same PostgreSQL database is one error, at its new place", () => {
  const two = (shop: string, audit: string) =>
    `mesh: m\nservices: { shop: { database: shop_db }, audit: { database: audit_db } }\ndatabases:\n  shop_db: { tables: { kept: { columns: { id: { type: text, key: true } } }${shop} } }\n  audit_db:\n    shares: shop_db\n    tables:\n      logs: { columns: { id: { type: text, key: true } } }\n${audit}`;
  const notes = "notes: { columns: { id: { type: text, key: true } } }";
  const existing = "notes: { existing: true, columns: { id: { type: text, key: true } } }";
  const before = two(`, ${notes}`, "");

  test("which the mesh would make anew: its rows would be lost, whoever migrates first", () => {
    const after = two("", `      ${notes}\n`);
    expect(refusalsOf(before, after)).toMatchInlineSnapshot(`
      "mesh.yaml:9:7 - error move-table: table "notes" would be dropped in shop_db with all of its rows, and made anew in audit_db, which lies in the same PostgreSQL database
        9 |       notes: { columns: { id: { type: text, key: true } } }
          |       ^^^^^
        hint: keep it in shop_db, and let this one be made in another schema (schema: audit); when that is migrated, copy the rows by SQL of your own, and take the first one out of shop_db
      "
    `);
    expect(refusalsOf(before, after, true)).toBe(refusalsOf(before, after));
  });

  test("which only one of them calls existing", () => {
    expect(refusalsOf(before, two("", `      ${existing}\n`))).toContain("mesh.yaml:9:7 - error move-table");
    expect(refusalsOf(two(`, ${existing}`, ""), two("", `      ${notes}\n`))).toMatchInlineSnapshot(`
      "mesh.yaml:9:7 - error move-table: table "notes" exists: shop_db had it as one that existed before the mesh, and audit_db would make it
        9 |       notes: { columns: { id: { type: text, key: true } } }
          |       ^^^^^
        hint: say existing: true here: its rows stay, and only the triggers change hands
      "
    `);
  });

  test("but not one that exists for both, is renamed, or lies elsewhere", () => {
    expect(refusalsOf(two(`, ${existing}`, ""), two("", `      ${existing}\n`))).toBe("");
    const renamed = two(`, memos: { renamed_from: notes, ${notes.slice(9)}`, `      ${notes}\n`);
    expect(refusalsOf(before, renamed)).toBe("");
    const elsewhere = two("", `      notes: { schema: audit, ${notes.slice(9)}\n`);
    expect(placesOf(refusalsOf(before, elsewhere))).toEqual(["mesh.yaml:4:3 - error drop-table shop_db"]);
  });
});
