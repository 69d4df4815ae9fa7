import { parseArgs } from "node:util";
import { rowsText } from "./report.js";
import { runSection, type SectionResult } from "./run-sections.js";
import { FORMS, type Form } from "./section.js";
import { sections } from "./sections.js";

/*
 * `npm run bench [-- --short | --full] [--json] [SECTION…]`: each goal, held against its yardstick in turns within this run.
 * Absolute figures tell of the machine; the ratios are the claim. Exits 0 also where a goal is missed, 1 where a section failed.
 */

const { values, positionals } = readArguments();
const form = formOf(values);
const unknown = positionals.filter((name) => !sections.some((section) => section.name === name));
if (unknown.length > 0)
  endWith(`no such section: ${unknown.join(", ")}; there are ${sections.map(({ name }) => name).join(", ")}`);

const results: SectionResult[] = [];
for (const section of sections) {
  if (positionals.length > 0 && !positionals.includes(section.name)) continue;
  const result = await runSection(section, form);
  results.push(result);
  const text = `\n${result.name}, ${result.seconds} s\n${result.failure ?? rowsText(result.rows)}`;
  (values.json ? process.stderr : process.stdout).write(text);
}
if (values.json) process.stdout.write(`${JSON.stringify({ form, sections: results }, null, 2)}\n`);
process.exitCode = results.some(({ failure }) => failure !== undefined) ? 1 : 0;

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        smoke: { type: "boolean" },
        short: { type: "boolean" },
        full: { type: "boolean" },
        json: { type: "boolean" },
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
