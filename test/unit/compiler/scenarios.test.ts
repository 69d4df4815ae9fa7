import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { compileMesh } from "../../../generator/compile.js";
import { diagnosticCodes } from "../../../generator/diagnostics/registry.js";
import { renderDiagnostics } from "../../../generator/diagnostics/render.js";
import { readHooks } from "../../support/scenario-hooks.js";

/*
 * A directory is a test: mesh.yaml, with the reason in its first comment, and what the compiler
 * says of it, beside the files of hooks/ where there are any. `UPDATE_SCENARIOS=1` records anew; read what it recorded.
 */
const folder = new URL("../../scenarios/diagnostics/", import.meta.url);
const scenarios = readdirSync(folder).sort();
const isRecording = process.env.UPDATE_SCENARIOS === "1";

describe("scenarios of diagnostics", () => {
  test.each(scenarios)("%s", (scenario) => {
    const place = new URL(`${scenario}/`, folder);
    const hooks = readHooks(new URL("hooks/", place));
    const { diagnostics } = compileMesh(readFileSync(new URL("mesh.yaml", place), "utf8"), {
      file: "mesh.yaml",
      ...(hooks && { hooks }),
    });
    const expected = new URL("expected.txt", place);
    const rendered = renderDiagnostics(diagnostics);
    if (isRecording) writeFileSync(expected, rendered);
    expect(readdirSync(place).sort()).toEqual(["expected.txt", ...(hooks ? ["hooks"] : []), "mesh.yaml"]);
    expect(rendered, `run with UPDATE_SCENARIOS=1 and review ${scenario}/expected.txt`).toBe(
      readFileSync(expected, "utf8"),
    );
  });

  test("every code has a scenario that shows it", () => {
    const unseen = diagnosticCodes.filter((code) => {
      const expected = new URL(`${code}/expected.txt`, folder);
      return (
        !existsSync(expected) ||
        !new RegExp(` - (error|warning) ${code}: `).test(readFileSync(expected, "utf8"))
      );
    });
    expect(unseen, "add test/scenarios/diagnostics/<code>/mesh.yaml").toEqual([]);
  });
});
