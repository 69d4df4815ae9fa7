import { compareNames } from "../../collections/compare-names.js";
import type { EventSymbol } from "../../language/symbols.js";
import { operations } from "../../vocabulary/changes.js";
import type { Emit, Event, ForeignEvent } from "../mesh.js";
import { eventNames } from "../names.js";
import { buildCondition } from "./build-condition.js";
import type { DefinitionOf } from "./build-field.js";
import { buildPayload } from "./build-payload.js";
import { required } from "./invariant.js";

export function buildEvent(event: EventSymbol, definitionOf: DefinitionOf): Event {
  const name = required(event.name, `the event of ${event.subject.text}`).value;
  const service = required(event.service, `the service of ${event.subject.text}`);
  return {
    name,
    service: service.name,
    entity: event.subject.value.entity,
    action: event.subject.value.action,
    subject: event.subject.text,
    filter: filterOfEvent(event),
    foreign: buildForeign(event),
    source: service.source,
    description: event.node?.get.description?.value,
    change: event.change,
    emit: buildEmit(event),
    payload: buildPayload(event, definitionOf),
    names: eventNames(name),
  };
}

export function filterOfEvent({ subject, node }: EventSymbol): string {
  return (node?.get.subject?.value ?? subject.text).replace("{id}", "*");
}

function buildForeign({ node }: EventSymbol): ForeignEvent | undefined {
  const { subject, type, id, event_id: eventId } = node?.get ?? {};
  if (subject === undefined && type === undefined && id === undefined && eventId === undefined)
    return undefined;
  return { subject: subject?.value, type: type?.value, idField: id?.value, eventIdField: eventId?.value };
}

function buildEmit(event: EventSymbol): Emit | undefined {
  const emit = event.node?.get.emit?.get;
  if (emit === undefined) return undefined;
  return {
    table: required(event.table, `the table of ${event.subject.text}`).name,
    id: event.id?.value,
    on: operations.filter((operation) => event.operations.includes(operation)),
    at: emit.at?.value,
    unless: buildCondition(emit.unless),
    of: (emit.of?.items ?? []).map(({ value }) => value).sort(compareNames),
    when: buildCondition(emit.when),
  };
}
