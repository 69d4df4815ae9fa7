import type { Rule } from "../rule.js";

const generatedOnly = ["database", "http", "environment", "delivery"] as const;

/** What an external service says must have an effect: nothing that runs is generated for it. */
export const checkExternalServices: Rule = (program, report) => {
  for (const { name, external, node } of program.services.values()) {
    if (!external) continue;
    for (const key of generatedOnly) {
      const span = node?.keySpans[key];
      if (span !== undefined) report("external-service", span, { service: name, key });
    }
  }
};
