import { cascadeActions } from "@meshwright/runtime/vocabulary";
import { groupBy } from "../../collections/group-by.js";
import { targetOf } from "../../language/cascade-target.js";
import type { CascadeNode } from "../../language/grammar.js";
import type { Program } from "../../language/program.js";
import type { EventSymbol, TableSymbol } from "../../language/symbols.js";
import type { Rule } from "../rule.js";
import { withReferring } from "./deletions.js";

/**
 * Warns of rules that lead from a deletion back to one of its kind by way of another entity. Nothing in mesh.yaml goes
 * on for ever: rules follow deletions alone, and each row goes once. But one deletion may take along what nobody had in
 * mind. A table whose rows name each other is a tree, and says so in its one rule.
 */
export const adviseDeletionLoops: Rule = (program, report) => {
  const steps = groupBy(stepsOf(program), ({ from }) => from);
  const told = new Set<EventSymbol>();
  for (const { from, to, rule } of [...steps.values()].flat()) {
    if (told.has(from)) continue;
    const way = wayTo(from, to, steps);
    if (way === undefined || way.every(({ entityName }) => entityName === from.entityName)) continue;
    for (const event of way) told.add(event);
    report("deletion-loop", rule.get.on?.span ?? rule.span, {
      entity: from.entityName,
      way: [from, ...way].map(nameOf),
    });
  }
};

/** A rule on one deletion, and another deletion that it leads to. */
interface Step {
  readonly from: EventSymbol;
  readonly to: EventSymbol;
  readonly rule: CascadeNode;
}

function stepsOf(program: Program): readonly Step[] {
  const deletions = groupBy(
    program.events.filter(({ change, operations }) => change === "delete" && operations.includes("delete")),
    ({ table }) => table,
  );
  return program.cascades.flatMap((rule) => {
    const from = program.subjects.get(rule.get.on?.text ?? "");
    const gone = tablesEmptiedBy(rule, program);
    if (from === undefined) return [];
    return gone.flatMap((table) => (deletions.get(table) ?? []).map((to) => ({ from, to, rule })));
  });
}

/** The table whose rows the rule deletes, and those whose rows go with them. */
function tablesEmptiedBy(rule: CascadeNode, program: Program): readonly TableSymbol[] {
  const { action, column } = targetOf(rule) ?? {};
  const tables = program.services.get(rule.get.service?.value ?? "")?.database?.tables;
  const table = tables?.get(column?.value.table ?? "");
  if (action === undefined || !cascadeActions[action].removesRows) return [];
  if (tables === undefined || table === undefined) return [];
  // A softly deleted row stays, and what refers to it.
  return table.softDelete === undefined ? [...withReferring(table, tables)] : [table];
}

/** The shortest way from one deletion to another, both included; undefined where there is none. */
function wayTo(
  end: EventSymbol,
  start: EventSymbol,
  steps: ReadonlyMap<EventSymbol, readonly Step[]>,
): readonly EventSymbol[] | undefined {
  const before = new Map<EventSymbol, EventSymbol | undefined>([[start, undefined]]);
  // A map is walked over while it grows.
  for (const [event] of before) {
    if (event === end) break;
    for (const { to } of steps.get(event) ?? []) if (!before.has(to)) before.set(to, event);
  }
  if (!before.has(end)) return undefined;
  const way: EventSymbol[] = [];
  for (let at: EventSymbol | undefined = end; at !== undefined; at = before.get(at)) way.unshift(at);
  return way;
}

function nameOf({ entityName, subject }: EventSymbol): string {
  return `${entityName}.${subject.value.action}`;
}
