import { isUnsubscribedFrom, partOf } from "../reach.js";
import type { Rule } from "../rule.js";
import { allTables } from "../table-lookup.js";

/** A cache copies an entity of another service, which its own service subscribes to. */
export const checkCaches: Rule = (program, report) => {
  const taken = new Map<string, { readonly table: string; readonly span: { start: number; end: number } }>();
  for (const { table, database } of allTables(program)) {
    const { cacheOf, name } = table;
    const service = database.owners[0];
    if (cacheOf === undefined) {
      const sync = table.node?.keySpans.sync;
      if (sync !== undefined) report("sync-without-cache", sync, { table: name });
      continue;
    }
    const { text: entityName, span } = cacheOf;
    const entity = program.entities.get(entityName);
    if (entity === undefined) {
      if (!program.poisoned.subjects) {
        const first = report.nearest(entityName, program.entities, ({ events }) => events[0]?.subject.span);
        report("unknown-entity", span, { entity: entityName }, first);
      }
      continue;
    }
    if (service === undefined) continue;
    const identity = `${database.name} ${entityName}`;
    const other = taken.get(identity);
    if (other !== undefined)
      report(
        "duplicate-cache",
        table.span,
        { entity: entityName, table: other.table },
        { first: other.span },
      );
    taken.set(identity, { table: name, span: table.span });
    if (entity.service === service.name) {
      report("cache-of-own-entity", span, { service: service.name, entity: entityName });
    } else if (isUnsubscribedFrom(service, entity, program)) {
      report("cache-without-subscription", span, {
        service: service.name,
        entity: entityName,
        part: partOf(service, entity),
      });
    }
  }
};
