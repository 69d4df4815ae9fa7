import { deliveryDefaults, syncDefaults } from "@meshwright/runtime/defaults";
import type { Cascade, Consumer, Delivery, Event, Source, Subscription, Sync } from "../../model/mesh.js";
import { serviceTitle } from "../../model/service-title.js";
import type { Lookup } from "../lookup.js";
import { code, differing, type Literal } from "../print/layout.js";
import { quoted } from "../wording.js";
import { functionStatement } from "./constant.js";
import { docs } from "./docs.js";
import { eventsConstantName, streamConstantName } from "./events.js";
import { type ConsumerScope, hookProperties, hooksName, needsHooks } from "./hooks.js";
import { gatherImports, RUNTIME } from "./imports.js";
import type { Interface, SourceText } from "./printer.js";
import { keyLiteral } from "./tables.js";

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

function hooksInterface(scope: ConsumerScope): Interface {
  const { service, consumer, imports } = scope;
  const isStateless = service.database === undefined;
  const optional = needsHooks(consumer) ? "Steps" : "Optional steps";
  return {
    name: hooksName(consumer),
    ...(consumer.name === undefined
      ? {}
      : { extends: [imports.type(RUNTIME, isStateless ? "MessageHooks" : "ConsumerHooks")] }),
    docs: docs(
      `${optional} of ${titleOf(scope)} for \`${consumer.pattern}\`; ` +
        (isStateless
          ? "stateless: a handler is called at least once per message."
          : "handlers run last, in the event's transaction."),
    ),
    properties: hookProperties(scope),
  };
}

function consumerFunction(scope: ConsumerScope): string {
  const { consumer, imports } = scope;
  return functionStatement({
    name: consumerFunctionName(consumer),
    docs: docs(purpose(scope)),
    hooks: hooksName(consumer),
    isOptional: !needsHooks(consumer),
    returnType: imports.type(
      RUNTIME,
      scope.service.database === undefined ? "StatelessConsumerDefinition" : "ConsumerDefinition",
    ),
    value: consumerLiteral(scope),
  });
}

/** `SHOP`, `the mailer of SHOP` */
function titleOf({ service, consumer }: ConsumerScope): string {
  const title = serviceTitle(service.name);
  return consumer.name === undefined ? title : `the ${quoted(consumer.name)} of ${title}`;
}

function purpose(scope: ConsumerScope): string {
  const { consumer } = scope;
  const from = quoted(consumer.pattern);
  const title = titleOf(scope);
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
    name: consumer.name,
    cache: cache === undefined ? undefined : code(imports.value("../tables.js", cache.names.value)),
    sync: sync && syncLiteral(sync, consumer.source),
    delivery: deliveryLiteral(consumer.delivery),
    events: consumer.events.map(lookup.event).map((event) => eventLiteral(event, scope)),
    onEvent: consumer.name === undefined ? undefined : code("hooks.onEvent"),
  };
}

function syncLiteral(
  { urlVariable, keyVariable, path, header, everySeconds }: Sync,
  source: Source | undefined,
) {
  return {
    urlVariable,
    keyVariable,
    path,
    ...differing({ header, everySeconds }, syncDefaults),
    ...(source && { key: keyLiteral(source.key), optional: true }),
  };
}

/** What the runtime does not do anyway. */
function deliveryLiteral(delivery: Delivery): Literal | undefined {
  const { attempts, backoffSeconds, ackWaitSeconds, maxAckPending, batch } = delivery;
  const said = differing(
    { attempts, backoffSeconds, ackWaitSeconds, maxAckPending, batch },
    deliveryDefaults,
  );
  return Object.keys(said).length === 0 ? undefined : said;
}

function eventLiteral(event: Event, scope: ConsumerScope): Literal {
  const { consumer, lookup, imports } = scope;
  const cascades = consumer.cascades.filter((cascade) => cascade.event === event.name);
  const publisher = lookup.service(event.service);
  const events = imports.value(`../../${publisher.name}/events.js`, eventsConstantName(publisher));
  return {
    event: code(`${events}.${event.names.value}`),
    cascades: cascades.length === 0 ? undefined : cascades.map((cascade) => cascadeLiteral(cascade, scope)),
    handler: code(`hooks.${event.names.hook}`),
  };
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
