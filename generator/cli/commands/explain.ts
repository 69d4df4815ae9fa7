import { suggest } from "../../diagnostics/suggest.js";
import { explainEvent } from "../../flow/explain-event.js";
import { openFlow } from "../../flow/flow.js";
import { nameOf } from "../../flow/part.js";
import { UsageError } from "../../project/usage-error.js";
import { answer, findPart, printAnswer } from "../ask/ask-mesh.js";
import { codeNames, findCode, printCode } from "../ask/explain-code.js";
import { findKind, kindNames, printKind } from "../ask/explain-kind.js";
import type { ExitCode } from "../exit-code.js";
import { compileForErrors, reportDiagnostics } from "../project.js";

/** What a code of a diagnostic or a kind of change means, also where there is no mesh; or everything that follows from an event, as a tree. */
export async function explain(what: string, options: { readonly json?: boolean }): Promise<ExitCode> {
  const code = findCode(what);
  if (code !== undefined) {
    printCode(code, options.json);
    return 0;
  }
  const kind = findKind(what);
  if (kind !== undefined) {
    printKind(kind, options.json);
    return 0;
  }
  refuseMisspelt(what);
  const { mesh, diagnostics, placeOf } = await compileForErrors();
  if (mesh === undefined) {
    reportDiagnostics(diagnostics, options.json);
    return 1;
  }
  const { part } = findPart(openFlow(mesh), what, codeNames());
  if (part.kind !== "event")
    throw new UsageError(
      `"${what}" is no event, no code and no kind of change`,
      `mesh impact ${nameOf(part)}`,
    );
  const answered = await answer(mesh, (flow) => explainEvent(flow, flow.event(part.event)));
  printAnswer({ ...answered, placeOf, json: options.json });
  return 0;
}

/** Codes and kinds are words with hyphens, and subjects have dots. */
function refuseMisspelt(word: string): void {
  const isName = /^[a-z]+(-[a-z]+)+$/.test(word);
  const meant = isName ? suggest(word, [...codeNames(), ...kindNames()]) : undefined;
  if (meant !== undefined)
    throw new UsageError(`no diagnostic and no change is called "${word}"`, `did you mean "${meant}"?`);
}
