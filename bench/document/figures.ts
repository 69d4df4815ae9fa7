import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { SectionResult } from "../run-section.js";
import type { PlotOf, Section } from "../section.js";
import type { Run } from "./describe-run.js";

/* docs/performance/figures.json: what was measured last of each section, and on what. The document and its plots are made of it. */

const FILE = fileURLToPath(new URL("../../docs/performance/figures.json", import.meta.url));

export interface Measurement extends Omit<SectionResult, "failure"> {
  readonly about: string;
  readonly plots?: readonly PlotOf[];
  readonly run: Run;
}

export function readFigures(): readonly Measurement[] {
  return existsSync(FILE) ? JSON.parse(readFileSync(FILE, "utf8")).sections : [];
}

/** Sections that were not measured, or that failed, keep what they had. */
export function writeFigures(
  sections: readonly Section[],
  results: readonly SectionResult[],
  run: Run,
): void {
  const before = readFigures();
  const kept = sections.flatMap(({ name, about, plots }) => {
    const result = results.find((one) => one.name === name && one.failure === undefined);
    const known = before.find((one) => one.name === name);
    if (result === undefined) return known === undefined ? [] : [known];
    return [{ ...result, about, ...(plots && { plots }), run }];
  });
  mkdirSync(dirname(FILE), { recursive: true });
  writeFileSync(FILE, `${JSON.stringify({ sections: kept }, rounded, 1)}\n`);
}

/** Four digits: more are noise. */
function rounded(_: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}
