import type { Statement } from "../../emit/sql/emit-transitions.js";
import { waitsFor } from "../../emit/sql/locks.js";
import { changeKinds, messageOf } from "../change.js";
import { joinRollout } from "../rollout.js";
import { countClasses, type DiffReport, isFailing, type PlacedChange } from "./placed-changes.js";

/** As docs/diff.md says. */
export function diffToJson({ against, changes, statements, breaks, failOn }: DiffReport) {
  return {
    against,
    fails: changes.some((change) => isFailing(change, failOn)),
    failOn,
    counts: countClasses(changes),
    changes: changes.map(changeToJson),
    rollout: joinRollout(changes),
    breaks,
    statements: statements.flatMap(({ database, statements: those }) =>
      those.map((statement) => statementToJson(database, statement)),
    ),
  };
}

export function changeToJson(change: PlacedChange) {
  const { kind, class: of, place, formerPlace, alsoPlaces, concerns, deployment, safe, statements } = change;
  return {
    kind,
    class: of,
    message: messageOf(change),
    why: changeKinds[kind].why,
    ...place,
    ...(formerPlace !== undefined && { former: formerPlace }),
    also: alsoPlaces,
    for: concerns,
    deployment,
    ...(safe !== undefined && { safe }),
    sql: statements.map((statement) => statementToJson(change.rows?.database ?? "", statement)),
  };
}

function statementToJson(database: string, { sql, lock }: Statement) {
  return { database, sql, lock: { ...lock, waits: waitsFor(lock) } };
}
