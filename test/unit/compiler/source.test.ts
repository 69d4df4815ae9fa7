import { describe, expect, test } from "vitest";
import { collectDiagnostics } from "../../../generator/diagnostics/report.js";
import { createSourceText, type Span } from "../../../generator/source/text.js";
import { type Entry, findEntry, type Value } from "../../../generator/source/value.js";
import { readYaml } from "../../../generator/source/yaml.js";

/** Reads text in which `‹…›` marks the expected span. */
function read(marked: string): { readonly value: Value; readonly marked: Span; readonly text: string } {
  const start = marked.indexOf("‹");
  const end = marked.indexOf("›") - 1;
  const text = marked.replace("‹", "").replace("›", "");
  const source = createSourceText(text, "mesh.yaml");
  const value = readYaml(source, collectDiagnostics(source).report);
  if (value === undefined) throw new Error(`not read: ${text}`);
  return { value, marked: { start, end }, text };
}

function entryAt(value: Value, path: readonly (string | number)[]): Entry {
  const entry = findEntry(value, path);
  if (entry === undefined) throw new Error(`nothing at ${path.join(".")}`);
  return entry;
}

describe("every path has its span", () => {
  test.each<[string, string, readonly (string | number)[]]>([
    ["a plain value", "a:\n  b: ‹text›\n", ["a", "b"]],
    ["a quoted value, quotes included", 'a: ‹"te xt"› # why\n', ["a"]],
    ["a flow item", "a: [one, ‹two›]\n", ["a", 1]],
    ["a block item", "a:\n  - one\n  - ‹two›\n", ["a", 1]],
    ["a flow mapping", "a: ‹{ b: 1 }›\n", ["a"]],
    ["an alias: the use", "a: &x 1\nb: ‹*x›\n", ["b"]],
    ["inside an alias: the anchor", "a: &x { c: ‹1› }\nb: *x\n", ["b", "c"]],
    ["a merged key: where it is written", "a: &x { c: ‹1› }\nb:\n  <<: *x\n  d: 2\n", ["b", "c"]],
    ["a value after CRLF", "a: 1\r\nb: ‹2›\r\n", ["b"]],
  ])("%s", (_, marked, path) => {
    const { value, marked: span } = read(marked);
    expect(entryAt(value, path).value.span).toEqual(span);
  });

  test("a key", () => {
    const { value, marked } = read("a:\n  ‹b›: 1\n");
    expect(entryAt(value, ["a", "b"]).keySpan).toEqual(marked);
  });

  test("a value that is not written stands after its key", () => {
    const { value, text } = read("a:\nb: 1\n");
    expect(text.slice(0, entryAt(value, ["a"]).value.span.start)).toMatch(/^a:?\s*$/);
  });
});

describe("values", () => {
  test("a key of the mapping wins over a merged one", () => {
    const { value } = read("a: &x { c: 1, d: 1 }\nb:\n  <<: *x\n  c: 2\n");
    expect(entryAt(value, ["b", "c"]).value).toMatchObject({ value: 2 });
    expect(entryAt(value, ["b", "d"]).value).toMatchObject({ value: 1 });
  });

  test("an alias means the latest anchor above it", () => {
    const { value } = read("a: &x 1\nb: *x\nc: &x 2\nd: *x\n");
    expect([entryAt(value, ["b"]).value, entryAt(value, ["d"]).value]).toMatchObject([
      { value: 1 },
      { value: 2 },
    ]);
  });

  test("keys are text, whatever they look like", () => {
    const { value } = read("8081: a\ntrue: b\n");
    expect([findEntry(value, ["8081"])?.key, findEntry(value, ["true"])?.key]).toEqual(["8081", "true"]);
  });
});

test("positions count from one, and the last line needs no line break", () => {
  const source = createSourceText("one\ntwo", "mesh.yaml");
  expect(source.positionAt(0)).toEqual({ line: 1, column: 1 });
  expect(source.positionAt(5)).toEqual({ line: 2, column: 2 });
  expect(source.positionAt(7)).toEqual({ line: 2, column: 4 });
  expect(source.lineAt(2)).toBe("two");
});
