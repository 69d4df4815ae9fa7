import { type StatementStructures, StructureKind } from "ts-morph";
import type { Cascade, Consumer, Event, Table } from "../../model/mesh.js";
import { changes } from "../../vocabulary/changes.js";
import type { Lookup, Subscription } from "../lookup.js";
import { code, type Literal, printTypeScript, RETURNED } from "../print/layout.js";
import { quoted, serviceTitle } from "../wording.js";
import { docs } from "./docs.js";
import { streamConstantName } from "./events.js";
import { type ConsumerScope, hookProperties, hooksName, needsHooks } from "./hooks.js";
import { gatherImports, RUNTIME } from "./imports.js";
import type { SourceText } from "./printer.js";

/** consumers/auth-user.ts: the hooks of one subscribed entity, and what its events do. */
export function consumerSource(subscription: Subscription, lookup: Lookup): SourceText {
  const { consumer } = subscription;
  const imports = gatherImports("hooks", hooksName(consumer), consumerFunctionName(consumer));
  const scope: ConsumerScope = { ...subscription, lookup, imports };
  return { imports: scope.imports, statements: [hooksInterface(scope), consumerFunction(scope)] };
}

/** `sfsUserConsumer` */
export function consumerFunctionName(consumer: Consumer): string {
  return `${consumer.names.value}Consumer`;
}

function hooksInterface(scope: ConsumerScope): StatementStructures {
  const { service, consumer } = scope;
  const optional = needsHooks(consumer) ? "Steps" : "Optional steps";
  return {
    kind: StructureKind.Interface,
    name: hooksName(consumer),
    isExported: true,
    docs: docs(
      `${optional} of the ${serviceTitle(service.name)} service for \`${consumer.entity}.*\`; ` +
        "a handler runs last, inside the event's transaction.",
    ),
    properties: hookProperties(scope),
  };
}

function consumerFunction(scope: ConsumerScope): StatementStructures {
  const { consumer, imports } = scope;
  return {
    kind: StructureKind.Function,
    name: consumerFunctionName(consumer),
    isExported: true,
    docs: docs(purpose(scope)),
    parameters: [
      { name: "hooks", type: hooksName(consumer), ...(needsHooks(consumer) ? {} : { initializer: "{}" }) },
    ],
    returnType: imports.type(RUNTIME, "ConsumerDefinition"),
    statements: [`return ${printTypeScript(consumerLiteral(scope), RETURNED)};`],
  };
}

function purpose({ service, consumer }: ConsumerScope): string {
  const from = quoted(`${consumer.entity}.*`);
  const title = serviceTitle(service.name);
  const cascades = consumer.cascades.length > 0;
  if (consumer.cache === undefined) {
    return cascades
      ? `Applies the cascade rules of ${title} for ${from}.`
      : `Hands ${from} to the hooks of ${title}.`;
  }
  const kept = `Keeps \`${consumer.cache}\` in step with ${from}`;
  return cascades ? `${kept} and applies the cascade rules of ${title}.` : `${kept}.`;
}

function consumerLiteral(scope: ConsumerScope): Literal {
  const { service, consumer, lookup, imports } = scope;
  const publisher = lookup.service(consumer.publisher);
  const stream = imports.value(`../../${publisher.name}/events.js`, streamConstantName(publisher));
  const cache = consumer.cache === undefined ? undefined : lookup.table(service, consumer.cache);
  const sync = cache?.cache?.sync ?? consumer.source;
  return {
    durable: consumer.durable,
    stream: code(stream),
    filter: consumer.filter,
    entity: consumer.entity,
    cache: cache === undefined ? undefined : code(imports.value("../tables.js", cache.names.value)),
    sync: sync && {
      urlVariable: sync.urlVariable,
      keyVariable: sync.keyVariable,
      path: sync.path,
      header: sync.header,
      everySeconds: sync.everySeconds,
      ...(consumer.source && { key: consumer.source.key, optional: true }),
    },
    delivery: {
      attempts: consumer.delivery.attempts,
      backoffSeconds: consumer.delivery.backoffSeconds,
      ackWaitSeconds: consumer.delivery.ackWaitSeconds,
      maxAckPending: consumer.delivery.maxAckPending,
      batch: consumer.delivery.batch,
    },
    events: consumer.events.map(lookup.event).map((event) => eventLiteral(event, cache, scope)),
  };
}

function eventLiteral(event: Event, cache: Table | undefined, scope: ConsumerScope): Literal {
  const { consumer, imports } = scope;
  const cascades = consumer.cascades.filter((cascade) => cascade.event === event.name);
  return {
    name: event.name,
    action: event.action,
    change: event.change,
    validate: code(imports.value(`../../${event.service}/validators.js`, event.names.validator)),
    columns: cache && carriedColumns(event, cache),
    cascades: cascades.length === 0 ? undefined : cascades.map((cascade) => cascadeLiteral(cascade, scope)),
    handler: code(`hooks.${event.names.hook}`),
  };
}

/** The cache's columns that the event tells the value of; a deletion and a mere occurrence tell none. */
function carriedColumns(event: Event, cache: Table): readonly string[] | undefined {
  if (!changes[event.change].showsRow) return undefined;
  const carried = new Set(event.payload.map((field) => field.name));
  return cache.columns.map((column) => column.name).filter((name) => carried.has(name));
}

function cascadeLiteral(cascade: Cascade, { service, lookup, imports }: ConsumerScope): Literal {
  const table = imports.value("../tables.js", lookup.table(service, cascade.table).names.value);
  return {
    action: cascade.action,
    table: code(table),
    column: cascade.column,
    before:
      cascade.before === undefined
        ? undefined
        : { name: cascade.before, call: code(`hooks.${cascade.before}`) },
  };
}
