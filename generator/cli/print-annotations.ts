import { type Annotation, type SarifRule, toSarif, toWorkflowCommands } from "../diagnostics/annotation.js";
import { readVersion } from "../project/package.js";
import { print, printJson } from "../terminal/terminal.js";
import { folderInRepository } from "./diff/git.js";

/** On stdout: as annotations of a workflow, nothing where there are none; or as SARIF, with the rules that occur. */
export async function printAnnotations(
  all: readonly Annotation[],
  form: { readonly sarif: readonly SarifRule[] | undefined },
): Promise<void> {
  // Whoever shows them knows files from the top of the repository, wherever in it the mesh is.
  const folder = folderInRepository();
  const placed = all.map((each) => ({ ...each, file: `${folder}${each.file}` }));
  if (form.sarif !== undefined) {
    printJson(toSarif(placed, { version: await readVersion(), rules: form.sarif }));
    return;
  }
  const commands = toWorkflowCommands(placed);
  if (commands !== "") print(commands);
}
