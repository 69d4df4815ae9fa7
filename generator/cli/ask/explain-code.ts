import { hookWarnings } from "../../check/hook-files.js";
import { explanationOf } from "../../diagnostics/explanations/explanations.js";
import { type DiagnosticCode, definitionOf, diagnosticCodes } from "../../diagnostics/registry.js";
import type { Severity } from "../../diagnostics/severity.js";
import { colour, print, printJson } from "../../terminal/terminal.js";
import { severityColour } from "../project.js";
import { generationExplanations, isGenerationCode } from "./generation-explanations.js";
import { wrapped } from "./wrap.js";

/** What a code means, as `--json` prints it. */
export interface ExplainedCode {
  readonly code: string;
  readonly severity: Severity;
  readonly why: string;
  /** Lines of a mesh.yaml that have the mistake; absent where no few lines show it. */
  readonly wrong?: string;
  /** What stands in their place; empty: nothing. */
  readonly right?: string;
}

/** undefined: nothing has such a code. */
export function findCode(word: string): ExplainedCode | undefined {
  const code = diagnosticCodes.find((known) => known === word);
  if (code !== undefined) return explained(code);
  return isGenerationCode(word) ? { code: word, ...generationExplanations[word] } : undefined;
}

function explained(code: DiagnosticCode): ExplainedCode {
  const { why, wrong, right } = explanationOf(code);
  const { severity } = definitionOf(code);
  return { code, severity, why, ...(wrong !== undefined && { wrong, right }) };
}

/** All that there are. */
export function codeNames(): readonly string[] {
  return [...diagnosticCodes, ...Object.keys(generationExplanations)];
}

export function printCode(found: ExplainedCode, json: boolean | undefined): void {
  const { code, severity, why, wrong, right = "" } = found;
  if (json) {
    printJson(found);
    return;
  }
  print(`${colour.bold(code)}  ${severityColour[severity](severity)}\n\n${wrapped(why)}`);
  if (wrong !== undefined)
    print(
      `\n${marked(wrong, "-", colour.red)}${right === "" ? "" : `\n${marked(right, "+", colour.green)}`}`,
    );
  if (severity === "warning" && [...diagnosticCodes, ...hookWarnings].some((known) => known === code))
    print(colour.dim(`\nWhere it is right as it is, say so behind the line: # mesh-ignore ${code}: why`));
}

function marked(lines: string, mark: string, paint: (text: string) => string): string {
  return lines
    .split("\n")
    .map((line) => paint(`  ${mark} ${line}`))
    .join("\n");
}
