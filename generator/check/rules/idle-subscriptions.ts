import { type Program, touches } from "../../language/program.js";
import type { EventSymbol, ServiceSymbol, SubscriptionSymbol } from "../../language/symbols.js";
import { EVERY_EVENT_HOOK, eventNames } from "../../model/names.js";
import { mentions } from "../hook-files.js";
import { hookText } from "../hook-text.js";
import type { HookRule } from "../rule.js";

/** Warns of a subscription that nothing comes of: no copy, no rule and no hook uses what is heard. */
export const adviseIdleSubscriptions: HookRule = (program, report, files) => {
  for (const service of program.services.values()) {
    if (service.external || service.subscriptions.length === 0) continue;
    const hooks = hookText(service.name, files);
    if (hooks === undefined) continue;
    for (const subscription of service.subscriptions) {
      const { pattern, name } = subscription;
      const heard = eventsHeard(subscription, program);
      const isUsed =
        isHooked(heard, subscription, hooks) || (name === undefined && isKept(heard, service, program));
      if (!isUsed)
        report("idle-subscription", pattern.span, {
          service: service.name,
          pattern: pattern.text,
          consumer: name?.value,
          hook: heard[0]?.name && eventNames(heard[0].name.value).hook,
        });
    }
  }
};

function eventsHeard({ pattern: { value } }: SubscriptionSymbol, program: Program): readonly EventSymbol[] {
  return program
    .eventsOf(value.service)
    .filter(
      ({ subject }) =>
        touches(value, subject.value) && (value.action ?? subject.value.action) === subject.value.action,
    );
}

function isHooked(heard: readonly EventSymbol[], { name }: SubscriptionSymbol, hooks: string): boolean {
  if (name !== undefined && !mentions(hooks, name.value)) return false;
  const handlers = heard.flatMap((event) => (event.name ? eventNames(event.name.value).hook : []));
  return [EVERY_EVENT_HOOK, ...handlers].some((handler) => mentions(hooks, handler));
}

function isKept(heard: readonly EventSymbol[], service: ServiceSymbol, program: Program): boolean {
  const entities = new Set(heard.map(({ entityName }) => entityName));
  const tables = [...(service.database?.tables.values() ?? [])];
  if (tables.some(({ cacheOf }) => cacheOf !== undefined && entities.has(cacheOf.text))) return true;
  return heard.some(
    ({ entityName, subject }) =>
      program.cascadesOf(service.name, `${entityName}.${subject.value.action}`).length > 0,
  );
}
