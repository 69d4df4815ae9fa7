import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CST, Lexer, parseDocument } from "yaml";
import { type CommonSyntax, readCommonSyntax } from "../../../generator/source/common/common-syntax.js";
import { fromLibrary } from "../../../generator/source/library-nodes.js";
import { ROOT, readMesh } from "../../support/compile.js";
import { type Draw, openDraw, pick } from "../../support/draw.js";

/** What the library makes of a text: the oracle. */
function byLibrary(text: string) {
  const { contents, errors } = parseDocument(text, { uniqueKeys: false, schema: "core" });
  const lexemes = [...new Lexer().lex(text)];
  const comments = lexemes.filter((lexeme) => CST.tokenType(lexeme) === "comment");
  return {
    root: fromLibrary(contents),
    errors: errors.map(({ code }) => code),
    comments,
    tokens: lexemes.length,
  };
}

function expectSame({ root, comments, tokens }: CommonSyntax, text: string): void {
  const library = byLibrary(text);
  expect({ text, root, errors: [] }).toEqual({ text, root: library.root, errors: library.errors });
  expect(comments.map(({ start, end }) => text.slice(start, end))).toEqual(library.comments);
  expect(tokens).toBeGreaterThanOrEqual(library.tokens);
}

const TEXTS: readonly string[] = [
  "a: 1\n",
  "# head\n\na: { b: [x, y], c: { d: e } } # tail\n",
  "a:\n  b: 1\n    # further right\n\n  # at its column\n # further left\nc: 2\n# end\n",
  "a:\n- b: 1\n  c: 2\n  # within\n# without\n- d\nz:\n  - [a, b]\n  # behind\n  - { x: y }\n  - 'q'\n",
  "a: |\n  x\n\n  y\n\nb: >\n  q\n  r\n\n  s\n\n\n  t\n\n  # behind\nc: >-\n  last\n",
  "a: &one { b: 1 }\nc: *one # again\nd: &two\n  e: [*one, &three [1], *three]\nf: *two\ng:\n  - &four [x]\n  - *four\n",
  "'it''s': 'a # b'\n\"q\" : \"x: y\"\n? :\n",
  "'it''s': 'a # b'\n\"q\" : \"x: y\"\nz: \"\"\n",
  "a: {\n  b: [1,\n # c\n  2,\n  ], \n}\nd: [\n]\n",
  "a: {\n  b: 1\n # left\n  , c: 'd'\n  }",
  "a: [-1, +2, 0x1F, 0o17, 1e3, .5, 1., -0, ~, null, Null, true, FALSE, -, a:b, x y, 007, 1_000]\n",
  "a: -x\nb: a#b\nc: http://x/y?z=1\nd: string?\ne: é ✓\nf: x:y\n",
];

test.each(TEXTS)("%j is read as the library reads it, or left to it", (text) => {
  const common = readCommonSyntax(text);
  if (common !== undefined) expectSame(common, text);
  else expect(text).toMatch(/\? :|-,/);
});

test("so is every mesh of the scenarios and the examples, and most are common", () => {
  const folders = ["examples", "test/scenarios/emit", "test/scenarios/diagnostics", "test/scenarios/adopt"];
  const paths = folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder)).map((name) => join(ROOT, folder, name, "mesh.yaml")),
  );
  const texts = paths.filter((path) => existsSync(path)).map((path) => readFileSync(path, "utf8"));
  const common = texts.filter((text) => {
    const found = readCommonSyntax(text);
    if (found !== undefined) expectSame(found, text);
    return found !== undefined;
  });
  expect(common.length).toBeGreaterThan(0.8 * texts.length);
  expect(readCommonSyntax(readMesh())).toBeDefined();
});

describe("what is not certain is left to the library", () => {
  test.each([
    "a: 1\na b\n",
    "a:\n\tb: 1\n",
    "a: 1\r\nb: 2\r\n",
    "a: b: c\n",
    "a: x\n  y\n",
    "a:\n  b: 1\n   c: 2\n",
    "a:\n",
    "a: { b: }\n",
    "a: { b }\n",
    "a: [b: c]\n",
    "a: { b: text[] }\n",
    'a: "\\x41"\n',
    "a: 'b\n  c'\n",
    "a: [b\n c]\n",
    "a: {\n  b: 1\n# left\n  , c: d }\n",
    "a: [1\n]\nb: {\nc: 1 }\n",
    "a: !!str 1\n",
    "---\na: 1\n",
    "--- a: 1\n",
    "a: 1\n...\n",
    "? a\n: b\n",
    "%YAML 1.2\n",
    "a: *\n",
    "a: &x *y\n",
    "a: &x[1]\n",
    'a: "b"c\n',
    'a: "b"# c\n',
    "a: |2\n    b\n",
    "a: >\n  b\n    c\n",
    "a: |\nb: 1\n",
    "- a\n",
    " a: 1\n",
    "",
    "a: .inf\n",
    `${"k".repeat(1100)}: 1\n`,
    `a: ${"[".repeat(100)}${"]".repeat(100)}\n`,
  ])("%j", (text) => {
    expect(readCommonSyntax(text)).toBeUndefined();
  });
});

const BITS = [
  ..."#:\n -{}[],'\"?!%~x1é\\@`",
  " #",
  ": ",
  "- ",
  "  ",
  "&a ",
  "*a",
  "|\n",
  ">-\n",
  "\n\n",
  "\n  # c\n",
  "\n# c\n",
];
const MORE = [
  "\n      # c\n",
  "? ",
  "...",
  "---\n",
  "<<: ",
  "\n- ",
  "\n  - ",
  "a: b",
  "null",
  ".5",
  ": {",
  ": [\n",
];

/** A few signs put in, taken out, and lines that change their place or column. */
function damaged(text: string, draw: Draw): string {
  let now = text;
  for (let left = draw(4); left > 0; left -= 1) {
    const at = draw(now.length + 1);
    const lines = now.split("\n");
    const line = draw(lines.length);
    const moved = `${" ".repeat(draw(5))}${lines[line]?.trimStart()}`;
    now =
      [
        () => now.slice(0, at) + pick([...BITS, ...MORE], draw) + now.slice(at),
        () => now.slice(0, at) + now.slice(at + 1 + draw(3)),
        () => lines.with(line, moved).join("\n"),
        () => lines.toSpliced(line, 1).toSpliced(draw(lines.length), 0, moved).join("\n"),
      ][draw(4)]?.() ?? now;
  }
  return now;
}

test("damaged texts are read as the library reads them, or left to it", () => {
  const draw = openDraw(14);
  let read = 0;
  for (let round = 0; round < 6000; round += 1) {
    const text = damaged(pick(TEXTS, draw), draw);
    const common = readCommonSyntax(text);
    if (common === undefined) continue;
    read += 1;
    expectSame(common, text);
  }
  expect(read).toBeGreaterThan(1000);
});
