import { type Annotation, toWorkflowCommands } from "../diagnostics/annotation.js";
import { print } from "../terminal/terminal.js";

/** As annotations of a workflow, on stdout; nothing where there are none. */
export function printAnnotations(all: readonly Annotation[]): void {
  const commands = toWorkflowCommands(all);
  if (commands !== "") print(commands);
}
