import { openFlow } from "../../flow/flow.js";
import { nameOf } from "../../flow/part.js";
import { impactOf } from "../../flow/uses.js";
import { colour, tell } from "../../terminal/terminal.js";
import { answer, findPart, printAnswer } from "../ask/ask-mesh.js";
import type { ExitCode } from "../exit-code.js";
import { compileForErrors, reportDiagnostics } from "../project.js";

/** Whom a part of the mesh concerns: a tree of everything that reads it or follows from it. */
export async function impact(what: string, options: { readonly json?: boolean }): Promise<ExitCode> {
  const { mesh, diagnostics, placeOf } = await compileForErrors();
  if (mesh === undefined) {
    reportDiagnostics(diagnostics, options.json);
    return 1;
  }
  const { part, others } = findPart(openFlow(mesh), what);
  const answered = await answer(mesh, (flow) => impactOf(flow, part));
  printAnswer({ ...answered, placeOf, json: options.json });
  for (const other of others)
    tell(colour.dim(`"${what}" is also a ${other.kind}: mesh impact ${nameOf(other)}`));
  return 0;
}
