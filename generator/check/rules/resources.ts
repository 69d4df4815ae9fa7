import type { Rule } from "../rule.js";
import { reportMissingTable } from "../table-lookup.js";

/** A resource is a table of the service, at a path that no other one reaches into. */
export const checkResources: Rule = (program, report) => {
  for (const service of program.services.values()) {
    const resources = service.node?.get.http?.get.resources?.entries ?? [];
    for (const { name: path, node: table } of resources) {
      if (/^\/(healthz|readyz|operate|openapi\.json)(\/|$)/.test(path.value))
        report("reserved-name", path.span, { name: path.value, use: "every service answers there itself" });
      if (table !== undefined)
        reportMissingTable(
          { value: table.value, span: table.span, servable: true },
          service,
          program,
          report,
        );
      const around = resources.find((other) => path.value.startsWith(`${other.name.value}/`));
      if (around === undefined) continue;
      report(
        "overlapping-path",
        path.span,
        { path: path.value, other: around.name.value },
        { first: around.name.span },
      );
    }
  }
};
