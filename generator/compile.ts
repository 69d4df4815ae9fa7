import { checkProgram } from "./check/check.js";
import { type Diagnostic, hasErrors } from "./diagnostics/diagnostic.js";
import { collectDiagnostics, type Report } from "./diagnostics/report.js";
import { meshShape } from "./language/grammar.js";
import { bindProgram, type Program } from "./language/program.js";
import { describeFound, readShape } from "./language/read.js";
import { buildMesh } from "./model/build/mesh.js";
import type { Mesh } from "./model/mesh.js";
import { createSourceText, type SourceText } from "./source/text.js";
import { readYaml } from "./source/yaml.js";

export interface Compilation {
  /** undefined when there is any error. */
  readonly mesh: Mesh | undefined;
  /** Every mistake of the file, in its order. */
  readonly diagnostics: readonly Diagnostic[];
}

/** From the text of mesh.yaml to what it means. Pure; throws only on a bug of the compiler. */
export function compileMesh(text: string, options: { readonly file: string }): Compilation {
  const source = createSourceText(text, options.file);
  const found = collectDiagnostics(source);
  const program = readProgram(source, found.report);
  if (program !== undefined) checkProgram(program, found.report);
  const diagnostics = found.list();
  const mesh = program === undefined || hasErrors(diagnostics) ? undefined : buildMesh(program);
  return { mesh, diagnostics };
}

function readProgram(source: SourceText, report: Report): Program | undefined {
  const value = readYaml(source, report);
  if (value === undefined || value.kind === "unread") return undefined;
  if (value.kind !== "mapping") {
    report("not-a-mesh", value.span, { found: describeFound(value) });
    return undefined;
  }
  const node = readShape(meshShape, value, "the file", report);
  return node && bindProgram(node);
}
