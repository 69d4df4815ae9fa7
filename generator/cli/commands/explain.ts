import { explainEvent } from "../../flow/explain-event.js";
import { openFlow } from "../../flow/flow.js";
import { nameOf } from "../../flow/part.js";
import { UsageError } from "../../project/usage-error.js";
import { answer, findPart, printAnswer } from "../ask/ask-mesh.js";
import type { ExitCode } from "../exit-code.js";
import { compileProject, reportDiagnostics } from "../project.js";

/** Everything that follows from an event, as a tree; or what a code of a diagnostic means. */
export async function explain(what: string, options: { readonly json?: boolean }): Promise<ExitCode> {
  const { mesh, diagnostics, placeOf } = await compileProject();
  if (mesh === undefined) {
    reportDiagnostics(diagnostics, options.json);
    return 1;
  }
  const flow = openFlow(mesh);
  const { part } = findPart(flow, what);
  if (part.kind !== "event") throw new UsageError(`"${what}" is no event`, `mesh impact ${nameOf(part)}`);
  const answered = await answer(mesh, (known) => explainEvent(known, known.event(part.event)));
  printAnswer({ ...answered, placeOf, json: options.json });
  return 0;
}
