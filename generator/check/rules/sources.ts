import type { ServiceSymbol } from "../../language/symbols.js";
import type { Rule } from "../rule.js";

/** `metadata.source` tells services apart. */
export const checkSources: Rule = (program, report) => {
  const taken = new Map<string, ServiceSymbol>();
  for (const service of program.services.values()) {
    const { source, name } = service;
    const first = taken.get(source);
    if (first === undefined) taken.set(source, service);
    else
      report(
        "duplicate-source",
        spanOf(service),
        { source, first: first.name, second: name },
        { first: spanOf(first) },
      );
  }
};

function spanOf({ node, span }: ServiceSymbol): ServiceSymbol["span"] {
  return node?.get.source?.span ?? span;
}
