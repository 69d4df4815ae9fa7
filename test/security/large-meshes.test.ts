import { describe, expect, test } from "vitest";
import { compileMesh } from "../../generator/compile.js";
import { renderDiagnostics } from "../../generator/diagnostics/render.js";
import { MAXIMUM_DEPTH, MAXIMUM_TEXT } from "../../generator/source/maximum-sizes.js";

/*
 * Whatever stands in mesh.yaml is answered within seconds, in few words and at a place: a linter in somebody's CI
 * reads what strangers propose. Time is the processor's, since tests share the machine.
 */

const MOST_MS = 4_000;

const many = (count: number, line: (at: number) => string) =>
  Array.from({ length: count }, (_, at) => line(at)).join("");
const HEAD = "mesh: m\nservices:\n  auth: { database: auth_db, publishes: [auth.*] }\n";
const TABLES = "databases:\n  auth_db:\n    tables:\n";
const table = (name: string) => `      ${name}: { columns: { id: { type: nanoid, key: true } } }\n`;
const subject = (at: number, from: string) =>
  `  auth.e${at}.{id}.created: { event: E${at}, emit: { table: ${from}, on: insert }, payload: { id: nanoid } }\n`;

/** Long, broken, deep or expanding texts. */
const MESHES: Readonly<Record<string, () => string>> = {
  "394 KB of unknown tables": () =>
    `${HEAD}${TABLES}${table("users")}subjects:\n${many(4_000, (at) => subject(at, `tbl${at}`))}`,
  "unknown tables beside as many known ones": () =>
    `${HEAD}${TABLES}${many(4_000, (at) => table(`users${at}`))}subjects:\n${many(4_000, (at) => subject(at, `usres${at}`))}`,
  "tables of another service": () =>
    `${HEAD}  b: { database: b_db }\n${TABLES}${many(3_000, (at) => table(`users${at}`))}  b_db:\n    tables:\n${many(3_000, (at) => table(`usrs${at}`))}subjects:\n${many(3_000, (at) => subject(at, `usrs${at}`))}`,
  "100,000 unknown keys": () => HEAD + many(100_000, (at) => `k${at}: 1\n`),
  "40,000 mappings with an unknown key": () =>
    `mesh: m\nservices:\n${many(40_000, (at) => `  s${at}: { databse: d }\n`)}`,
  "an unknown key of a megabyte": () => `${HEAD}? ${"k".repeat(1_000_000)}\n: 1\n`,
  "a wrong value of three megabytes": () => `${HEAD}delivery: ${"k".repeat(3_000_000)}\n`,
  "services that subscribe to what nobody publishes": () =>
    `mesh: m\nservices:\n${many(10_000, (at) => `  s${at}: { external: true, subscribes: [a.b${at}.*] }\n`)}`,
  "rules on unknown events": () =>
    `${HEAD}cascades:\n${many(15_000, (at) => `  - { on: auth.user${at}.deleted, service: auth, delete: a.b${at} }\n`)}`,
  "100,000 subjects": () =>
    `${HEAD}subjects:\n${many(100_000, (at) => `  auth.e.{id}.c${at}: { event: E${at} }\n`)}`,
  "20,000 malformed subjects": () =>
    `${HEAD}subjects:\n${many(20_000, (at) => `  auth.e${at}.c: { event: E${at} }\n`)}`,
  "one key 100,000 times": () => `${HEAD}x-a:\n${many(100_000, () => "  a: 1\n")}`,
  "aliases of nothing": () => `${HEAD}x-a:\n${many(50_000, (at) => `  b${at}: *b${at}\n`)}`,
  "an unclosed line of 5 MB": () => `${HEAD}subjects: [${"a, ".repeat(1_700_000)}`,
  "an unclosed line of 2 MB": () => `${HEAD}subjects: [${"word, ".repeat(330_000)}`,
  "an unclosed quote of 4 MB": () => `${HEAD}description: "${"a ".repeat(2_000_000)}`,
  "an unclosed mapping": () => `${HEAD}x: {${"a: b, ".repeat(100_000)}`,
  "brackets that open": () => `${HEAD}x: ${"[".repeat(4_000_000)}`,
  "braces that open": () => `${HEAD}x: ${"{a: ".repeat(1_000_000)}`,
  "brackets that close": () => `${HEAD}x: ${"]".repeat(200_000)}`,
  "brackets that pair, far too deep": () => `${HEAD}x: ${"[".repeat(100_000)}${"]".repeat(100_000)}\n`,
  "dashes on one line": () => `${HEAD}${"- ".repeat(2_000_000)}`,
  "colons on one line": () => `${HEAD}${"a: ".repeat(1_000_000)}`,
  "question marks": () => `${HEAD}${"? ".repeat(2_000_000)}`,
  commas: () => `${HEAD}x: [${",".repeat(300_000)}]`,
  "escapes that are none": () => `${HEAD}description: "${"\\q".repeat(2_000_000)}"\n`,
  tags: () => `${HEAD}x: ${"!a ".repeat(100_000)}`,
  anchors: () => `${HEAD}${"&a ".repeat(100_000)}`,
  documents: () => `${HEAD}${"---\n".repeat(100_000)}`,
  directives: () => `${"%A b\n".repeat(100_000)}${HEAD}`,
  "tabs at the start of lines": () => `${HEAD}${"\ta: 1\n".repeat(100_000)}`,
  "blocks within blocks": () => many(2_000, (at) => `${" ".repeat(at)}a:\n`),
  "aliases of aliases, wide": () =>
    `${HEAD}x-a: &a0 [1,2,3,4,5,6,7,8,9,0]\n${many(9, (at) => `x-b${at}: &a${at + 1} [${`*a${at}, `.repeat(10)}]\n`)}`,
  "aliases of aliases, deep": () =>
    `${HEAD}x-0: &a0 {}\n${many(20_000, (at) => `x-b${at}: &a${at + 1} [*a${at}]\n`)}`,
  "one block merged into a thousand": () =>
    `${HEAD}x-a: &a {${many(10_000, (at) => `k${at}: 1, `)}}\nx-b:\n${many(10_000, (at) => `  b${at}: { <<: *a }\n`)}`,
  "one block merged a thousand times": () =>
    `${HEAD}x-a: &a {${many(20_000, (at) => `k${at}: 1, `)}}\nx-b: { <<: [${"*a, ".repeat(20_000)}] }\n`,
  "a NUL": () => `${HEAD}x-a: \0\n`,
  "an escape code in a comment": () => `# \u001b[2J\n${HEAD}`,
  "carriage returns alone": () => HEAD.replaceAll("\n", "\r"),
};

