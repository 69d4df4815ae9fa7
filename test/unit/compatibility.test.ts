import { describe, expect, test } from "vitest";
import { findNarrowing } from "../../generator/compatibility/narrowing.js";
import { compileMesh } from "../../generator/compile.js";
import { renderDiagnostics } from "../../generator/diagnostics/render.js";
import { generate, memoryFolder, plan } from "../support/generated-output.js";

const reference = `mesh: m
services:
  auth: { database: auth_db, publishes: [auth.*] }
  sfs: { database: sfs_db, publishes: [sfs.*], subscribes: [auth.user.*] }
  mail: { database: mail_db, subscribes: [auth.user.*] }
databases:
  auth_db: { tables: { users: { columns: { user_id: { type: nanoid, key: true } } } } }
  sfs_db: { tables: { files: { columns: { file_id: { type: nanoid, key: true } } } } }
  mail_db: { tables: { mails: { columns: { mail_id: { type: nanoid, key: true } } } } }
subjects:
  auth.user.{id}.created:
    event: UserCreated
    payload: { user_id: nanoid, display_name: string }
  sfs.file.{id}.created:
    event: FileCreated
    payload: { file_id: nanoid }
`;

/** The warnings for a change of the reference mesh, as printed. */
async function warnedOf(change: (text: string) => string): Promise<string> {
  const folder = memoryFolder();
  await generate(reference, folder);
  const text = change(reference);
  expect(text).not.toBe(reference);
  const { warnings, refusals } = await plan(text, folder);
  expect(refusals).toEqual([]);
  const { locate } = compileMesh(text, { file: "mesh.yaml" });
  const placed = warnings.map(({ path = [], ...warning }) => ({
    ...warning,
    path,
    severity: "warning" as const,
  }));
  return renderDiagnostics(locate(placed));
}

const inUserCreated = (from: RegExp | string, to: string) => (text: string) => {
  const at = text.indexOf("event: UserCreated");
  return text.slice(0, at) + text.slice(at).replace(from, to);
};

describe("a payload that demands more than before", () => {
  test.each([
    ["a new field that is required", "display_name: string", "display_name: string, email: string", "email"],
    ["another type", "display_name: string", "display_name: integer", "display_name"],
    ["a rule", "display_name: string", "display_name: { type: string, maxLength: 3 }", "display_name"],
  ])("is warned of, at its field, with its subscribers: %s", async (_, from, to, field) => {
    const printed = await warnedOf(inUserCreated(from, to));
    expect(printed).toMatch(/^mesh\.yaml:\d+:\d+ - warning payload-narrowed: UserCreated now demands /m);
    expect(printed).toContain(`"${field}"`);
    expect(printed).toContain("become dead letters of mail, sfs");
    expect(printed.match(/payload-narrowed/g)).toHaveLength(1);
  });

  test("is warned of once: the next run knows it", async () => {
    const folder = memoryFolder();
    await generate(reference, folder);
    const text = inUserCreated("display_name: string", "display_name: string, email: string")(reference);
    expect((await generate(text, folder)).warnings).toHaveLength(1);
    expect((await plan(text, folder, { distrustLock: true })).warnings).toEqual([]);
  });

  test("but not of a new field that may be left out", async () => {
    const added = inUserCreated("display_name: string", "display_name: string, email: string?");
    expect(await warnedOf(added)).toBe("");
  });

  test("nor of the bounds of what a JSON number tells exactly", () => {
    const bounds = { minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER };
    expect(findNarrowing({ type: "integer" }, { type: "integer", ...bounds })).toBeUndefined();
    expect(findNarrowing({ type: "integer" }, { type: "integer", ...bounds, minimum: 0 })).toBe("minimum 0");
  });

  test("and not where nobody subscribes", async () => {
    const changed = reference.replace("{ file_id: nanoid }", "{ file_id: nanoid, name: string }");
    expect(await warnedOf(() => changed)).toBe("");
  });
});

