import { holdsAll } from "@meshwright/runtime/column-types";
import type { Report } from "../../diagnostics/report.js";
import { type FieldsFor, fieldsFor, fillingOf, sourceOf } from "../../language/carriers.js";
import type { Program } from "../../language/program.js";
import type { ColumnSymbol, EventSymbol, TableSymbol } from "../../language/symbols.js";
import { fieldFits } from "../fields.js";
import type { Rule } from "../rule.js";
import { allTables, namesOf } from "../table-lookup.js";

/** A copy can hold whatever its owner's table can, and its rows are found by the same key. */
export const checkCacheSource: Rule = (program, report) => {
  for (const { table } of allTables(program)) {
    if (table.cacheOf === undefined) continue;
    for (const column of table.columns.values()) {
      const references = column.node?.get.references;
      if (references !== undefined)
        report("cache-reference", references.span, { table: table.name, column: column.name });
    }
    const events = program.entities.get(table.cacheOf.text)?.events ?? [];
    const source = sourceOf(events);
    if (source !== undefined) checkAgainst(table, { source, events, program }, report);
  }
};

interface Copied {
  readonly source: TableSymbol;
  readonly events: readonly EventSymbol[];
  readonly program: Program;
}

function checkAgainst(cache: TableSymbol, { source, events, program }: Copied, report: Report): void {
  const [first] = cache.key;
  const owned = cache.key.flatMap(
    (column) => source.columns.get(fillingOf(column, events).column ?? column.name) ?? [],
  );
  const named = new Set(cache.node?.get.key?.items.map(({ value }) => value));
  // A column that does not exist is perhaps the one that is missing.
  const isWhole = [...named].every((name) => cache.columns.has(name));
  const [column, key] = [namesOf(cache.key), namesOf(source.key)];
  const entity = cache.cacheOf?.text ?? "";
  if (
    first !== undefined &&
    isWhole &&
    source.key.length > 0 &&
    (owned.length === cache.key.length || cache.key.length + source.key.length > 2) &&
    namesOf(owned) !== key
  )
    report("cache-key", cache.node?.get.key?.span ?? first.span, { column, entity, table: source.name, key });
  for (const column of cache.columns.values()) {
    const owned = source.columns.get(fillingOf(column, events).column ?? column.name);
    if (owned === undefined || column.local) continue;
    if (!isCarried(column, events, fieldsFor(column, cache, program))) continue;
    const narrower = findNarrower(column, owned);
    if (narrower !== undefined)
      report("cache-column-narrower", column.span, {
        column: column.name,
        owned: owned.name,
        table: source.name,
        ...narrower,
      });
  }
}

/** Where an event carries something else, that is the mistake. */
function isCarried({ type }: ColumnSymbol, events: readonly EventSymbol[], fieldsOf: FieldsFor): boolean {
  const fields = events.flatMap((event) => fieldsOf(event).flatMap(({ node }) => node ?? []));
  return type !== undefined && fields.every((field) => fieldFits(field, type));
}

/** What the copy's column says, and the owner's does not. */
function findNarrower(
  copy: ColumnSymbol,
  owned: ColumnSymbol,
): { readonly says: string; readonly holds: string } | undefined {
  if (copy.type !== undefined && owned.type !== undefined && !holdsAll(copy.type, owned.type))
    return { says: copy.type, holds: owned.type };
  const isUnique = ({ node, key }: ColumnSymbol) => key || node?.get.unique?.value === true;
  if (isUnique(copy) && !isUnique(owned)) return { says: "unique", holds: "equal values" };
  const allowed = copy.node?.get.one_of?.items.map(({ value }) => value);
  if (allowed === undefined) return undefined;
  const values = owned.node?.get.one_of?.items.map(({ value }) => value);
  const extra = values?.filter((value) => !allowed.includes(value));
  if (extra?.length === 0) return undefined;
  return { says: `one_of [${allowed.join(", ")}]`, holds: extra?.join(", ") ?? "any text" };
}
