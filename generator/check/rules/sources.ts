import type { ServiceSymbol } from "../../language/symbols.js";
import { repeats } from "../repeats.js";
import type { Rule } from "../rule.js";

/** `metadata.source` tells services apart. */
export const checkSources: Rule = (program, report) => {
  for (const { value: second, first } of repeats(program.services.values(), ({ source }) => source)) {
    const parameters = { source: second.source, first: first.name, second: second.name };
    report("duplicate-source", spanOf(second), parameters, { first: spanOf(first) });
  }
};

function spanOf({ node, span }: ServiceSymbol): ServiceSymbol["span"] {
  return node?.get.source?.span ?? span;
}
