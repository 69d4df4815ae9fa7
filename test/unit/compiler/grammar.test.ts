import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { meshShape } from "../../../generator/language/grammar.js";
import type { Shape } from "../../../generator/language/shape.js";
import { ROOT, readMesh } from "../../support/compile.js";

/*
 * Every key of mesh.yaml, and every word of its closed sets, is used by a scenario of what is emitted.
 */

/** `a column: null`, `column type: uuid`: all that a file can say at a place of this shape. */
function wordsOf(shape: Shape): readonly string[] {
  switch (shape.kind) {
    case "mapping":
      return Object.entries(shape.keys).flatMap(([key, { shape: child }]) => [
        `${shape.noun}: ${key}`,
        ...wordsOf(child),
      ]);
    case "dictionary":
      return wordsOf(shape.value);
    case "list":
      return wordsOf(shape.item);
    case "either":
      return [...wordsOf(shape.short), ...wordsOf(shape.full)];
    case "choice":
      return shape.values.map((value) => `${shape.noun}: ${value}`);
    case "text":
    case "integer":
    case "flag":
    case "scalar":
    case "open":
      return [];
    default:
      return shape satisfies never;
  }
}

/** Those of them that a file does say. */
function saidIn(shape: Shape, value: unknown): readonly string[] {
  switch (shape.kind) {
    case "mapping":
      return entriesOf(value).flatMap(([key, child]) => {
        const known = shape.keys[key];
        return known === undefined ? [] : [`${shape.noun}: ${key}`, ...saidIn(known.shape, child)];
      });
    case "dictionary":
      return entriesOf(value).flatMap(([, child]) => saidIn(shape.value, child));
    case "list":
      return Array.isArray(value) ? value.flatMap((item) => saidIn(shape.item, item)) : [];
    case "either":
      return [...saidIn(shape.short, value), ...saidIn(shape.full, value)];
    case "choice":
      return typeof value === "string" ? [`${shape.noun}: ${value.replace(/(\[\])?\??$/, "")}`] : [];
    case "text":
    case "integer":
    case "flag":
    case "scalar":
    case "open":
      return [];
    default:
      return shape satisfies never;
  }
}

/** All scalars as texts, so that the key `null` is one too. */
function readScalars(path: string): unknown {
  return parse(readMesh(path), { schema: "failsafe" });
}

function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
}

test("every key and word of the language is used by a scenario in test/scenarios/emit", () => {
  const said = new Set(
    readdirSync(join(ROOT, "test/scenarios/emit")).flatMap((name) =>
      saidIn(meshShape, readScalars(`test/scenarios/emit/${name}/mesh.yaml`)),
    ),
  );
  const unused = wordsOf(meshShape).filter((word) => !said.has(word));
  expect([...new Set(unused)], "write a scenario that shows what it does").toEqual([]);
});
