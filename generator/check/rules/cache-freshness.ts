import type { Report } from "../../diagnostics/report.js";
import { fieldsFor, fillingOf, sourceOf } from "../../language/carriers.js";
import type { Program } from "../../language/program.js";
import type {
  ColumnSymbol,
  EntitySymbol,
  EventSymbol,
  ServiceSymbol,
  TableSymbol,
} from "../../language/symbols.js";
import type { Rule } from "../rule.js";
import { allTables } from "../table-lookup.js";
import { conditionEntries, type Kept, tellAll, tellEachValue } from "../told-rows.js";

/**
 * Warns of a copy that gets no event of some change of what it copies. It goes stale without lag and without a dead
 * letter; only `mesh verify` would show it. A warning and no error, since what never changes needs no event.
 */
export const adviseCacheFreshness: Rule = (program, report) => {
  for (const { table } of allTables(program)) {
    const entity = table.cacheOf && program.entities.get(table.cacheOf.text);
    if (entity === undefined) continue;
    if (table.node?.get.sync === undefined)
      report("cache-without-sync", table.span, {
        entity: entity.entityName,
        owner: entity.service,
        path: pathOf(sourceOf(entity.events), program.services.get(entity.service)),
      });
    adviseChanges(table, entity, report);
    for (const column of table.columns.values()) {
      if (!column.key && !column.local) adviseColumn(column, { table, entity, program }, report);
    }
  }
};

/** Rows of a table come, change and go; what an external owner allows is not known here. */
function adviseChanges(table: TableSymbol, { entityName, events }: EntitySymbol, report: Report): void {
  const source = sourceOf(events);
  if (source === undefined) return;
  const span = table.cacheOf?.span ?? table.span;
  const telling = (change: Told) => events.filter((event) => tellsOf(event, change));
  const missing = changes.filter((change) => telling(change).length === 0);
  const kept = keptBy(table, events);
  const sometimes = (["insert", "delete"] as const).flatMap((change) => {
    const told = telling(change);
    if (told.length === 0 || tellAll(told, { source, kept })) return [];
    return [{ change, events: told.flatMap(({ name }) => name?.value ?? []) }];
  });
  if (missing.length > 0 || sometimes.length > 0)
    report("cache-misses-changes", span, { entity: entityName, table: source.name, missing, sometimes });
}

/** The rows of a partial copy, by what the owner calls the columns. */
function keptBy({ columns, node }: TableSymbol, events: readonly EventSymbol[]): Kept {
  return new Map(
    conditionEntries(node?.get.where).map(({ column: name, asked }) => {
      const column = columns.get(name);
      return [(column && fillingOf(column, events).column) ?? name, asked];
    }),
  );
}

interface Copied {
  readonly table: TableSymbol;
  readonly entity: EntitySymbol;
  readonly program: Program;
}

function adviseColumn(column: ColumnSymbol, { table, entity, program }: Copied, report: Report): void {
  const { entityName, events } = entity;
  const { name, span } = column;
  const fieldsOf = fieldsFor(column, table, program);
  const carries = (event: EventSymbol) => fieldsOf(event).length > 0;
  const carriers = events.filter((event) => event.change !== "delete" && carries(event));
  const source = sourceOf(events);
  const { column: owned = name, field } = fillingOf(column, events);
  if (carriers.length === 0) {
    if (column.node?.get.default?.value === "now" || column.node?.get.defaulted?.value === true) return;
    const isInSource = source?.columns.has(owned) ?? false;
    const fields = new Map(events.flatMap((event) => [...event.fields]));
    const clue = isInSource ? undefined : report.nearest(name, fields, (field) => field.span);
    report(
      "cache-column-without-source",
      span,
      { column: name, field, entity: entityName, isInSource },
      clue,
    );
    return;
  }
  const updates = events.filter((event) => tellsOf(event, "update"));
  const conditional = updates.filter(carries);
  const kept = keptBy(table, events);
  if (updates.length === 0 || tellEachValue(conditional, owned, { source, kept })) return;
  report("cache-column-stale", span, {
    column: name,
    field,
    entity: entityName,
    events: updates.flatMap((event) => event.name?.value ?? []),
    conditional: conditional.flatMap((event) => event.name?.value ?? []),
  });
}

/** The path at which the owner serves the table; undefined where it serves it nowhere. */
function pathOf(table: TableSymbol | undefined, owner: ServiceSymbol | undefined): string | undefined {
  const resources = owner?.node?.get.http?.get.resources?.entries ?? [];
  return resources.find(({ node }) => node !== undefined && node.value === table?.name)?.name.value;
}

const changes = ["insert", "update", "delete"] as const;
type Told = (typeof changes)[number];

/** What happens to rows that only name the entity is no change of its own. */
function tellsOf({ operations, change, id }: EventSymbol, told: Told): boolean {
  return (id === undefined && operations.includes(told)) || change === (told === "insert" ? "create" : told);
}
