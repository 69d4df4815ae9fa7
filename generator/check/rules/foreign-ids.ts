import { type ColumnType, kindOf } from "@meshwright/runtime/column-types";
import { groupBy } from "../../collections/group-by.js";
import type { Report } from "../../diagnostics/report.js";
import { sourceOf } from "../../language/carriers.js";
import { covers, type Program } from "../../language/program.js";
import type {
  ColumnSymbol,
  EntitySymbol,
  EventSymbol,
  ServiceSymbol,
  TableSymbol,
} from "../../language/symbols.js";
import { singularName } from "../../model/names.js";
import type { Rule } from "../rule.js";
import { idType } from "../table-lookup.js";

/**
 * Warns of a column that nothing happens to when an entity is deleted which its service hears, though its name is, or ends in, that of
 * the entity's id, or is that of a column with a rule: the row goes on naming what is gone.
 */
export const adviseForeignIds: Rule = (program, report) => {
  for (const heard of foreignIdsOf(program)) adviseColumns(heard, program, report);
};

/** The ids of an entity of another service whose deletions a service hears. */
export interface Heard {
  readonly service: ServiceSymbol;
  readonly entity: EntitySymbol;
  readonly deletion: EventSymbol;
  /** Of the entity, as its owner or the copy says it: one column, or none where nobody says it. */
  readonly key: readonly ColumnSymbol[];
  readonly copy: TableSymbol | undefined;
  /** All entities of the mesh, by what their ids are called after them. */
  readonly called: ReadonlyMap<string, readonly EntitySymbol[]>;
}

export function* foreignIdsOf(program: Program): Generator<Heard> {
  const called = groupBy(program.entities.values(), ({ entity }) => idName(entity));
  for (const service of program.services.values()) {
    for (const entity of entitiesHeard(service, program)) {
      if (entity.service === service.name) continue;
      const deletion = entity.events.find(({ change }) => change === "delete");
      if (deletion === undefined) continue;
      const tables = [...(service.database?.tables.values() ?? [])];
      const copy = tables.find(({ cacheOf }) => cacheOf?.text === entity.entityName);
      const key = sourceOf(entity.events)?.key ?? copy?.key ?? [];
      if (key.length < 2) yield { service, entity, deletion, key, copy, called };
    }
  }
}

/** All of whose events it hears, not as a named consumer. */
function entitiesHeard(service: ServiceSymbol, program: Program): ReadonlySet<EntitySymbol> {
  const patterns = service.subscriptions.flatMap(({ name, pattern }) =>
    name === undefined ? [pattern.value] : [],
  );
  return new Set(
    patterns.flatMap((pattern) =>
      program.entitiesOf(pattern.service).filter((entity) => covers(pattern, entity)),
    ),
  );
}

function adviseColumns(heard: Heard, program: Program, report: Report): void {
  const { service, entity, copy, key } = heard;
  for (const { table, column } of columnsNaming(heard, program)) {
    if (!holds(column, idType(key))) continue;
    if (isOwnId(column, table, program.eventsOf(service.name))) continue;
    if (column.node?.get.references !== undefined || hasRule(column, table, { service, program })) continue;
    report("foreign-id-without-rule", column.span, {
      column: column.name,
      table: table.name,
      entity: entity.entityName,
      event: deletionOf(heard),
      service: service.name,
      nullable: column.nullable,
      copy: copy?.node?.get.where === undefined ? copy?.name : undefined,
    });
  }
}

/** `auth.user.deleted` */
function deletionOf({ entity, deletion }: Heard): string {
  return `${entity.entityName}.${deletion.subject.value.action}`;
}

/** The columns of the service's own tables that are called as the id is. `idIn`: what the name of a column says that it holds ids as. */
export function* columnsNaming(
  heard: Heard,
  program: Program,
  idIn: (column: string) => string | undefined = (column) => column,
): Generator<{ readonly table: TableSymbol; readonly column: ColumnSymbol }> {
  const names = idNames(heard.entity, heard.key[0]);
  const isOfOther = namesOfOthers(heard);
  const siblings = namesWithRule(heard, program);
  for (const table of heard.service.database?.tables.values() ?? []) {
    if (table.cacheOf !== undefined) continue;
    for (const column of table.columns.values()) {
      const id = idIn(column.name);
      if (id === undefined) continue;
      if (siblings.has(plain(id)) || namesId(id, names, isOfOther)) yield { table, column };
    }
  }
}

/** `user_id`, `userId` and `UserID` are one name. */
function plain(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, "");
}

/** What the id of something is called after it. */
function idName(name: string): string {
  return `${plain(name)}id`;
}

/** What a column is called that holds the entity's id: as its key, where that says whose id it is, else after the entity. */
function idNames({ entity }: EntitySymbol, key: ColumnSymbol | undefined): ReadonlySet<string> {
  const own = plain(key?.name ?? "");
  return new Set([idName(entity), ...(/.id$/.test(own) ? [own] : [])]);
}

/** What columns of the service's other tables are called that a rule, or a reference to the copy, says the id of: `owner_id`. */
function namesWithRule(heard: Heard, program: Program): ReadonlySet<string> {
  const { service, copy } = heard;
  const ruled = program
    .cascadesOf(service.name, deletionOf(heard))
    .map(({ get }) => (get.delete ?? get.set_null)?.value.column ?? "");
  const columns = [...(service.database?.tables.values() ?? [])].flatMap(({ columns }) => [
    ...columns.values(),
  ]);
  const referring = columns.filter(
    ({ node }) => copy !== undefined && node?.get.references?.value === copy.name,
  );
  return new Set([...ruled, ...referring.map(({ name }) => name)].filter((name) => name !== "").map(plain));
}

/** `user_id`, and `approver_user_id` unless that is the id of something else: of a `power_user` beside a `user`. */
function namesId(
  name: string,
  names: ReadonlySet<string>,
  isOfOther: (plainName: string) => boolean,
): boolean {
  for (const ending of endingsOf(name)) {
    if (names.has(plain(ending))) return true;
    if (isOfOther(plain(ending))) return false;
  }
  return false;
}

/** `approver_user_id`, `user_id`, `id`: the longest first. */
function endingsOf(name: string): readonly string[] {
  const words = name.split("_");
  return words.map((_, first) => words.slice(first).join("_"));
}

/** Whether the id of another entity, or of rows of one of the service's own tables, is called so. */
function namesOfOthers({ service, entity, called }: Heard): (plainName: string) => boolean {
  const own = [...(service.database?.tables.values() ?? [])].map(({ name }) => idName(singularName(name)));
  return (name) => own.includes(name) || called.get(name)?.some((each) => each !== entity) === true;
}

/** The key of a table whose rows are an entity of the same name: `items.item_id` beside a foreign `item`. */
function isOwnId({ name, key }: ColumnSymbol, table: TableSymbol, events: readonly EventSymbol[]): boolean {
  if (!key || table.key.length > 1) return false;
  const own = events.filter((event) => event.table === table && event.id === undefined);
  const names = [singularName(table.name), ...own.map(({ subject }) => subject.value.entity)];
  return names.some((each) => idName(each) === plain(name));
}

function holds({ type }: ColumnSymbol, id: ColumnType | undefined): boolean {
  return type !== undefined && kindOf(type) === kindOf(id ?? "text");
}

function hasRule(
  column: ColumnSymbol,
  table: TableSymbol,
  { service, program }: Pick<Heard, "service"> & { readonly program: Program },
): boolean {
  return program.rulesOf(service.name).some(({ get }) => {
    const target = get.delete ?? get.set_null;
    return target?.value.table === table.name && target.value.column === column.name;
  });
}
