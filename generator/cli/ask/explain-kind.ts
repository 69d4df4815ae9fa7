import { type ChangeKind, changeKinds, type Deployment } from "../../compatibility/change.js";
import {
  type ChangeClass,
  changeClasses,
  deployOrders,
  type KindFacts,
  stepsOf,
} from "../../compatibility/change-class.js";
import { colour, print, printJson } from "../../terminal/terminal.js";
import { DIFF_PAINT } from "../diff/diff-paint.js";
import { wrapped } from "./wrap.js";

/** What a kind of change means, as `--json` prints it. */
export interface ExplainedKind {
  readonly kind: ChangeKind;
  readonly class: ChangeClass;
  /** What was edited. */
  readonly title: string;
  readonly why: string;
  readonly deployment: Deployment;
  /** The edit that spares the harm; absent: there is none to spare. */
  readonly safe?: string;
}

/** undefined: `mesh diff` names no such kind. */
export function findKind(word: string): ExplainedKind | undefined {
  const kind = kindNames().find((known) => known === word);
  if (kind === undefined) return undefined;
  const { class: of, title, why, order, safe }: KindFacts = changeKinds[kind];
  const { first, releases } = deployOrders[order];
  const steps = stepsOf(order, { owner: "the owner", others: "its readers", kept: "" });
  const deployment = { first, releases, steps };
  return { kind, class: of, title, why, deployment, ...(safe !== undefined && { safe }) };
}

/** All that there are. */
export function kindNames(): readonly ChangeKind[] {
  return Object.keys(changeKinds) as readonly ChangeKind[];
}

export function printKind(found: ExplainedKind, json: boolean | undefined): void {
  if (json) {
    printJson(found);
    return;
  }
  const { kind, class: of, title, why, deployment, safe } = found;
  print(`${colour.bold(kind)}  ${DIFF_PAINT.class(of, of)}: ${title}\n\n${wrapped(why)}`);
  print(wrapped(changeClasses[of]));
  if (of === "breaking-consumer")
    print(wrapped("Where nobody in the mesh hears or reads it, it is compatible."));
  print(`\ndeploy  ${deployment.steps.join("\n        ")}`);
  if (safe !== undefined) print(`instead ${safe}`);
}