const NEW_ACTION = `  auth.user.{id}.renamed:
    event: UserRenamed
    payload: { user_id: nanoid }
`;

describe("what becomes poison for subscribers of an older release", () => {
  test.each([
    ["a field that may be left out from now on", "display_name: string", "display_name: string?"],
    ["a field that goes", /, display_name: string/, ""],
    ["a type that holds more", "display_name: string", "display_name: { type: [string, integer] }"],
  ])("is warned of, with who goes first: %s", async (_, from, to) => {
    const printed = await warnedOf(inUserCreated(from, to));
    expect(printed).toMatch(/^mesh\.yaml:\d+:\d+ - warning payload-widened: UserCreated no longer demands /m);
    expect(printed).toContain('"display_name"');
    expect(printed).toContain("let no older replica of mail, sfs run on when auth begins to publish it");
    expect(printed.match(/warning/g)).toHaveLength(1);
  });

  test("is an action that they do not know, once", async () => {
    const printed = await warnedOf((text) => text + NEW_ACTION);
    expect(printed).toMatch(
      /^mesh\.yaml:\d+:\d+ - warning action-added: "renamed" is a new action of auth\.user, .* dead letter of mail, sfs$/m,
    );
    expect(printed).toContain("mesh dlq redrive mail --all, mesh dlq redrive sfs --all");
    const folder = memoryFolder();
    await generate(reference, folder);
    await generate(reference + NEW_ACTION, folder);
    expect((await plan(reference + NEW_ACTION, folder, { distrustLock: true })).warnings).toEqual([]);
  });

  test("is no event of a new entity, nor one for a new subscriber", async () => {
    const entity = NEW_ACTION.replace("auth.user", "auth.group").replace("UserRenamed", "GroupRenamed");
    const heard = (text: string) => text.replaceAll("[auth.user.*]", "[auth.user.*, auth.group.*]");
    expect(await warnedOf((text) => heard(text) + entity)).toBe("");
    const unheard = reference.replaceAll(", subscribes: [auth.user.*]", "");
    const folder = memoryFolder();
    await generate(unheard, folder);
    expect((await plan(reference + NEW_ACTION, folder)).warnings).toEqual([]);
  });

  test("cannot be determined where a merge has left the last run's files broken", async () => {
    const folder = memoryFolder();
    await generate(reference, folder);
    folder.files.set("subjects.json", `<<<<<<< ours\n${folder.files.get("subjects.json")}`);
    expect((await plan(reference + NEW_ACTION, folder)).warnings).toEqual([]);
  });
});

test.each([
  [{ type: "integer" }, { type: "number" }, undefined],
  [{ type: "number" }, { type: "integer" }, "the type integer"],
  [{ type: ["string", "null"] }, { type: "string" }, "the type string"],
  [{ enum: ["a"] }, { enum: ["a", "b"] }, undefined],
  [{ enum: ["a", "b"] }, { enum: ["a"] }, 'enum ["a"]'],
  [{ maxLength: 3 }, { maxLength: 5 }, undefined],
  [{ maxLength: 5 }, { maxLength: 3 }, "maxLength 3"],
  [{ minimum: 3 }, { minimum: 5 }, "minimum 5"],
  [{}, { pattern: "^a" }, 'pattern "^a"'],
  [{ pattern: "^a" }, {}, undefined],
  [{ description: "x" }, { description: "y" }, undefined],
  [{ additionalProperties: false }, { additionalProperties: true }, undefined],
  [{ items: { type: "string" } }, { items: { type: "number" } }, 'items {"type":"number"}'],
  [
    { properties: { a: { properties: { b: {} } } } },
    { properties: { a: { properties: { b: { type: "string" } } } } },
    'of "a" of "b" the type string',
  ],
  [{ required: ["a"] }, { required: ["a", "b"] }, 'that "b" is there'],
])("from %j to %j it demands %s", (before, now, demand) => {
  expect(findNarrowing(before, now)).toBe(demand);
});
