import type { Report } from "../../diagnostics/report.js";
import type { Program } from "../../language/program.js";
import type { ServiceSymbol, SubscriptionSymbol } from "../../language/symbols.js";
import { EVERY_EVENT_HOOK } from "../../model/names.js";
import type { Rule } from "../rule.js";

/** A subscription as a mapping says more than its pattern; a consumer's name stands among the hooks of its service. */
export const checkConsumerNames: Rule = (program, report) => {
  const handlers = new Set(program.events.map(({ name }) => `on${name?.value}`));
  for (const service of program.services.values()) {
    const steps = beforeHooks(service, program);
    for (const { name, pattern, plain } of service.subscriptions) {
      if (plain !== undefined) report("plain-subscription", plain, { pattern: pattern.text });
      if (name !== undefined) checkName(name, { handlers, steps }, report);
    }
  }
};

function beforeHooks({ name }: ServiceSymbol, program: Program): ReadonlySet<string> {
  return new Set(program.rulesOf(name).flatMap(({ get: { before } }) => before?.value ?? []));
}

interface Taken {
  readonly handlers: ReadonlySet<string>;
  readonly steps: ReadonlySet<string>;
}

const LONGEST = 32;

function checkName(
  { value: name, span }: NonNullable<SubscriptionSymbol["name"]>,
  { handlers, steps }: Taken,
  report: Report,
): void {
  const use = useOf(name, { handlers, steps });
  if (use !== undefined) report("reserved-name", span, { name, use });
  if (name.length > LONGEST)
    report("name-too-long", span, {
      name,
      bytes: name.length,
      limit: LONGEST,
      reason: "durables are named after it",
    });
}

/** What the hooks of the service have under this name. */
function useOf(name: string, { handlers, steps }: Taken): string | undefined {
  if (name === "start") return "it is the hook of a service's start";
  if (name === EVERY_EVENT_HOOK) return "it is the handler of every event";
  if (handlers.has(name)) return "it is the handler of an event";
  if (steps.has(name)) return "it is the hook before a cascade";
  if (name in Object.prototype) return "every object has a method of that name";
  return undefined;
}
