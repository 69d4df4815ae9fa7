import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { generationExplanations } from "../../generator/cli/ask/generation-explanations.js";
import { explanationsBySubject } from "../../generator/diagnostics/explanations/explanations.js";
import { type DiagnosticCode, definitionOf, diagnosticCodes } from "../../generator/diagnostics/registry.js";
import { ROOT } from "./compile.js";

/* docs/diagnostics.md: every code, what is printed in its scenario, why, and lines with and without the mistake. */

export function diagnosticsReference(): string {
  const sections = explanationsBySubject.flatMap(({ subject, codes }) => [
    `## ${subject}\n`,
    ...diagnosticCodes.filter((code) => code in codes).map(printCode),
  ]);
  const others = Object.entries(generationExplanations).map(
    ([code, { severity, why }]) => `| \`${code}\` | ${severity} | ${why} |`,
  );
  const table = ["| code | | why |", "|---|---|---|", ...others, ""].join("\n");
  return [...sections, "## The project around mesh.yaml\n", table].join("\n");
}

function printCode(code: DiagnosticCode): string {
  const { why, wrong, right } = explanationsBySubject.map(({ codes }) => codes[code]).find(Boolean) ?? {};
  const change = [...marked(wrong, "-"), ...marked(right, "+")];
  return [
    `### ${code}\n`,
    `${definitionOf(code).severity === "warning" ? "Warning. " : ""}${why}\n`,
    ...(change.length === 0 ? [] : ["```diff", ...change, "```", ""]),
    "```",
    printed(code),
    "```",
    "",
  ].join("\n");
}

function marked(lines: string | undefined, mark: string): readonly string[] {
  return (lines ?? "") === "" ? [] : (lines ?? "").split("\n").map((line) => `${mark} ${line}`);
}

/** What the scenario of the code has printed for it, without the excerpt. */
function printed(code: DiagnosticCode): string {
  const file = join(ROOT, "test/scenarios/diagnostics", code, "expected.txt");
  const [first = ""] = (existsSync(file) ? readFileSync(file, "utf8") : "")
    .split(/^(?=mesh\.yaml:\d)/m)
    .filter((block) => new RegExp(`^mesh\\.yaml:\\S+ - \\w+ ${code}: `).test(block));
  const [head = "", ...rest] = first.trimEnd().split("\n");
  const hint = rest.filter((line) => line.startsWith("  hint: "));
  return [head.replace(/^mesh\.yaml:\S+ - /, ""), ...hint].join("\n");
}
