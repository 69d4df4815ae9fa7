import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { describeRun } from "./document/describe-run.js";
import { writeFigures } from "./document/figures.js";
import { performanceFiles, performancePath } from "./document/write-document.js";
import { rowsText } from "./report.js";
import type { SectionResult } from "./run-section.js";
import { FORMS, type Form, isIn, type Section } from "./section.js";
import { runApart } from "./section-process.js";
import { sections } from "./sections.js";

/*
 * `npm run bench [-- --short | --full] [--json] [--write] [SECTION…]`: each goal, held against its yardstick in turns within this run.
 * Absolute figures tell of the machine; the ratios are the claim. `--write` keeps the figures, and makes docs/performance.md of them.
 * Exits 0 also where a goal is missed, 1 where a section failed.
 */

const { values, positionals } = readArguments();
const form = formOf(values);
const unknown = positionals.filter((name) => !sections.some((section) => section.name === name));
if (unknown.length > 0)
  endWith(`no such section: ${unknown.join(", ")}; there are ${sections.map(({ name }) => name).join(", ")}`);

const run = await describeRun(form);
const results: SectionResult[] = [];
const asked = (section: Section) =>
  positionals.length > 0 ? positionals.includes(section.name) : isIn(form)(section);
for (const section of sections.filter(asked)) {
  const result = await runApart(section.name, form);
  results.push(result);
  if (values.write) writeFigures(sections, results, run);
  const text = `\n${result.name}, ${result.seconds} s\n${result.failure ?? rowsText(result.rows)}`;
  (values.json ? process.stderr : process.stdout).write(text);
}
if (!values.json) process.stdout.write(`\n${totalOf(results)}\n`);
if (values.write) for (const [name, text] of performanceFiles()) writeFileSync(performancePath(name), text);
if (values.json) process.stdout.write(`${JSON.stringify({ run, sections: results }, null, 2)}\n`);
process.exitCode = results.some(({ failure }) => failure !== undefined) ? 1 : 0;

function totalOf(done: readonly SectionResult[]): string {
  const rows = done.flatMap((result) => result.rows).filter(({ met }) => met !== undefined);
  const seconds = Math.round(done.reduce((sum, result) => sum + result.seconds, 0));
  return `${rows.filter(({ met }) => met).length} of ${rows.length} goals met, ${seconds} s`;
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        smoke: { type: "boolean" },
        short: { type: "boolean" },
        full: { type: "boolean" },
        json: { type: "boolean" },
        write: { type: "boolean" },
      },
    });
  } catch (error) {
    return endWith(error instanceof Error ? error.message : String(error));
  }
}

/** Default: short. */
function formOf(given: Readonly<Partial<Record<Form, boolean>>>): Form {
  const asked = FORMS.filter((one) => given[one]);
  if (asked.length > 1) endWith(`one of ${asked.map((one) => `--${one}`).join(", ")}`);
  return asked[0] ?? "short";
}

function endWith(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}
