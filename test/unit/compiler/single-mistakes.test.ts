import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { compileMesh } from "../../../generator/compile.js";
import { diagnosticsToJson } from "../../../generator/diagnostics/render.js";
import { meshShape } from "../../../generator/language/grammar.js";
import { ROOT } from "../../support/compile.js";
import { type Json, type Mistake, singleMistakes } from "../../support/single-mistakes.js";

/*
 * One mistake in each key of the grammar, of each kind that it can have, made in the meshes of the scenarios. EVERY_PLACE=1
 * makes it at each place where the key stands, which takes minutes.
 */

const folders = ["examples", "test/scenarios/emit"].flatMap((folder) =>
  readdirSync(join(ROOT, folder)).map((name) => join(ROOT, folder, name, "mesh.yaml")),
);

test("one mistake is one error, whatever follows from it", { timeout: 600_000 }, () => {
  const found = new Map<string, unknown>();
  const made = new Set<string>();
  for (const file of [join(ROOT, "mesh.yaml"), ...folders].filter((path) => existsSync(path))) {
    const mesh = parse(readFileSync(file, "utf8"), { merge: true, stringKeys: true }) as Json;
    for (const mistake of singleMistakes(meshShape, mesh)) {
      const kind = `${mistake.key}: ${mistake.kind}`;
      if (made.has(kind) && process.env.EVERY_PLACE === undefined) continue;
      made.add(kind);
      const errors = errorsOf(mistake);
      // What is named otherwise may be a name of its own.
      if (errors.length !== 1 && !(mistake.kind === "misnamed" && errors.length === 0))
        found.set(`${file} ${mistake.place}: ${mistake.kind}`, errors);
    }
  }
  expect(made.size).toBeGreaterThan(500);
  expect(Object.fromEntries(found)).toEqual({});
});

function errorsOf({ mesh }: Mistake): readonly unknown[] {
  const text = stringify(mesh(), { aliasDuplicateObjects: false });
  const { diagnostics } = compileMesh(text, { file: "mesh.yaml" });
  return diagnosticsToJson(diagnostics.filter(({ severity }) => severity === "error"));
}

test("mistakes that do not follow from each other are all told", () => {
  const broken = [
    ["{ type: text, unique: true }", "{ type: txt, unique: true }"],
    ["created_at:    { type: timestamp, default: now }", "created_at:    { type: timestamp, default: soon }"],
    ["[compute.container.*]", "[compute.contaner.*]"],
  ].reduce(
    (text, [good = "", bad = ""]) => text.replace(good, bad),
    readFileSync(join(ROOT, "mesh.yaml"), "utf8"),
  );
  const { diagnostics } = compileMesh(broken, { file: "mesh.yaml" });
  expect(diagnostics.map(({ code }) => code).sort()).toEqual([
    "invalid-default",
    "unknown-subject",
    "unknown-type",
  ]);
});
