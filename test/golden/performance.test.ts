import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseExplanations } from "../../bench/document/explanations.js";
import { performanceDocument, strayExplanations } from "../../bench/document/markdown.js";
import { performanceFiles, performancePath } from "../../bench/document/write-document.js";
import { row } from "../../bench/row.js";

/* docs/performance.md, its plots and README's sentence on speed follow from docs/performance/figures.json. */

test("docs/performance.md, plots and README's sentence are made of figures.json (UPDATE_DOCS=1 writes them)", () => {
  for (const [name, text] of performanceFiles()) {
    if (process.env.UPDATE_DOCS) writeFileSync(performancePath(name), text);
    expect(readFileSync(performancePath(name), "utf8"), name).toBe(text);
  }
});

const run = {
  form: "full",
  day: "2026-01-02",
  commit: "abc",
  machine: "m",
  versions: "v",
  load: 0.1,
} as const;
const rows = [row({ what: "relayed", unit: "/s", samples: [10], goal: { of: "value", atLeast: 11 } })];
const section = { name: "relay", about: "What it is.", seconds: 1, rows, run };

test("a goal that docs/performance.md shows as missed is explained, or said not to be", () => {
  const unexplained = performanceDocument([{ ...section, explanations: parseExplanations("") }]);
  expect(unexplained).toContain(
    "0 of 1 goals are met. Missed, each explained in its section: [relayed](#relay).",
  );
  expect(unexplained).toContain("| relayed | 10 /s |  |  | ≥ 11 /s **missed** |".replaceAll(" /s", "/s"));
  expect(unexplained).toContain("**relayed**: missed, and not explained yet.");
  const explanations = parseExplanations("Of all rows.\n\n## relayed\n\nThe profile says fsync.\n");
  const explained = performanceDocument([{ ...section, explanations }]);
  expect(explained).toContain("Of all rows.\n\n**relayed**: The profile says fsync.");
});

test("an explanation of a row that the bench no longer has is an error", () => {
  const explanations = parseExplanations("## relaid\nOf old.\n");
  expect(strayExplanations([{ ...section, explanations }])).toEqual([
    'bench/explanations/relay.md explains "relaid", which is no row of relay',
  ]);
});

test("docs/performance.md says when the machine was not quiet", () => {
  const busy = { ...section, run: { ...run, load: 2.5 }, explanations: parseExplanations("") };
  expect(performanceDocument([busy])).toContain("load before it 2.5. **The machine was not quiet.**");
});
