import { isPoisoned } from "../../language/node.js";
import type { Rule } from "../rule.js";

/** Each service owns exactly one database, and each database has exactly one owner. */
export const checkDatabaseOwnership: Rule = (program, report) => {
  let misspelt = program.poisoned.services;
  for (const { name, span, node, database, external } of program.services.values()) {
    const written = node?.get.database;
    if (written !== undefined && database === undefined) {
      misspelt = true;
      if (program.poisoned.databases) continue;
      report(
        "unknown-database",
        written.span,
        { name: written.value },
        report.nearest(written.value, program.databases, (it) => it.span),
      );
    }
    if (written !== undefined || external) continue;
    if (isPoisoned(node, "database")) {
      misspelt = true;
      continue;
    }
    report("service-without-database", span, { service: name });
  }
  misspelt ||= [...program.databases.values()].some((database) => database.owners.length > 1);
  for (const { name, span, owners } of program.databases.values()) {
    const [first, ...others] = owners;
    if (first === undefined && !misspelt) report("unused-database", span, { database: name });
    for (const other of others) {
      const at = other.node?.get.database?.span ?? other.span;
      const clue = { first: first?.node?.get.database?.span ?? span };
      report("shared-database", at, { database: name, first: first?.name ?? "", second: other.name }, clue);
    }
  }
};
