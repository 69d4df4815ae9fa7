import type { Event, Service, Subscription } from "../model/mesh.js";
import { EVERY_EVENT_HOOK } from "../model/names.js";
import type { Link } from "./branch.js";
import type { Flow } from "./flow.js";
import { type HookRead, type HookStatements, readsField } from "./hook-reads.js";
import { type HookPart, keyOf } from "./part.js";

/**
 * The hooks that an event is handed to, of one consumer: its own handler, then the one for every event. Where hooks were not looked at,
 * a handler may exist: the link says so.
 */
export function handlersOf(flow: Flow, { service, consumer }: Subscription, event: Event): readonly Link[] {
  if (service.external) return [];
  return [event.names.hook, EVERY_EVENT_HOOK].flatMap((hook) =>
    linkTo(flow, { service, consumer: consumer.name, hook }),
  );
}

/** The same where they read the field. */
export function handlersReading(
  flow: Flow,
  hearer: Subscription,
  { event, field }: { readonly event: Event; readonly field: string },
): readonly Link[] {
  return handlersOf(flow, hearer, event).filter(({ to, how, with: reads }) => {
    if (how === "may use" || how === "reads all" || to.kind !== "hook") return true;
    return to.at !== undefined && readsField({ reads }, field);
  });
}

/** All hooks of a service, those before rules included. */
export function hooksOf(flow: Flow, service: Service): readonly Link[] {
  const links = service.consumers.flatMap((consumer) => [
    ...consumer.events.flatMap((event) => handlersOf(flow, { service, consumer }, flow.event(event))),
    ...consumer.cascades.flatMap(({ before }) =>
      before === undefined ? [] : beforeHook(flow, service, before),
    ),
  ]);
  return [...new Map(links.map((link) => [keyOf(link.to), link])).values()];
}

/** The step that a rule calls for each row before it goes. */
export function beforeHook(flow: Flow, service: Service, hook: string): readonly Link[] {
  const found = linkTo(flow, { service, consumer: undefined, hook });
  // A rule names it: it must be there, wherever it is written.
  const to: HookPart = { kind: "hook", service: service.name, consumer: undefined, hook, at: undefined };
  return found.length > 0 ? found : [{ how: "may use", to, with: [] }];
}

/** The events that a hook publishes by hand. */
export function eventsToldBy({ hooks, event }: Flow, { to }: Link): readonly Event[] {
  if (to.kind !== "hook") return [];
  const { service, consumer, hook: name } = to;
  return (hooks?.find({ service, consumer, name })?.tells ?? []).map(event);
}

/** What a hook does by SQL of its own. */
export function statementsRunBy({ hooks }: Flow, { to }: Link): HookStatements {
  if (to.kind !== "hook") return NOTHING;
  const { service, consumer, hook: name } = to;
  return hooks?.find({ service, consumer, name })?.runs() ?? NOTHING;
}

const NOTHING: HookStatements = { tables: [], isWhole: true };

interface Asked {
  readonly service: Service;
  readonly consumer: string | undefined;
  readonly hook: string;
}

function linkTo({ hooks }: Flow, { service, consumer, hook }: Asked): readonly Link[] {
  const to = (read: HookRead | undefined): HookPart => ({
    kind: "hook",
    service: service.name,
    consumer,
    hook,
    at: read?.at,
  });
  if (hooks === undefined || hooks.remarks.some((remark) => remark.service === service.name))
    return hook === EVERY_EVENT_HOOK ? [] : [{ how: "may use", to: to(undefined), with: [] }];
  const read = hooks.find({ service: service.name, consumer, name: hook });
  if (read === undefined) return [];
  return read.reads === "all"
    ? [{ how: "reads all", to: to(read), with: [] }]
    : [{ how: "reads", to: to(read), with: read.reads }];
}
