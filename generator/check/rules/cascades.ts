import { cascadeActions } from "@meshwright/runtime/vocabulary";
import { onceFor } from "../../collections/once.js";
import type { Report } from "../../diagnostics/report.js";
import { actionsOf, targetOf } from "../../language/cascade-target.js";
import type { CascadeNode } from "../../language/grammar.js";
import type { TextNode } from "../../language/node.js";
import type { Program } from "../../language/program.js";
import type { EntitySymbol, ServiceSymbol } from "../../language/symbols.js";
import type { SubjectName } from "../../language/words.js";
import { findMisplacedEvents, isUnpublished } from "../misplaced.js";
import { isUnsubscribedFrom, partOf, reportUnknownService } from "../reach.js";
import type { Rule } from "../rule.js";

/** A rule follows the deletion of an entity that its service subscribes to, and does one thing. */
export const checkCascades: Rule = (program, report) => {
  const taken = new Map<string, CascadeNode>();
  for (const rule of program.cascades) {
    checkAction(rule, report);
    checkTrigger(rule, program, report);
    const { on, service } = rule.get;
    const target = targetOf(rule)?.column;
    if (on === undefined || service === undefined || target === undefined) continue;
    const identity = `${on.text} ${service.value} ${target.text}`;
    const first = taken.get(identity);
    if (first === undefined) taken.set(identity, rule);
    else
      report(
        "duplicate-cascade",
        target.span,
        { target: target.text, event: on.text },
        { first: first.span },
      );
  }
};

function checkAction(rule: CascadeNode, report: Report): void {
  const { keySpans, span } = rule;
  const actions = actionsOf(rule);
  const [first, second] = actions;
  if (second !== undefined) report("cascade-action", keySpans[second] ?? span, { given: actions.length });
  if (first === undefined) report("cascade-action", span, { given: 0 });
  const target = targetOf(rule);
  if (
    keySpans.before !== undefined &&
    target !== undefined &&
    !actions.some((action) => cascadeActions[action].removesRows)
  )
    report("before-without-delete", keySpans.before, {});
}

function checkTrigger(rule: CascadeNode, program: Program, report: Report): void {
  const { on, service: named } = rule.get;
  const event = on && program.subjects.get(on.text);
  if (on !== undefined && event === undefined) reportUnknownEvent(on, program, report);
  if (on !== undefined && event !== undefined && event.change !== "delete") {
    const deletion = program.entities.get(event.entityName)?.events.find(({ change }) => change === "delete");
    report("cascade-not-on-deletion", on.span, {
      event: on.text,
      change: event.change,
      deletion: deletion && `${deletion.entityName}.${deletion.subject.value.action}`,
      emitted: event.table?.name,
    });
  }
  if (named === undefined) return;
  const service = program.services.get(named.value);
  if (service === undefined) {
    reportUnknownService(named.value, named.span, program, report);
    return;
  }
  const entity = event && program.entities.get(event.entityName);
  if (service.external) report("cascade-in-external", named.span, { service: service.name });
  else if (
    entity !== undefined &&
    isUnsubscribedFrom(service, entity, program) &&
    isFirstToMissIt(rule, entity, service, program)
  ) {
    report("cascade-without-subscription", rule.get.on?.span ?? rule.span, {
      service: service.name,
      entity: entity.entityName,
      part: partOf(service, entity),
    });
  }
}

/** A missing subscription is one mistake: reported at the cache, else at the first rule that needs it. */
function isFirstToMissIt(
  rule: CascadeNode,
  entity: EntitySymbol,
  service: ServiceSymbol,
  program: Program,
): boolean {
  const tables = [...(service.database?.tables.values() ?? [])];
  if (tables.some((table) => table.cacheOf?.text === entity.entityName)) return false;
  return rule === firstRules(program).get(`${service.name} ${entity.entityName}`);
}

/** The first of a service on each entity. */
const firstRules = onceFor((program: Program) => {
  const rules = new Map<string, CascadeNode>();
  for (const rule of program.cascades) {
    const { on, service } = rule.get;
    const key = `${service?.value} ${on?.value.service}.${on?.value.entity}`;
    if (!rules.has(key)) rules.set(key, rule);
  }
  return rules;
});

/** Silent where the event that was meant has a misspelt subject itself, which is reported there. */
function reportUnknownEvent(on: TextNode<SubjectName>, program: Program, report: Report): void {
  if (program.poisoned.subjects) return;
  const clue = report.nearest(on.text, program.subjects, (known) => known.subject.span);
  const meant = clue !== undefined && "meant" in clue ? program.subjects.get(clue.meant) : undefined;
  if (meant !== undefined && (isUnpublished(meant) || findMisplacedEvents(program).has(meant))) return;
  report("unknown-event", on.span, { event: on.text }, clue);
}
