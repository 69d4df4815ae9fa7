import { levelOf, sentencesOf } from "./diff-sarif.js";
import type { DiffReport, PlacedChange } from "./placed-changes.js";

const COMMANDS = { error: "error", warning: "warning", note: "notice" } as const;

/** Workflow commands, which GitHub shows as annotations at the lines of mesh.yaml. */
export function renderGithub({ changes }: Pick<DiffReport, "changes">): string {
  return changes.map(annotation).join("\n");
}

function annotation(change: PlacedChange): string {
  const { file, start, end } = change.place;
  const properties = {
    file,
    line: start.line,
    col: start.column,
    endLine: end.line,
    endColumn: end.column,
    title: `${change.class}: ${change.kind}`,
  };
  const said = Object.entries(properties).map(([name, value]) => `${name}=${escapeProperty(String(value))}`);
  return `::${COMMANDS[levelOf(change.class)]} ${said.join(",")}::${escapeData(sentencesOf(change).join("\n"))}`;
}

/** A line break ends a command, and a percent sign begins an escape. */
function escapeData(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
