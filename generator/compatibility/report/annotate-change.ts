import type { Annotation, SarifRule } from "../../diagnostics/annotation.js";
import { changeKinds, messageOf } from "../change.js";
import { type ChangeClass, changeClasses } from "../change-class.js";
import { concernsText, deploymentText } from "./change-words.js";
import type { PlacedChange } from "./placed-changes.js";

const LEVELS: Readonly<Record<ChangeClass, Annotation["level"]>> = {
  destructive: "error",
  "breaking-publisher": "error",
  "breaking-consumer": "error",
  operational: "warning",
  compatible: "note",
};

/** As a reviewer is shown it, at its place in mesh.yaml. */
export function annotateChange(change: PlacedChange): Annotation {
  const { kind, class: of, place, concerns, deployment } = change;
  return {
    level: LEVELS[of],
    rule: kind,
    title: `${of}: ${kind}`,
    text: sentencesOf(change).join("\n"),
    file: place.file,
    at: place,
    properties: { class: of, concerns, deployment },
  };
}

/** One rule for each kind of change that occurs. */
export function changeRules(changes: readonly PlacedChange[]): readonly SarifRule[] {
  return [...new Set(changes.map(({ kind }) => kind))].sort().map((id) => ({
    id,
    shortDescription: { text: changeKinds[id].title },
    fullDescription: { text: changeKinds[id].why },
    defaultConfiguration: { level: LEVELS[changeKinds[id].class] },
  }));
}

function sentencesOf(change: PlacedChange): readonly string[] {
  const { concerns, safe } = change;
  return [
    `${messageOf(change)}. ${changeClasses[change.class]}`,
    ...(concerns.length === 0 ? [] : [`For: ${concernsText(concerns)}`]),
    ...(change.deployment.first === "anybody"
      ? []
      : [`Deploy: ${deploymentText(change)}: ${change.deployment.steps.join("; ")}`]),
    ...(safe === undefined ? [] : [`Instead: ${safe}`]),
  ];
}
