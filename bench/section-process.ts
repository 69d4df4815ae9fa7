import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { runSection, type SectionResult } from "./run-section.js";
import { FORMS, type Form } from "./section.js";
import { sections } from "./sections.js";

/*
 * Each section is a process of its own: what one leaves in memory slows no other, and is not counted as its memory.
 */

/** Never rejects: a section whose process dies has failed. */
export function runApart(name: string, form: Form): Promise<SectionResult> {
  const started = performance.now();
  const child = fork(fileURLToPath(import.meta.url), [name, form]);
  return new Promise((resolve) => {
    child.once("message", (result) => resolve(result as SectionResult));
    child.once("exit", (code) => {
      const seconds = Math.round((performance.now() - started) / 1_000);
      resolve({ name, seconds, rows: [], failure: `its process exited with ${code}` });
    });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , name, asked] = process.argv;
  const section = sections.find((one) => one.name === name);
  const form = FORMS.find((one) => one === asked);
  if (section === undefined || form === undefined) throw new Error(`no section ${name} in form ${asked}`);
  const result = await runSection(section, form);
  process.send?.(result, () => process.exit());
}
