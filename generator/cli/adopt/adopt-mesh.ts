import { shownType } from "../../language/field-type.js";
import type { Mesh } from "../../model/mesh.js";
import { pascalCase, placeOnServer, singularName, tableNames } from "../../model/names.js";
import { type Naming, wireName } from "../../vocabulary/namings.js";
import type { AdoptableColumn, AdoptableTable } from "./adoptable-tables.js";
import { addEntries, addItems, hasValue, type Said } from "./mesh-document.js";
import { entityOf, openNames, snakeCase } from "./mesh-names.js";

/*
 * mesh.yaml with the tables of a database: a service, its database, a path for each table and three events of its rows.
 * Pure, from text to text.
 */

export interface AdoptInput {
  /** undefined: there is no mesh.yaml yet. */
  readonly text: string | undefined;
  /** What the text means; undefined as long as it says nothing. */
  readonly mesh: Mesh | undefined;
  readonly service: string;
  /** Name of the database that a new service gets. */
  readonly database: string;
  /** The database of another service that it lies in. */
  readonly shares?: string | undefined;
  readonly tables: readonly AdoptableTable[];
  /** The folder's name, for a mesh that is new. */
  readonly meshName: string;
}

export interface AdoptedTable {
  /** As mesh.yaml calls it. */
  readonly name: string;
  readonly place: string;
  readonly path: string;
  readonly events: readonly string[];
  /** Its column of soft deletion. */
  readonly softDelete: string | undefined;
}

export interface Adopted {
  readonly text: string;
  readonly database: string;
  /** Those that are new in the file. */
  readonly added: readonly AdoptedTable[];
}

interface NamedTable extends AdoptableTable {
  readonly name: string;
  readonly row: string;
  readonly entity: string;
}

const HEAD = (name: string) =>
  `# yaml-language-server: $schema=./generated/mesh.schema.json
mesh: ${name}
`;

/** Adds the tables that the file does not have; of what it has nothing changes. */
export function adoptInto(input: AdoptInput): Adopted {
  const { mesh, service } = input;
  const known = mesh?.services.find(({ name }) => name === service);
  const database = known?.database ?? input.database;
  const owned = mesh?.databases.find(({ name }) => name === database);
  const places = namesOfTables([], owned);
  const isThere = ({ schema, table }: AdoptableTable) => places.has(`${schema}\0${table}`);
  const tables = nameTables(
    input.tables
      .filter((table) => !isThere(table))
      // Of two with one name, that of public keeps it.
      .toSorted((a, b) => Number(b.schema === "public") - Number(a.schema === "public")),
    { mesh, service, database },
  );
  let text = input.text ?? HEAD(input.meshName);
  if (known === undefined) text = addService(text, { service, database, port: freePort(mesh), tables });
  else text = extendService(text, { service, tables, hasHttp: known.http !== undefined });
  const nameOf = namesOfTables(tables, owned);
  const isSaid = owned === undefined || hasValue(text, ["databases", database, "existing"], true);
  const said = Object.fromEntries(tables.map((table) => [table.name, sayTable(table, nameOf, isSaid)]));
  text = addEntries(
    text,
    owned === undefined ? ["databases"] : ["databases", database, "tables"],
    owned === undefined
      ? { [database]: { ...(input.shares && { shares: input.shares }), existing: true, tables: said } }
      : said,
  );
  const naming = known?.naming ?? mesh?.naming ?? "columns";
  const subjects = Object.assign(
    {},
    ...tables.map((table) => saySubjects(table, service, naming)),
  ) as Readonly<Record<string, Said>>;
  text = addEntries(text, ["subjects"], subjects);
  return {
    text,
    database,
    added: tables.map((table) => ({
      name: table.name,
      place: `${table.schema}.${table.table}`,
      path: pathOf(table),
      softDelete: table.softDelete,
      events: ACTIONS.map(({ action }) => `${service}.${table.entity}.${action}`),
    })),
  };
}

function nameTables(
  tables: readonly AdoptableTable[],
  {
    mesh,
    service,
    database,
  }: { readonly mesh: Mesh | undefined; readonly service: string; readonly database: string },
): readonly NamedTable[] {
  const owned = mesh?.databases.find(({ name }) => name === database)?.tables ?? [];
  const names = openNames(
    owned.flatMap(({ name }) => valueNameOf(name)),
    valueNameOf,
  );
  const types = [
    ...(mesh?.events ?? []).map(({ name }) => name),
    ...owned.flatMap((table) => Object.values(table.names)),
  ];
  const rows = openNames(types, typesOf);
  const entities = openNames(
    (mesh?.events ?? []).filter((event) => event.service === service).map(({ entity }) => entity),
  );
  return tables.map((table) => {
    const plain = snakeCase(table.table, "table").replace(/^pg_/, "t_").slice(0, 44);
    const name = names.give(plain, `${snakeCase(table.schema, "schema")}_${plain}`.slice(0, 46));
    const row = rows.give(
      singularName(name),
      pascalCase(name),
      `${pascalCase(service)}${singularName(name)}`,
    );
    return { ...table, name, row, entity: entities.give(entityOf(row)) };
  });
}

function valueNameOf(table: string): readonly string[] {
  return [tableNames(table).value];
}

/** Of a row and of the events about it. */
function typesOf(row: string): readonly string[] {
  const { value: _, ...types } = tableNames("", row);
  return [...Object.values(types), ...ACTIONS.map(({ action }) => `${row}${pascalCase(action)}`)];
}

