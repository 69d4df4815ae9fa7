import { groupBy } from "../../collections/group-by.js";
import { plural } from "../../diagnostics/plural.js";
import { messageOf } from "../change.js";
import { changeClasses } from "../change-class.js";
import { concernsText, countText, deploymentText, lockText, rolloutLines } from "./change-words.js";
import { type DiffReport, type PlacedChange, placeText } from "./placed-changes.js";

/** A comment for a pull request. */
export function diffToMarkdown({ against, changes }: DiffReport): string {
  const head = `### mesh.yaml against ${code(against)}`;
  if (changes.length === 0) return `${head}\n\nNo change.`;
  const groups = [...groupBy(changes, (change) => change.class)].map(([name, those]) =>
    [`#### ${name}`, "", changeClasses[name], "", ...those.map(item)].join("\n"),
  );
  const lines = rolloutLines(changes).map((line) => `- ${escaped(line)}`);
  const rollout = lines.length === 0 ? [] : [["#### all of it deployed together", "", ...lines].join("\n")];
  return [head, `${plural(changes.length, "change")}: ${countText(changes)}.`, ...groups, ...rollout].join(
    "\n\n",
  );
}

function item(change: PlacedChange): string {
  const { place, formerPlace, concerns, deployment, part, safe, statements } = change;
  const lines = [
    `- **${escaped(messageOf(change))}** (${code(placeText(formerPlace ?? place))}, ${code(change.kind)})`,
    ...(concerns.length === 0 ? [] : [`  - for ${escaped(concernsText(concerns))}`]),
    ...(part.order === "any"
      ? []
      : [`  - deploy ${escaped(deploymentText(change))}: ${escaped(deployment.steps.join("; "))}`]),
    ...(safe === undefined || change.class === "compatible" ? [] : [`  - instead: ${escaped(safe)}`]),
    ...statements.flatMap(({ sql, lock }) => [`  - ${escaped(lockText(lock))}:`, fence(sql, "    ")]),
  ];
  return lines.join("\n");
}

/** Characters that Markdown or HTML would take for its own. */
function escaped(text: string): string {
  return text
    .replaceAll(/\s+/g, " ")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll(/[\\`*_{}[\]|#~@]/g, "\\$&");
}

function code(text: string): string {
  const line = text.replaceAll(/\s+/g, " ");
  const longest = Math.max(0, ...[...line.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const ticks = "`".repeat(longest + 1);
  const pad = longest > 0 ? " " : "";
  return `${ticks}${pad}${line}${pad}${ticks}`;
}

function fence(text: string, indent: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const ticks = "`".repeat(longest + 1);
  return [`${ticks}sql`, ...text.split("\n"), ticks].map((line) => `${indent}${line}`).join("\n");
}
