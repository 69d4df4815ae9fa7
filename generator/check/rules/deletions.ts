import { isReferable } from "@meshwright/runtime/column-types";
import { cascadeActions } from "@meshwright/runtime/vocabulary";
import type { Report } from "../../diagnostics/report.js";
import { targetOf } from "../../language/cascade-target.js";
import type { CascadeNode } from "../../language/grammar.js";
import type { Program } from "../../language/program.js";
import type { ColumnSymbol, ServiceSymbol, TableSymbol } from "../../language/symbols.js";
import type { Rule } from "../rule.js";
import { idType } from "../table-lookup.js";

/**
 * A `deleted` event can be applied: no foreign key refuses to let its rows go, and none deletes rows that a hook
 * before has to see first. Otherwise the event would be retried, and become a dead letter.
 */
export const checkDeletions: Rule = (program, report) => {
  for (const service of program.services.values()) {
    if (service.database === undefined) continue;
    for (const deletion of deletionsOf(service, program)) checkDeletion(deletion, service, report);
  }
};

/** The rows that one event removes from a database by itself. */
interface Deletion {
  readonly event: string;
  /** The copy of the entity: its row is removed after the rules have run. */
  readonly cache: TableSymbol | undefined;
  readonly rules: readonly CascadeNode[];
}

/** Of the entities that it copies, or that its rules are about. */
function deletionsOf(service: ServiceSymbol, program: Program): readonly Deletion[] {
  const tables = [...(service.database?.tables.values() ?? [])];
  const copied = tables.flatMap(({ cacheOf }) => program.entities.get(cacheOf?.text ?? "")?.events ?? []);
  const ruled = program
    .rulesOf(service.name)
    .flatMap(({ get }) => program.subjects.get(get.on?.text ?? "") ?? []);
  return [...new Set([...copied, ...ruled])]
    .filter(({ change }) => change === "delete")
    .map(({ entityName, subject }) => {
      const event = `${entityName}.${subject.value.action}`;
      const cache = tables.find(({ cacheOf }) => cacheOf?.text === entityName);
      return { event, cache, rules: program.cascadesOf(service.name, event) };
    });
}

function checkDeletion({ event, cache, rules }: Deletion, service: ServiceSymbol, report: Report): void {
  const tables = service.database?.tables ?? new Map<string, TableSymbol>();
  const deleted = rules.flatMap((rule) => {
    const { action, column } = targetOf(rule) ?? {};
    const table =
      action && cascadeActions[action].removesRows ? tables.get(column?.value.table ?? "") : undefined;
    const stays = table === undefined || table === cache || table.softDelete !== undefined;
    return stays ? [] : [{ table, rule }];
  });
  const roots = [...(cache === undefined ? [] : [cache]), ...deleted.map(({ table }) => table)];
  for (const root of new Set(roots)) {
    const gone = withReferring(root, tables);
    for (const { table, column } of referencesTo(gone, tables)) {
      const isRefused = (column.node?.get.on_delete?.value ?? "restrict") === "restrict";
      const isSettled = rules.some((rule) => settles(rule, { table, column, root, cache, rules }));
      if (isRefused && !isSettled)
        report("deletion-restricted", column.node?.get.references?.span ?? column.span, {
          table: table.name,
          column: column.name,
          parent: column.node?.get.references?.value ?? "",
          event,
        });
    }
    for (const { table, rule } of deleted) {
      const { before } = rule.get;
      if (before !== undefined && table !== root && gone.has(table))
        report("before-bypassed", before.span, {
          hook: before.value,
          table: table.name,
          parent: root.name,
          event,
        });
    }
  }
}

/** The table, and those whose rows go with its rows. */
export function withReferring(
  root: TableSymbol,
  tables: ReadonlyMap<string, TableSymbol>,
): ReadonlySet<TableSymbol> {
  const gone = new Set([root]);
  // A set is walked over while it grows.
  for (const parent of gone) {
    for (const { table, column } of referencesTo(new Set([parent]), tables)) {
      if (column.node?.get.on_delete?.value === "cascade") gone.add(table);
    }
  }
  return gone;
}

interface Referring {
  readonly table: TableSymbol;
  readonly column: ColumnSymbol;
}

function referencesTo(
  parents: ReadonlySet<TableSymbol>,
  tables: ReadonlyMap<string, TableSymbol>,
): readonly Referring[] {
  // A copy has no references: one that mesh.yaml gives it is reported by another rule.
  const own = [...tables.values()].filter(({ cacheOf }) => cacheOf === undefined);
  return own.flatMap((table) =>
    [...table.columns.values()].flatMap((column) => {
      const parent = tables.get(column.node?.get.references?.value ?? "");
      const key = parent?.key ?? [];
      const fits = key.length < 2 && isReferable(column.type ?? "text", idType(key) ?? "text");
      return parent !== undefined && parents.has(parent) && fits ? [{ table, column }] : [];
    }),
  );
}

/**
 * Whether a rule of the same event has dealt with the rows that refer before their parents go. The copy's row goes
 * last, and what refers to it holds the entity's id; other tables follow in the order of their names. Rows with a hook
 * before stay until it has succeeded.
 */
function settles(
  rule: CascadeNode,
  {
    table,
    column,
    root,
    cache,
  }: Referring & {
    readonly root: TableSymbol;
    readonly cache: TableSymbol | undefined;
    readonly rules: readonly CascadeNode[];
  },
): boolean {
  const target = targetOf(rule);
  if (rule.get.before !== undefined || target?.column.value.table !== table.name) return false;
  // A softly deleted row still refers.
  if (cascadeActions[target.action].removesRows && table.softDelete !== undefined) return false;
  if (root === cache) return target.column.value.column === column.name;
  return cascadeActions[target.action].removesRows && table.name < root.name;
}