/** By place. */
function namesOfTables(tables: readonly NamedTable[], owned: Mesh["databases"][number] | undefined) {
  return new Map([
    ...(owned?.tables ?? []).map((each) => {
      const { schema, table } = placeOnServer(each);
      return [`${schema}\0${table}`, each.name] as const;
    }),
    ...tables.map((table) => [`${table.schema}\0${table.table}`, table.name] as const),
  ]);
}

function freePort(mesh: Mesh | undefined): number {
  return Math.max(8080, ...(mesh?.services ?? []).map(({ http }) => http?.port ?? 0)) + 1;
}

function pathOf({ name }: NamedTable): string {
  return `/api/${name.replaceAll("_", "-")}`;
}

function resourcesOf(tables: readonly NamedTable[]): Readonly<Record<string, Said>> {
  return Object.fromEntries(tables.map((table) => [pathOf(table), table.name]));
}

function addService(
  text: string,
  {
    service,
    database,
    port,
    tables,
  }: {
    readonly service: string;
    readonly database: string;
    readonly port: number;
    readonly tables: readonly NamedTable[];
  },
): string {
  const http = { port, resources: resourcesOf(tables) };
  return addEntries(text, ["services"], { [service]: { database, publishes: [`${service}.*`], http } });
}

function extendService(
  text: string,
  {
    service,
    tables,
    hasHttp,
  }: { readonly service: string; readonly tables: readonly NamedTable[]; readonly hasHttp: boolean },
): string {
  const at = ["services", service];
  // Without a port of its own there is no REST, and so no snapshot: that is for its author to say.
  const served = hasHttp ? addEntries(text, [...at, "http", "resources"], resourcesOf(tables)) : text;
  const whole = new RegExp(`["'\\s[,-]${service}\\.\\*["'\\s\\],]`);
  if (whole.test(served)) return served;
  return addItems(
    served,
    [...at, "publishes"],
    tables.map(({ entity }) => `${service}.${entity}.*`),
  );
}

function sayTable(table: NamedTable, nameOf: ReadonlyMap<string, string>, isSaid: boolean): Said {
  return {
    ...(table.comment === null ? {} : { description: table.comment }),
    ...(table.schema === "public" ? {} : { schema: table.schema }),
    ...(isSaid ? {} : { existing: true }),
    ...(table.table === table.name ? {} : { table: table.table }),
    ...(table.softDelete === undefined ? {} : { soft_delete: table.softDelete }),
    ...(table.row === singularName(table.name) ? {} : { row: table.row }),
    ...(table.key.length === 1 ? {} : { key: table.key }),
    ...(table.unique.length === 0 ? {} : { unique: table.unique }),
    ...(table.indexes.length === 0 ? {} : { indexes: table.indexes }),
    columns: Object.fromEntries(
      table.columns.map((column) => [column.name, sayColumn(column, table, nameOf)]),
    ),
  };
}

function sayColumn(column: AdoptableColumn, { key }: NamedTable, nameOf: ReadonlyMap<string, string>): Said {
  const { name, type, nullable, defaulted, unique, private: isPrivate, references, oneOf, comment } = column;
  const target = references && nameOf.get(`${references.schema}\0${references.table}`);
  const said = {
    ...(name === key.join() ? { key: true } : {}),
    ...(nullable ? { null: true } : {}),
    ...(defaulted ? { defaulted: true } : {}),
    ...(unique ? { unique: true } : {}),
    ...(isPrivate ? { private: true } : {}),
    ...(oneOf === undefined ? {} : { one_of: oneOf }),
    ...(references === undefined || target === undefined
      ? {}
      : {
          references: target,
          ...(references.onDelete === "restrict" ? {} : { on_delete: references.onDelete }),
        }),
    ...(comment === null ? {} : { description: comment }),
  };
  const keys = Object.keys(said);
  if (keys.length === 0) return type;
  return keys.length === 1 && nullable ? `${type}?` : { type, ...said };
}

const ACTIONS = [
  { action: "created", on: "insert" },
  { action: "updated", on: "update" },
  { action: "deleted", on: "delete" },
] as const;

/** Every event has it beside its payload. */
const METADATA = "metadata";

function saySubjects(
  { name, row, entity, key, softDelete, columns }: NamedTable,
  service: string,
  naming: Naming,
): Readonly<Record<string, Said>> {
  const isField = (text: string) => /^[A-Za-z][A-Za-z0-9_]*$/.test(text) && text !== METADATA;
  const shown = columns.filter((column) => !column.private && column.name !== softDelete);
  const fields = openNames([
    METADATA,
    ...shown.map((column) => wireName(column.name, naming)).filter(isField),
  ]);
  const said = shown.map((column): readonly [column: string, field: string, said: Said] => {
    const called = wireName(column.name, naming);
    if (isField(called)) return [column.name, called, fieldOf(column)];
    const plain = snakeCase(column.name, "column");
    const field = fields.give(wireName(plain === METADATA ? `${entity}_${plain}` : plain, naming));
    return [column.name, field, { from: column.name }];
  });
  const payload = (all: boolean) =>
    Object.fromEntries(
      said.filter(([column]) => all || key.includes(column)).map(([, field, value]) => [field, value]),
    );
  return Object.fromEntries(
    ACTIONS.map(({ action, on }) => [
      `${service}.${entity}.{id}.${action}`,
      { event: `${row}${pascalCase(action)}`, emit: { table: name, on }, payload: payload(on !== "delete") },
    ]),
  );
}

function fieldOf({ type, nullable }: AdoptableColumn): string {
  const shown = shownType(type);
  return `${shown.type}${shown.isList ? "[]" : ""}${nullable ? "?" : ""}`;
}
