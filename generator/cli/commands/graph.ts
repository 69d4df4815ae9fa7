import { suggest } from "../../diagnostics/suggest.js";
import { openFlow } from "../../flow/flow.js";
import { focusNames, reachFrom } from "../../graph/focus.js";
import type { GraphFormat } from "../../graph/formats.js";
import type { Reach } from "../../graph/picture.js";
import { printGraph } from "../../graph/print-graph.js";
import type { Mesh } from "../../model/mesh.js";
import { UsageError } from "../../project/usage-error.js";
import { print, withProgress } from "../../terminal/terminal.js";
import type { ExitCode } from "../exit-code.js";
import { compileForErrors, reportDiagnostics } from "../project.js";

/** Prints a picture of mesh.yaml, or of what a service, an entity or an event reaches in it. */
export async function graph(options: {
  readonly focus?: string;
  readonly format: GraphFormat;
}): Promise<ExitCode> {
  const { mesh, diagnostics } = await compileForErrors();
  if (mesh === undefined) {
    reportDiagnostics(diagnostics, false);
    return 1;
  }
  const reach = options.focus === undefined ? undefined : focusOn(mesh, options.focus);
  const text = await withProgress("laying out", () => printGraph(mesh, { format: options.format, reach }));
  if (text === undefined)
    throw new UsageError(
      "there is too much to see in one picture",
      "cut it with --focus, or take --format dot for a tool of your own",
    );
  print(text.trimEnd());
  return 0;
}

function focusOn(mesh: Mesh, focus: string): Reach {
  const flow = openFlow(mesh);
  const reach = reachFrom(flow, focus);
  if (reach !== undefined) return reach;
  const near = suggest(focus, focusNames(flow));
  throw new UsageError(
    `this mesh has no service, entity or event "${focus}"`,
    near === undefined ? "say one as auth, auth.user or auth.user.deleted" : `did you mean "${near}"?`,
  );
}
