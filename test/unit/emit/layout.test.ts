import { describe, expect, test } from "vitest";
import {
  call,
  code,
  LINE_WIDTH,
  type Literal,
  printJson,
  printTypeScript,
} from "../../../generator/emit/print/layout.js";

describe("a literal", () => {
  test("stays on one line while it fits", () => {
    expect(printTypeScript({ name: "users", columns: ["a", "b"], key: undefined, of: code("auth") })).toBe(
      '{ name: "users", columns: ["a", "b"], of: auth }',
    );
  });

  test("is broken entry by entry when it does not", () => {
    const long = "x".repeat(60);
    expect(printTypeScript({ first: long, second: [long, 1], empty: {} })).toBe(
      `{\n  first: "${long}",\n  second: ["${long}", 1],\n  empty: {},\n}`,
    );
  });

  test("counts what precedes it on its line, and the comma behind it", () => {
    const fits: Literal = ["x".repeat(LINE_WIDTH - 5)];
    expect(printTypeScript(fits)).not.toContain("\n");
    expect(printTypeScript(fits, { lead: 1 })).toContain("\n");
    expect(printTypeScript([fits], { margin: 1 }).split("\n")).toHaveLength(5);
  });

  test("never passes the width where its leaves do not", () => {
    const row = {
      name: "external_ip",
      type: "text",
      nullable: true,
      oneOf: ["private", "public", "internal"],
    };
    const text = printTypeScript({ columns: Array.from({ length: 20 }, () => ({ a: row, b: [row, row] })) });
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(LINE_WIDTH);
  });

  test("fills lines with the arguments of a call that does not fit one", () => {
    const long = "y".repeat(110);
    expect(printTypeScript(call("publish", "a", [1]))).toBe('publish("a", [1])');
    expect(printTypeScript(call("publish", long, "b", "c"))).toBe(`publish(\n  "${long}",\n  "b", "c",\n)`);
    expect(printTypeScript(call("publish", long.slice(15), "b"))).toBe(
      `publish(\n  "${long.slice(15)}", "b",\n)`,
    );
  });

  test("quotes what is no identifier, and what text could end a string with", () => {
    expect(printTypeScript({ "a-b": 'say "no"\n', class: null })).toBe(
      '{ "a-b": "say \\"no\\"\\n", class: null }',
    );
  });
});

test("JSON is JSON", () => {
  const value = { a: [1, "two", null, { b: "x".repeat(120) }], "c d": {}, e: [] };
  expect(JSON.parse(printJson(value))).toEqual(value);
  expect(printJson(value).endsWith("}\n")).toBe(true);
});
