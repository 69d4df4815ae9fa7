import { isPoisoned } from "../../language/node.js";
import type { Program } from "../../language/program.js";
import type { ServiceSymbol } from "../../language/symbols.js";
import type { Rule } from "../rule.js";

/** Each database has exactly one owner. A service owns one, or only hands to its hooks what it hears. */
export const checkDatabaseOwnership: Rule = (program, report) => {
  let misspelt = program.poisoned.services;
  for (const service of program.services.values()) {
    const { name, span, node, database, external } = service;
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
    const lacks = lackOf(service, program);
    if (lacks !== undefined) report("service-without-database", span, { service: name, lacks });
  }
  misspelt ||= [...program.databases.values()].some((database) => database.owners.length > 1);
  for (const { name, span, owners } of program.databases.values()) {
    const [first, ...others] = owners;
    if (first === undefined && !misspelt) report("unused-database", span, { database: name });
    for (const other of others) {
      const at = other.node?.get.database?.span ?? other.span;
      const clue = {
        first: first?.node?.get.database?.span ?? span,
        advice: otherThanSharing(name, first?.name ?? "", other.name),
      };
      report("shared-database", at, { database: name, first: first?.name ?? "", second: other.name }, clue);
    }
  }
};

/** What two services on one database are mostly meant for. */
function otherThanSharing(database: string, first: string, second: string): string {
  return (
    `leave "database" out of "${second}" if it has hooks alone; give it one of its own with copies of what it reads of "${first}", ` +
    `in the same PostgreSQL database by "shares: ${database}"; ` +
    `or let "${first}" do its part: a consumer with a name holds up no other`
  );
}

/** What of the service has to be in a database; undefined where nothing has, or that is not certain. */
function lackOf(
  { name, node, publishes, subscribes, poisoned }: ServiceSymbol,
  { cascades }: Program,
): "events" | "resources" | "cascades" | "use" | undefined {
  if (publishes.length > 0) return "events";
  if ((node?.get.http?.get.resources?.entries ?? []).length > 0) return "resources";
  if (cascades.some(({ get }) => get.service?.value === name)) return "cascades";
  if (subscribes.length > 0 || poisoned.publishes || poisoned.subscribes) return undefined;
  return "use";
}
