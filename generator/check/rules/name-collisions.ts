import type { Report } from "../../diagnostics/report.js";
import type { Program } from "../../language/program.js";
import type { ServiceSymbol } from "../../language/symbols.js";
import { callsOf } from "../../model/build/build-call.js";
import { isStateless, nameConsumer, subscribedEntities } from "../../model/build/build-consumer.js";
import {
  databaseUrlVariable,
  deadLetterStreamName,
  namedConsumerName,
  ownerUrlVariable,
  serviceUrlVariable,
  streamName,
  tableNames,
  valueName,
} from "../../model/names.js";
import type { Span } from "../../source/text.js";
import { wireName } from "../../vocabulary/namings.js";
import type { Rule } from "../rule.js";

/** No two parts of the mesh are generated under one name where both are visible. */
export const checkNameCollisions: Rule = (program, report) => {
  const streams = openScope(report);
  const variables = openScope(report);
  for (const { name, span } of program.databases.values()) {
    for (const variable of [databaseUrlVariable(name), ownerUrlVariable(name)])
      variables.claim(variable, { what: `database "${name}"`, span });
  }
  const durables = openScope(report);
  for (const service of program.services.values()) {
    streams.claim(streamName(service), { what: `service "${service.name}"`, span: service.span });
    if (isStateless(service))
      streams.claim(deadLetterStreamName(service.name), {
        what: `the dead letters of "${service.name}"`,
        span: service.span,
      });
    variables.claim(serviceUrlVariable(service.name), {
      what: `service "${service.name}"`,
      span: service.span,
    });
    for (const { callee, keyVariable } of callsOf(service, program)) {
      const what = `the key of "${service.name}" for "${callee}"`;
      variables.claim(keyVariable, { what, span: service.span });
    }
    checkTypes(service, program, report);
    checkWireNames(service, report);
    checkConsumers(service, program, { durables, hooks: openScope(report) });
  }
};

interface Claim {
  readonly what: string;
  readonly span: Span;
  /** What to do about it, where that is not to choose another name. */
  readonly advice?: string;
}

interface Scope {
  claim(generated: string, claim: Claim): void;
}

/** Reports two parts once, however many of their names collide. */
function openScope(report: Report): Scope {
  const taken = new Map<string, Claim>();
  const reported = new Set<string>();
  return {
    claim(generated, claim) {
      const first = taken.get(generated);
      if (first === undefined) taken.set(generated, claim);
      if (first === undefined || first.what === claim.what) return;
      const pair = `${first.what} ${claim.what}`;
      if (reported.has(pair)) return;
      reported.add(pair);
      report(
        "name-collision",
        claim.span,
        { what: claim.what, other: first.what, generated },
        { first: first.span, advice: claim.advice },
      );
    },
  };
}

/** Rows, and what becomes of them, are named beside the types of the events that the service handles. */
function checkTypes(service: ServiceSymbol, program: Program, report: Report): void {
  const scope = openScope(report);
  for (const { name, span, node } of service.database?.tables.values() ?? []) {
    const { value, ...types } = tableNames(name, node?.get.row?.value);
    const what = `table "${name}"`;
    scope.claim(value, { what, span });
    for (const type of Object.values(types))
      scope.claim(type, { what, span, advice: 'give one of them a "row" of its own' });
  }
  for (const { name, span, node } of service.database?.views.values() ?? []) {
    const { value, row } = tableNames(name, node?.get.row?.value);
    const what = `view "${name}"`;
    scope.claim(value, { what, span });
    scope.claim(row, { what, span, advice: 'give one of them a "row" of its own' });
  }
  const heard = subscribedEntities(service, program).flatMap(({ entity }) => entity.events);
  for (const { name } of new Set([...program.eventsOf(service.name), ...heard])) {
    if (name !== undefined) scope.claim(name.value, { what: `event "${name.value}"`, span: name.span });
  }
}

/** Columns of a table or view whose names differ in what naming leaves out. */
function checkWireNames({ naming, database }: ServiceSymbol, report: Report): void {
  for (const { columns } of [...(database?.tables.values() ?? []), ...(database?.views.values() ?? [])]) {
    const scope = openScope(report);
    for (const { name, span } of columns.values())
      scope.claim(wireName(name, naming), { what: `column "${name}"`, span });
  }
}

function checkConsumers(
  service: ServiceSymbol,
  program: Program,
  { durables, hooks }: { readonly durables: Scope; readonly hooks: Scope },
): void {
  hooks.claim(valueName(service.name), { what: `service "${service.name}"`, span: service.span });
  const heard = subscribedEntities(service, program);
  const entities = heard.map(({ entity }) => entity);
  for (const subscribed of heard) {
    const { durable, names } = nameConsumer(service.name, subscribed, entities);
    const { entity, name, subscription } = subscribed;
    const kind = name === undefined ? "consumer" : `consumer "${name}"`;
    const what = `the ${kind} of "${entity.entityName}" in "${service.name}"`;
    const claim = { what, span: subscription.name?.span ?? service.span };
    durables.claim(durable, claim);
    hooks.claim(names.value, claim);
  }
  for (const { name } of service.subscriptions) {
    if (name === undefined) continue;
    const what = `the hooks of the consumer "${name.value}" in "${service.name}"`;
    hooks.claim(namedConsumerName(service.name, name.value), { what, span: name.span });
  }
}
