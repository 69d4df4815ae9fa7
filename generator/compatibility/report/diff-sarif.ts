import { changeKinds, messageOf } from "../change.js";
import { type ChangeClass, changeClasses } from "../change-class.js";
import { concernsText, deploymentText } from "./change-words.js";
import type { DiffReport, PlacedChange } from "./placed-changes.js";

const LEVELS = {
  destructive: "error",
  "breaking-publisher": "error",
  "breaking-consumer": "error",
  operational: "warning",
  compatible: "note",
} as const satisfies Record<ChangeClass, string>;

export function levelOf(of: ChangeClass): (typeof LEVELS)[ChangeClass] {
  return LEVELS[of];
}

/** SARIF 2.1.0: one rule for each kind of change that occurs, one result for each change. */
export function diffToSarif({ changes }: DiffReport, version: string) {
  const kinds = [...new Set(changes.map(({ kind }) => kind))].sort();
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: {
            name: "meshwright",
            version,
            rules: kinds.map((kind) => ({
              id: kind,
              shortDescription: { text: changeKinds[kind].title },
              fullDescription: { text: changeKinds[kind].why },
              defaultConfiguration: { level: levelOf(changeKinds[kind].class) },
            })),
          },
        },
        columnKind: "utf16CodeUnits",
        results: changes.map((change) => resultOf(change, kinds.indexOf(change.kind))),
      },
    ],
  };
}

function resultOf(change: PlacedChange, ruleIndex: number) {
  const { start, end, file } = change.place;
  return {
    ruleId: change.kind,
    ruleIndex,
    level: levelOf(change.class),
    message: { text: sentencesOf(change).join("\n") },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: encodeURI(file) },
          region: {
            startLine: start.line,
            startColumn: start.column,
            endLine: end.line,
            endColumn: end.column,
          },
        },
      },
    ],
    properties: { class: change.class, concerns: change.concerns, deployment: change.deployment },
  };
}

/** What an annotation holds beside its place. */
export function sentencesOf(change: PlacedChange): readonly string[] {
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