test.each(Object.entries(MESHES))("%s", (_, make) => {
  const text = make();
  const before = process.cpuUsage();
  const { mesh, diagnostics } = compileMesh(text, { file: "mesh.yaml" });
  const shown = renderDiagnostics(diagnostics);
  const { user, system } = process.cpuUsage(before);
  expect(mesh).toBeUndefined();
  expect(diagnostics.length).toBeGreaterThan(0);
  expect(diagnostics.length).toBeLessThanOrEqual(101);
  expect(shown.length).toBeLessThan(100_000);
  expect(Math.max(...shown.split("\n").map((line) => line.length))).toBeLessThan(2_000);
  expect((user + system) / 1_000).toBeLessThan(MOST_MS);
});

describe("of very many mistakes", () => {
  test("the first hundred are told, in their order, and how many more there are", () => {
    const { diagnostics } = compileMesh(HEAD + many(100_000, (at) => `k${at}: 1\n`), { file: "mesh.yaml" });
    expect(diagnostics.slice(0, 101).map(({ start }) => start.line)).toEqual(
      Array.from({ length: 101 }, (_, at) => 4 + at),
    );
    expect(diagnostics.at(-1)).toMatchObject({ code: "more-mistakes", count: 99_900 });
  });
});

describe("the limits leave room", () => {
  test("for a mesh as deep as a schema may be", () => {
    const levels = Math.floor(MAXIMUM_DEPTH / 2) - 10;
    const schema = `${"{ type: object, properties: { a: ".repeat(levels)}{ type: string }${" } }".repeat(levels)}`;
    const text = `mesh: m\nservices: { a: { external: true, publishes: [a.*] } }\nsubjects: { "a.b.{id}.c": { event: E, payload: { a: ${schema} } } }\n`;
    expect(compileMesh(text, { file: "m" }).diagnostics.map(({ code }) => code)).not.toContain("too-deep");
  });

  test("for a text of the most that is read", () => {
    const head = "mesh: m\nservices: { a: { external: true } }\n# ";
    const full = head + "x".repeat(MAXIMUM_TEXT - head.length);
    const { diagnostics } = compileMesh(full, { file: "m" });
    expect(diagnostics.filter(({ code }) => code === "too-large")).toEqual([]);
    expect(compileMesh(`${full}x`, { file: "m" }).diagnostics).toMatchObject([{ code: "too-large" }]);
  });
});

describe("bytes", () => {
  const compile = (...parts: (string | number[])[]) =>
    compileMesh(Buffer.concat(parts.map((part) => Buffer.from(part as string))), { file: "mesh.yaml" });

  test("that are no UTF-8 are told of where they stand", () => {
    const { diagnostics } = compile("mesh: m\n# ä ", [0xff, 0xfe], "\n");
    expect(diagnostics).toMatchObject([{ code: "yaml-syntax", start: { line: 2, column: 5 } }]);
    expect(compile([0xff, 0xfe, 0x6d, 0x00]).diagnostics).toMatchObject([{ start: { line: 1, column: 1 } }]);
  });

  test("of a byte order mark count for nothing", () => {
    expect(compile([0xef, 0xbb, 0xbf], "mesh: m\nservcies: {}\n").diagnostics[0]).toMatchObject({
      start: { line: 2, column: 1 },
    });
  });
});
