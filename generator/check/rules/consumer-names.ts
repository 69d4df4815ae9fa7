import type { Report } from "../../diagnostics/report.js";
import type { Program } from "../../language/program.js";
import type { ServiceSymbol, SubscriptionSymbol } from "../../language/symbols.js";
import { reservedHook } from "../hook-names.js";
import type { Rule } from "../rule.js";

/** A subscription as a mapping says more than its pattern; a consumer's name stands among the hooks of its service. */
export const checkConsumerNames: Rule = (program, report) => {
  for (const service of program.services.values()) {
    const steps = beforeHooks(service, program);
    for (const { name, pattern, plain } of service.subscriptions) {
      if (plain !== undefined) report("plain-subscription", plain, { pattern: pattern.text });
      if (name === undefined) continue;
      const use =
        reservedHook(name.value, program) ??
        (steps.has(name.value) ? "it is the hook before a cascade" : undefined);
      if (use !== undefined) report("reserved-name", name.span, { name: name.value, use });
      checkLength(name, report);
    }
  }
};

function beforeHooks({ name }: ServiceSymbol, program: Program): ReadonlySet<string> {
  return new Set(program.rulesOf(name).flatMap(({ get: { before } }) => before?.value ?? []));
}

const LONGEST = 32;

function checkLength({ value: name, span }: NonNullable<SubscriptionSymbol["name"]>, report: Report): void {
  if (name.length > LONGEST)
    report("name-too-long", span, {
      name,
      bytes: name.length,
      limit: LONGEST,
      reason: "durables are named after it",
    });
}
