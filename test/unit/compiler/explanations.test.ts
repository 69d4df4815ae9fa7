import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { codeNames } from "../../../generator/cli/ask/explain-code.js";
import { kindNames } from "../../../generator/cli/ask/explain-kind.js";
import { type Compilation, compileMesh } from "../../../generator/compile.js";
import { explanationOf } from "../../../generator/diagnostics/explanations/explanations.js";
import { type DiagnosticCode, diagnosticCodes } from "../../../generator/diagnostics/registry.js";
import { readHooks } from "../../support/scenario-hooks.js";

/*
 * The examples of `mesh explain CODE` and docs/diagnostics.md: lines of the code's own scenario, and what stands in their place. The first
 * have the mistake; with the second it is one fewer, and there is no other.
 */

const shown = diagnosticCodes.filter((code) => explanationOf(code).wrong !== undefined);

test.each(shown)("%s: the wrong lines have the mistake, and the right ones have not", (code) => {
  const { wrong = "", right } = explanationOf(code);
  const scenario = new URL(`../../scenarios/diagnostics/${code}/mesh.yaml`, import.meta.url);
  const text = readFileSync(scenario, "utf8");
  const hooks = readHooks(new URL("hooks/", scenario));
  const [before, after] = [text, replaceLines(text, wrong, right)].map((source) =>
    compileMesh(source, { file: "mesh.yaml", ...(hooks && { hooks }) }),
  );
  if (before === undefined || after === undefined) throw new Error("not compiled");
  expect(count(after, code), `of ${code}`).toBeLessThan(count(before, code));
  const known = [...errorsOf(before), ...(OTHER_HALF.get(code) ?? [])];
  expect(errorsOf(after).filter((error) => !known.includes(error))).toEqual([]);
});

/** What is left to do elsewhere in the file. */
const OTHER_HALF: ReadonlyMap<DiagnosticCode, readonly string[]> = new Map([
  ["service-without-database", ['unknown-database: there is no database "auth_db"']],
]);

test("nearly every code has an example", () => {
  expect(diagnosticCodes.filter((code) => !shown.includes(code))).toEqual([
    "too-large",
    "too-deep",
    "more-mistakes",
    "empty-file",
    "too-many",
  ]);
});

function count({ diagnostics }: Compilation, code: DiagnosticCode): number {
  return diagnostics
    .filter((diagnostic) => diagnostic.code === code)
    .reduce((sum, { also }) => sum + 1 + also.length, 0);
}

function errorsOf({ diagnostics }: Compilation): readonly string[] {
  return diagnostics.flatMap(({ severity, code, message }) =>
    severity === "error" ? [`${code}: ${message}`] : [],
  );
}

/** The lines where they stand, at whatever depth, but for a comment behind them. */
function replaceLines(text: string, wrong: string, right: string): string {
  const [lines, sought] = [text.split("\n"), wrong.split("\n")];
  for (const [at, line] of lines.entries()) {
    const indent = /^ */.exec(line)?.[0] ?? "";
    const stands = sought.every((part, index) => {
      const there = lines[at + index];
      return there === `${indent}${part}` || there?.startsWith(`${indent}${part}   #`) === true;
    });
    if (!stands) continue;
    const put = right === "" ? [] : right.split("\n").map((part) => `${indent}${part}`);
    return [...lines.slice(0, at), ...put, ...lines.slice(at + sought.length)].join("\n");
  }
  throw new Error(`the scenario has no line\n${wrong}`);
}

test("no kind of change is called as a code is: both are asked for by one word", () => {
  const codes = new Set(codeNames());
  expect(kindNames().filter((kind) => codes.has(kind))).toEqual([]);
});
