import { expect, test } from "vitest";
import { docs } from "../../../generator/emit/typescript/docs.js";
import { gatherImports } from "../../../generator/emit/typescript/imports.js";
import { schemaType } from "../../../generator/emit/typescript/types.js";
import type { JsonSchema } from "../../../generator/model/mesh.js";

test.each<[JsonSchema, string]>([
  [{}, "unknown"],
  [{ type: "string" }, "string"],
  [{ type: ["integer", "null"] }, "number | null"],
  [{ type: ["integer", "number"] }, "number"],
  [{ const: "a" }, '"a"'],
  [{ const: { a: [1] } }, "{ readonly a: readonly [1] }"],
  [{ enum: ["a", 1, null] }, '"a" | 1 | null'],
  [{ type: "array", items: { type: "string" } }, "readonly string[]"],
  [{ type: "array", items: { enum: [1, 2] } }, "readonly (1 | 2)[]"],
  [{ type: "array", items: { type: "array", items: { type: "string" } } }, "readonly (readonly string[])[]"],
  [{ type: "array" }, "readonly unknown[]"],
  [
    { type: "array", prefixItems: [{ type: "string" }, { type: "integer" }], minItems: 1, items: false },
    "readonly [string, number?]",
  ],
  [{ type: "object" }, "{ readonly [key: string]: unknown }"],
  [{ type: "object", additionalProperties: { type: "number" } }, "{ readonly [key: string]: number }"],
  [
    { type: "object", properties: { a: { type: "string" }, "b-c": {} }, required: ["a"] },
    '{ readonly a: string; readonly "b-c"?: unknown }',
  ],
  [{ anyOf: [{ type: "string" }, { type: "null" }] }, "string | null"],
  [{ anyOf: [{ type: "string" }, {}] }, "unknown"],
  [
    { allOf: [{ type: "object", properties: { a: {} } }, { anyOf: [{ const: 1 }, { const: 2 }] }] },
    "{ readonly a?: unknown } & (1 | 2)",
  ],
])("%j is %s", (schema, type) => {
  expect(schemaType(schema)).toBe(type);
});

test("a doc comment cannot be ended by what it says, and is wrapped between words", () => {
  expect(docs("booked */ in the ledger")).toEqual(["booked *\\/ in the ledger"]);
  expect(docs("", " ")).toEqual([]);
  const [text = ""] = docs("word ".repeat(60));
  expect(text.startsWith("\n")).toBe(true);
  expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
});

test("imports are gathered once, sorted, and renamed where a name is taken", () => {
  const imports = gatherImports("hooks");
  expect(imports.type("./b.js", "Row")).toBe("Row");
  expect(imports.value("./b.js", "hooks")).toBe("hooks_");
  expect(imports.value("../a.js", "Row")).toBe("Row_");
  expect(imports.value("./b.js", "hooks")).toBe("hooks_");
  expect(imports.declarations()).toEqual([
    'import { Row as Row_ } from "../a.js";',
    'import { hooks as hooks_, type Row } from "./b.js";',
  ]);
});
