import type { OptionalKind, PropertySignatureStructure } from "ts-morph";
import type { Consumer, Subscription } from "../../model/mesh.js";
import type { Lookup } from "../lookup.js";
import { eventSentence } from "../wording.js";
import { docs } from "./docs.js";
import { type Imports, RUNTIME } from "./imports.js";

/** `SfsUserHooks`: the interface of the steps that a service adds to a consumer. */
export function hooksName(consumer: Consumer): string {
  return `${consumer.names.type}Hooks`;
}

/** Whether the service cannot start without hooks: a cascade names a step that only it can take. */
export function needsHooks(consumer: Consumer): boolean {
  return consumer.cascades.some((cascade) => cascade.before !== undefined);
}

/** A consumer, and what its generated file is made with. */
export interface ConsumerScope extends Subscription {
  readonly lookup: Lookup;
  readonly imports: Imports;
}

type HookProperty = OptionalKind<PropertySignatureStructure>;

/** The steps before cascades, which are required, then one optional handler per event. */
export function hookProperties(scope: ConsumerScope): HookProperty[] {
  return [...beforeHooks(scope), ...eventHooks(scope)];
}

function beforeHooks({ service, consumer, lookup, imports }: ConsumerScope): HookProperty[] {
  const rules = new Map(consumer.cascades.map((cascade) => [cascade.before, cascade]));
  return [...rules].flatMap(([name, cascade]) => {
    if (name === undefined) return [];
    const row = imports.type("../tables.js", lookup.table(service, cascade.table).names.row);
    const { subject } = lookup.event(cascade.event);
    return {
      name,
      isReadonly: true,
      type: `${imports.type(RUNTIME, "BeforeDelete")}<${row}>`,
      docs: docs(
        `Before a cascade of \`${subject}\` removes a row of \`${cascade.table}\`; its failure keeps the row.`,
      ),
    };
  });
}

function eventHooks({ service, consumer, lookup, imports }: ConsumerScope): HookProperty[] {
  return consumer.events.map(lookup.event).map((event) => ({
    name: event.names.hook,
    isReadonly: true,
    hasQuestionToken: true,
    type: `${imports.type(RUNTIME, service.database === undefined ? "MessageHandler" : "Handler")}<${imports.type(`../../${event.service}/events.js`, event.name)}>`,
    docs: docs(eventSentence(event)),
  }));
}
