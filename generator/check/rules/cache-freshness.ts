import type { Report } from "../../diagnostics/report.js";
import { fieldsFor, fillingOf } from "../../language/carriers.js";
import type { ColumnConditionNode, EmitNode } from "../../language/grammar.js";
import type { ScalarNode } from "../../language/node.js";
import type { Program } from "../../language/program.js";
import type {
  ColumnSymbol,
  EntitySymbol,
  EventSymbol,
  ServiceSymbol,
  TableSymbol,
} from "../../language/symbols.js";
import type { Rule } from "../rule.js";
import { allTables, sourceOf } from "../table-lookup.js";

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
function adviseChanges(
  { cacheOf, span, node }: TableSymbol,
  { entityName, events }: EntitySymbol,
  report: Report,
): void {
  const source = sourceOf(events);
  if (source === undefined) return;
  const deletions = events.filter((event) => tellsOf(event, "delete"));
  // Of a partial copy the condition may be its own.
  const isToldAlways = node?.get.where !== undefined || isToldOfAll(deletions, source);
  const missing = (["insert", "update", "delete"] as const).filter(
    (change) => !events.some((event) => tellsOf(event, change)),
  );
  if (missing.length === 0 && isToldAlways) return;
  report("cache-misses-changes", cacheOf?.span ?? span, {
    entity: entityName,
    table: source.name,
    missing,
    conditional: deletions.flatMap(({ name }) => name?.value ?? []),
  });
}

/** Whether each row is told of, by an event without a condition or by one for each value that a column can take. */
function isToldOfAll(events: readonly EventSymbol[], source: TableSymbol): boolean {
  const conditions = events.map(conditionOf);
  if (conditions.some((entries) => entries.length === 0)) return true;
  const columns = new Set(conditions.flat().map(({ name }) => name.value));
  return [...columns].some((column) => takesAll(conditions, column, source));
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
  if (updates.length === 0 || isPublished(owned, conditional, source)) return;
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

function tellsOf({ operations, change }: EventSymbol, told: "insert" | "update" | "delete"): boolean {
  return operations.includes(told) || change === (told === "insert" ? "create" : told);
}

/** Whether each new value of the column is published: by an event of any update, or by one for each value that it can take. */
function isPublished(
  column: string,
  carriers: readonly EventSymbol[],
  source: TableSymbol | undefined,
): boolean {
  const always = carriers.filter(({ node }) => {
    const of = node?.get.emit?.get.of?.items ?? [];
    return of.length === 0 || of.some(({ value }) => value === column);
  });
  const conditions = always.map(conditionOf);
  return conditions.some((entries) => entries.length === 0) || takesAll(conditions, column, source);
}

type Conditions = NonNullable<NonNullable<EmitNode["get"]["when"]>["entries"]>;

function conditionOf({ node }: EventSymbol): Conditions {
  return node?.get.emit?.get.when?.entries ?? [];
}

/** Whether conditions on the column alone hold for every value that it can take. */
function takesAll(
  conditions: readonly Conditions[],
  column: string,
  source: TableSymbol | undefined,
): boolean {
  const taken = new Set(
    conditions.flatMap(([only, ...others]) =>
      only?.node !== undefined && only.name.value === column && others.length === 0
        ? valuesOf(only.node).map(({ text }) => text)
        : [],
    ),
  );
  const values = source?.columns.get(column)?.node?.get.one_of?.items ?? [];
  return values.length > 0 && values.every(({ text }) => taken.has(text));
}

function valuesOf(condition: ColumnConditionNode): readonly ScalarNode[] {
  if (condition.kind === "mapping") return [];
  return condition.kind === "list" ? condition.items : [condition];
}
