import type { Rule } from "../rule.js";

const generatedOnly = ["database", "http", "environment", "delivery"] as const;

/** What an external service says must have an effect: nothing that runs is generated for it. */
export const checkExternalServices: Rule = (program, report) => {
  for (const { name, external, node, subscriptions } of program.services.values()) {
    if (!external) continue;
    for (const key of generatedOnly) {
      const span = node?.keySpans[key];
      if (span !== undefined) report("external-service", span, { service: name, key });
    }
    for (const { delivery } of subscriptions)
      if (delivery !== undefined)
        report("external-service", delivery.span, { service: name, key: "delivery" });
  }
};
