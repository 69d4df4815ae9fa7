import { groupBy } from "../../collections/group-by.js";
import { plural } from "../../diagnostics/plural.js";
import type { Statement } from "../../emit/sql/emit-transitions.js";
import { type Lock, waitsFor } from "../../emit/sql/locks.js";
import type { Change, Concern } from "../change.js";
import { classNames } from "../change-class.js";
import { joinRollout } from "../rollout.js";
import { countClasses } from "./placed-changes.js";

/*
 * The sentences that all forms of the report share.
 */

/** `sfs (user_cache.display_name: keeps it), compute (…)` */
export function concernsText(concerns: readonly Concern[]): string {
  const services = [...groupBy(concerns, ({ service }) => service)];
  return services.map(([service, those]) => `${service} (${those.map(concernText).join("; ")})`).join(", ");
}

function concernText({ field, as }: Concern): string {
  return field === undefined ? as : `${field}: ${as}`;
}

/** `consumers first, 2 releases` */
export function deploymentText({ deployment: { first, releases } }: Change): string {
  const order = first === "anybody" ? "in any order" : `${FIRST[first]} first`;
  return releases === 1 ? order : `${order}, ${plural(releases, "release")}`;
}

const FIRST = {
  owner: "owner",
  operator: "configuration",
  publisher: "publisher",
  consumers: "consumers",
} as const;

/** Of all changes together, a line for each thing to do; empty: none asks for another order than the rest. */
export function rolloutLines(changes: readonly Change[]): readonly string[] {
  const rollout = joinRollout(changes);
  if (rollout === undefined) return [];
  const { releases, conflicts } = rollout;
  const lines = releases.flatMap(({ steps, sequence }, index) => {
    const done = steps.map(({ does, of }) => `${does}: ${someOf(of)}`);
    const deployed = sequence.length === 0 ? [] : [`deploy ${sequence.map(list).join(", then ")}`];
    return [...done, ...deployed].map((line) => `release ${index + 1}: ${line}`);
  });
  return [...lines, ...conflicts.map((conflict) => `not in one release: ${conflict}`)];
}

function list(services: readonly string[]): string {
  return services.join(", ");
}

/** The first few. */
function someOf(items: readonly string[]): string {
  const more = items.length - MOST_NAMED;
  return [...items.slice(0, MOST_NAMED), ...(more > 0 ? [`and ${more} more`] : [])].join("; ");
}

const MOST_NAMED = 4;

/** `ACCESS EXCLUSIVE on users for a moment` */
export function lockText(lock: Lock): string {
  const { mode, tables, rows } = lock;
  if (mode === "none") return "no lock that anybody waits for";
  const wait = {
    nobody: "beside traffic",
    "a moment": "for a moment",
    writers: "while rows are read: writers wait",
    everybody: `while every row is ${rows === "rewritten" ? "written anew" : "read"}: everybody waits`,
  }[waitsFor(lock)];
  const how = rows === "batches" ? "in batches, beside traffic" : wait;
  return `${mode} on ${tables.join(", ")} ${how}`;
}

/** Whole, in lines that are broken where no literal is and indented after the first; of a function its name, of a block what it refuses. */
export function sqlLines({ sql, step }: Statement, most = 110): readonly string[] {
  if (step.kind === "create_function") return [`CREATE OR REPLACE FUNCTION ${step.definition.name}() …`];
  if (step.kind === "await_cascades")
    return [
      `LOCK TABLE ${step.table} IN ACCESS EXCLUSIVE MODE; DO … -- refuses while a "before" hook has rows of it to do`,
    ];
  const words = sql.match(/(?:'[^']*'|"[^"]*"|\S)+/g) ?? [];
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < most) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(last === undefined ? word : `    ${word}`);
  }
  return lines;
}

/** `2 destructive, 1 operational` */
export function countText(changes: readonly Change[]): string {
  const counts = countClasses(changes);
  const said = classNames.flatMap((name) => (counts[name] === 0 ? [] : [`${counts[name]} ${name}`]));
  return said.join(", ");
}
