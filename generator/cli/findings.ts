import type { Compilation } from "../compile.js";
import { annotate } from "../diagnostics/annotate.js";
import type { Annotation } from "../diagnostics/annotation.js";
import type { Diagnostic } from "../diagnostics/diagnostic.js";
import type { Mistake } from "../diagnostics/locate.js";
import { diagnosticsToJson } from "../diagnostics/render.js";
import type { Severity } from "../diagnostics/severity.js";
import type { OutputPlan, ProjectDiagnostic, Refusal } from "../plan-output.js";
import { GENERATED } from "../project/paths.js";
import { takingBack } from "../take-back.js";
import { colour, printJson, tell } from "../terminal/terminal.js";
import { severityColour, tellCount, tellDiagnostics } from "./project.js";

/*
 * Why something is not generated, and what is warned of beside what mesh.yaml alone shows: as people, programs and reviewers are told.
 */

/** Prints each at its place in mesh.yaml, as any other mistake; what is wrong with a generated file has no place there. */
export function reportRefusals(
  { refusals, takeBackInstead = [] }: Pick<OutputPlan, "refusals" | "takeBackInstead">,
  compilation: Pick<Compilation, "locate">,
  { json, consequence }: { readonly json?: boolean | undefined; readonly consequence?: string } = {},
): void {
  const takeBack = takeBackInstead.length === 0 ? undefined : takingBack(takeBackInstead);
  if (json) {
    printJson({ refusals: refusalsToJson(refusals, compilation), ...(takeBack && { takeBack }) });
    return;
  }
  printSplit(
    { located: compilation.locate(toMistakes(refusals, "error")), others: unplaced(refusals) },
    "error",
    consequence,
  );
  if (takeBack === undefined) return;
  const names = takeBackInstead.map((path) => path.replace(/^.*\//, "")).join(", ");
  tell(
    `unless a database that you keep has had ${names}, or what follows, take that back:\n  ${colour.bold(takeBack)}`,
  );
}

export function refusalsToJson(
  refusals: readonly Refusal[],
  { locate }: Pick<Compilation, "locate">,
): readonly object[] {
  return [...unplaced(refusals), ...diagnosticsToJson(locate(toMistakes(refusals, "error")))];
}

/** What is warned of beside what mesh.yaml alone shows. */
export interface Warnings extends SplitByPlace, Pick<Compilation, "ignored"> {}

export function gatherWarnings(
  warnings: readonly ProjectDiagnostic[],
  { locateWarnings }: Pick<Compilation, "locateWarnings">,
): Warnings {
  const { left, ignored } = locateWarnings(toMistakes(warnings, "warning"));
  return { located: left, ignored, others: unplaced(warnings) };
}

/** On stderr, beside whatever the command does after all. `diagnostics`: of mesh.yaml alone, to be printed among them. */
export function printWarnings(
  { located, others }: Warnings,
  { diagnostics }: Pick<Compilation, "diagnostics"> = { diagnostics: [] },
): void {
  printSplit({ located: inFileOrder([...diagnostics, ...located]), others }, "warning");
}

function inFileOrder(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  return diagnostics.toSorted((a, b) => a.start.line - b.start.line || a.start.column - b.start.column);
}

type OfFile = Pick<Compilation, "diagnostics" | "ignored">;

/** With those of mesh.yaml alone, in its order: errors, and what is ignored, included. */
function allOf({ located, ignored }: Warnings, compilation: OfFile): readonly Diagnostic[] {
  return inFileOrder([...compilation.diagnostics, ...compilation.ignored, ...located, ...ignored]);
}

/** As `--json` prints them. */
export function warningsToJson(warnings: Warnings, compilation: OfFile): readonly object[] {
  const others = warnings.others.map((other) => ({ ...other, severity: "warning" }));
  return [...diagnosticsToJson(allOf(warnings, compilation)), ...others];
}

interface Findings {
  readonly refusals: readonly Refusal[];
  readonly warnings: Warnings;
}

/** As a reviewer is shown them, the refusals first. */
export function annotations(
  { refusals, warnings }: Findings,
  compilation: OfFile & Pick<Compilation, "locate">,
): readonly Annotation[] {
  return [
    ...compilation.locate(toMistakes(refusals, "error")).map(annotate),
    ...unplaced(refusals).map((refusal) => annotateUnplaced(refusal, "error")),
    ...allOf(warnings, compilation).map(annotate),
    ...warnings.others.map((other) => annotateUnplaced(other, "warning")),
  ];
}

function annotateUnplaced(
  { code, message, hint, file = GENERATED }: ProjectDiagnostic,
  level: Severity,
): Annotation {
  const text = hint === undefined ? message : `${message}\n${hint}`;
  return { level, rule: code, title: code, text, file, at: undefined };
}

interface SplitByPlace {
  readonly located: readonly Diagnostic[];
  readonly others: readonly ProjectDiagnostic[];
}

function toMistakes(diagnostics: readonly ProjectDiagnostic[], severity: Severity): readonly Mistake[] {
  return diagnostics.flatMap(({ path, code, message, hint }) =>
    path ? [{ code, message, ...(hint !== undefined && { hint }), path, severity }] : [],
  );
}

function unplaced(diagnostics: readonly ProjectDiagnostic[]): readonly ProjectDiagnostic[] {
  return diagnostics.filter(({ path }) => path === undefined);
}

function printSplit({ located, others }: SplitByPlace, severity: Severity, consequence = ""): void {
  const paint = severityColour[severity];
  for (const { code, message, hint, file = GENERATED } of others) {
    tell(`${file} - ${paint(`${severity} ${code}`)}: ${message}`);
    if (hint) tell(`  ${colour.dim("hint:")} ${hint}`);
    tell("");
  }
  tellDiagnostics(located);
  tellCount([...located, ...others.map(() => ({ severity }))], consequence);
}
