import { factsOf, kindOf } from "@meshwright/runtime/column-types";
import { syncDefaults } from "@meshwright/runtime/defaults";
import { byName, compareNames } from "../../collections/compare-names.js";
import { carriersOf, fillingOf } from "../../language/carriers.js";
import type { TableNode } from "../../language/grammar.js";
import type { Program } from "../../language/program.js";
import { readCondition } from "../../language/row-condition.js";
import type { ColumnSymbol, DatabaseSymbol, TableSymbol } from "../../language/symbols.js";
import { drawnBy } from "../../vocabulary/made-keys.js";
import type {
  CacheOf,
  Column,
  ColumnDefault,
  ColumnType,
  Database,
  Reference,
  RowCheck,
  Table,
} from "../mesh.js";
import { hasOffset, withOffset } from "../moment.js";
import {
  callKeyVariable,
  databaseRoles,
  databaseUrlVariable,
  ownerUrlVariable,
  serviceUrlVariable,
  sharedSchema,
  tableNames,
} from "../names.js";
import { anyJson } from "./any-json.js";
import { buildCondition } from "./build-condition.js";
import { buildView } from "./build-view.js";
import { required } from "./invariant.js";
import { shownName } from "./shown-name.js";

export interface DatabaseParts {
  readonly program: Program;
  /** The columns that travel as decimal strings. */
  readonly wide: ReadonlySet<ColumnSymbol>;
}

export function buildDatabase(database: DatabaseSymbol, parts: DatabaseParts): Database {
  const service = required(database.owners[0], `the owner of ${database.name}`).name;
  return {
    name: database.name,
    service,
    urlVariable: databaseUrlVariable(database.name),
    ownerUrlVariable: ownerUrlVariable(database.name),
    roles: databaseRoles(service),
    shared: database.shares && { with: database.shares.value, schema: sharedSchema(database.name) },
    sql: database.node?.get.sql?.value,
    tables: [...database.tables.values()].map((table) => buildTable(table, database, parts)).sort(byName),
    views: [...database.views.values()].map((view) => buildView(view, database)).sort(byName),
  };
}

function buildTable(table: TableSymbol, database: DatabaseSymbol, { wide, program }: DatabaseParts): Table {
  const node = required(table.node, `table ${table.name}`).get;
  return {
    name: table.name,
    at: table.at,
    existing: table.existing ? true : undefined,
    backfill: node.backfill?.value,
    description: node.description?.value,
    key: table.key.map(({ name }) => name),
    columns: [...table.columns.values()].map((column) => ({
      ...buildColumn(column, database, table.cacheOf !== undefined),
      shown: shownName(column, database),
      filledBy: buildFilling(column, table, program),
      wide: wide.has(column) ? true : undefined,
      anyJson: anyJson(column.type, table),
      oneOf: buildValues(column, wide.has(column)),
    })),
    unique: columnSets(node.unique),
    indexes: columnSets(node.indexes),
    checks: buildChecks(node),
    softDelete: table.softDelete?.value,
    renamedFrom: node.renamed_from?.value,
    cache: buildCache(table, database),
    names: tableNames(table.name, node.row?.value),
  };
}

/** Their order means nothing. */
function buildChecks({ checks }: TableNode["get"]): readonly RowCheck[] {
  return (checks?.entries ?? [])
    .map(({ name, node }) => {
      const { value } = required(node, `the check ${name.text}`);
      const condition = readCondition(value);
      return { name: name.value, columns: condition.ok ? condition.columns : [], condition: value };
    })
    .sort(byName);
}

/** As they travel: large whole numbers as decimal strings. */
function buildValues({ node, type }: ColumnSymbol, isWide: boolean): Column["oneOf"] {
  const isNumber = type !== undefined && kindOf(type) === "whole number" && !isWide;
  return node?.get.one_of?.items.map(({ value }) =>
    isNumber && Number.isSafeInteger(Number(value)) ? Number(value) : String(value),
  );
}

/** The order within a set is the order in the index; the order of the sets means nothing. */
function columnSets(
  sets: { readonly items: readonly { readonly items: readonly { readonly value: string }[] }[] } | undefined,
): readonly (readonly string[])[] {
  return (sets?.items ?? [])
    .map((set) => set.items.map((column) => column.value))
    .sort((a, b) => compareNames(a.join(), b.join()));
}

function buildCache({ name, cacheOf, node }: TableSymbol, { owners }: DatabaseSymbol): CacheOf | undefined {
  if (cacheOf === undefined) return undefined;
  const { service, entity } = cacheOf.value;
  const sync = node?.get.sync?.get;
  return {
    entity: `${service}.${entity}`,
    where: buildCondition(node?.get.where),
    sync: sync && {
      service,
      path: required(sync.get, `the path of the sync of ${name}`).value,
      urlVariable: serviceUrlVariable(service),
      keyVariable: callKeyVariable(required(owners[0], `the owner of ${name}`).name, service),
      header: sync.header?.value ?? syncDefaults.header,
      everySeconds: sync.every?.value ?? syncDefaults.everySeconds,
    },
  };
}

function buildColumn(
  column: ColumnSymbol,
  database: DatabaseSymbol,
  isCache: boolean,
): Omit<Column, "wide" | "anyJson" | "oneOf" | "shown" | "filledBy"> {
  const details = column.node?.get;
  const type = required(column.type, `the type of ${column.name}`);
  return {
    name: column.name,
    description: details?.description?.value,
    type,
    nullable: column.nullable,
    key: column.key,
    unique: details?.unique?.value ?? false,
    local: column.local ? true : undefined,
    private: details?.private?.value === true ? true : undefined,
    default: details?.identity?.value
      ? { kind: "identity" }
      : buildDefault(details?.default?.value, type, isCache),
    defaulted: details?.defaulted?.value === true ? true : undefined,
    check: details?.check?.value,
    references: buildReference(column, database),
    renamedFrom: details?.renamed_from?.value,
  };
}

function buildFilling(column: ColumnSymbol, table: TableSymbol, program: Program): Column["filledBy"] {
  if (table.cacheOf === undefined || column.local) return undefined;
  const { field, member } = fillingOf(column, carriersOf(table, program));
  if (field === column.name && member === field) return undefined;
  return {
    field: field === column.name ? undefined : field,
    member: member === field ? undefined : member,
  };
}

/** Only the runtime, whose sessions are in UTC, writes to a cache: it keeps the documented CURRENT_TIMESTAMP. */
function buildDefault(
  value: string | number | boolean | undefined,
  type: ColumnType,
  isCache: boolean,
): ColumnDefault | undefined {
  if (value === undefined) return undefined;
  const { kind, zoned } = factsOf(type);
  const drawn = drawnBy(type, value);
  if (drawn !== undefined) return { kind: drawn };
  if (kind === "day" && value === "now") return { kind: "today_utc" };
  if (typeof value !== "string" || kind !== "moment") return { kind: "literal", value };
  if (value === "now") return { kind: zoned || isCache ? "now" : "now_utc" };
  if (zoned) return { kind: "literal", value: withOffset(value) };
  return hasOffset(value) ? { kind: "moment", value } : { kind: "literal", value };
}

function buildReference(column: ColumnSymbol, database: DatabaseSymbol): Reference | undefined {
  const references = column.node?.get.references;
  if (references === undefined) return undefined;
  const table = required(database.tables.get(references.value), `the table ${references.value}`);
  return {
    table: table.name,
    column: required(table.key[0], `the key of ${table.name}`).name,
    onDelete: column.node?.get.on_delete?.value ?? "restrict",
  };
}
