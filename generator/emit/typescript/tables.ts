import { meetsByDefault } from "../../model/meets-by-default.js";
import type { Column, Event, Table, View } from "../../model/mesh.js";
import { isDrawnByRuntime, mayBeLeftOut } from "../json-schema/body.js";
import { call, code, type Literal, propertyName } from "../print/layout.js";
import { constantStatement, genericType, typeStatement } from "./constant.js";
import { docs } from "./docs.js";
import { gatherImports, type Imports, RUNTIME } from "./imports.js";
import type { Interface, SourceText, Statement } from "./printer.js";
import { columnType } from "./types.js";
import { bodyValidators, COMPILED, rulesValidators } from "./validators.js";

export interface TableParts {
  /** The service's own. */
  readonly events: readonly Event[];
  readonly views: readonly View[];
  /** Names of the tables that REST may write. */
  readonly served: ReadonlySet<string>;
}

interface Scope extends TableParts {
  readonly imports: Imports;
}

/** tables.ts: row types, the definition of each table for the runtime, and its repository. */
export function tablesSource(tables: readonly Table[], parts: TableParts): SourceText {
  const names = [...tables, ...parts.views].flatMap((table) => [
    ...Object.values(table.names),
    repositoryName(table),
  ]);
  const scope: Scope = { ...parts, imports: gatherImports(...names) };
  const statements = tables.flatMap((table): Statement[] => [
    rowInterface(table, copyOf(table)),
    ...(table.cache === undefined ? [createType(table, scope.imports), patchType(table, scope.imports)] : []),
    tableConstant(table, scope),
    repositoryConstant(table, scope.imports, aboutRows(table)),
  ]);
  const views = parts.views.flatMap((view): Statement[] => [
    rowInterface(view, "A view, which is only read."),
    viewConstant(view, scope.imports),
    repositoryConstant(view, scope.imports, `Rows of the view \`${view.name}\`, to read.`),
  ]);
  return { imports: scope.imports, statements: [...statements, ...views] };
}

/** `usersRepository` */
function repositoryName(table: Table | View): string {
  return `${table.names.value}Repository`;
}

function copyOf({ cache }: Table): string {
  return cache === undefined ? "" : `A read-only copy, kept by \`${cache.entity}.*\` events.`;
}

function rowInterface(table: Table | View, about: string): Interface {
  return {
    name: table.names.row,
    docs: docs(`A row of \`${table.name}\`. ${about}`.trim(), table.description ?? ""),
    properties: table.columns.map((column) => ({
      name: propertyName(column.name),
      type: columnType(column),
      isReadonly: true,
      docs: docs(column.description ?? ""),
    })),
  };
}

function createType(table: Table, imports: Imports): string {
  const { row, create } = table.names;
  const optional = table.columns
    .filter((column) => mayBeLeftOut(column, table))
    .map(({ name }) => JSON.stringify(name));
  const parameters = [[row], ...(optional.length === 0 ? [] : [optional])];
  const lead = `export type ${create} = ;`.length;
  return typeStatement({
    name: create,
    intersection: [genericType(imports.type(RUNTIME, "NewRow"), parameters, lead)],
    docs: docs(`What creates a row of \`${table.name}\`; the database fills in what may be left out.`),
  });
}

function patchType(table: Table, imports: Imports): string {
  return typeStatement({
    name: table.names.patch,
    intersection: [
      genericType(
        imports.type(RUNTIME, "RowPatch"),
        [[table.names.row], table.key.map((name) => JSON.stringify(name))],
        `export type ${table.names.patch} = ;`.length,
      ),
    ],
    docs: docs(`What changes a row of \`${table.name}\`; its key stays.`),
  });
}

function tableConstant(table: Table, { events, served, imports }: Scope): string {
  const { row, create, patch, value } = table.names;
  const types = table.cache === undefined ? [row, create, patch] : [row];
  const key = table.key.length === 1 ? [] : [keyType(table, imports)];
  const rest = key.length === 0 || table.cache === undefined ? [] : ["object", "object"];
  const type = genericType(
    imports.type(RUNTIME, "TableDefinition"),
    [...types, ...rest, ...key].map((parameter) => [parameter]),
    `export const ${value}:  = {`.length,
  );
  const compiled = (names: Readonly<Record<string, string>>) =>
    Object.fromEntries(
      Object.entries(names).map(([key, name]) => [
        key,
        code(`${imports.all(`./${COMPILED}.js`, "compiled")}.${name}`),
      ]),
    );
  const bodies = bodyValidators(table);
  const rules = rulesValidators(table, events).map(({ writing, name }) => [writing, name]);
  const definition: Literal = {
    name: table.name,
    at: table.at === undefined ? undefined : { ...table.at },
    key: keyLiteral(table.key),
    cacheOf: table.cache?.entity,
    where: whereLiteral(table),
    softDelete: table.softDelete,
    entity: events.find(({ emit }) => emit?.table === table.name && emit.id === undefined)?.entity,
    columns: table.columns.map((column) => columnLiteral(column, table)),
    existing: table.existing && existingLiteral(table),
    validate: served.has(table.name)
      ? compiled({ create: bodies.create.name, patch: bodies.patch.name })
      : undefined,
    rules: rules.length === 0 ? undefined : compiled(Object.fromEntries(rules)),
  };
  return constantStatement({ name: value, type, value: definition });
}

/** Which row: `RowKey<OrderLineRow, "order_id" | "line_no">`. */
function keyType({ names, key }: Table | View, imports: Imports): string {
  const columns = key.map((name) => JSON.stringify(name)).join(" | ");
  return `${imports.type(RUNTIME, "RowKey")}<${names.row}, ${columns}>`;
}

function viewConstant(view: View, imports: Imports): string {
  const { row, value } = view.names;
  const key = view.key.length === 1 ? [] : ["object", "object", keyType(view, imports)];
  return constantStatement({
    name: value,
    type: genericType(
      imports.type(RUNTIME, "TableDefinition"),
      [row, ...key].map((parameter) => [parameter]),
      `export const ${value}:  = {`.length,
    ),
    value: {
      name: view.name,
      at: view.at === undefined ? undefined : { ...view.at },
      key: keyLiteral(view.key),
      view: true,
      columns: view.columns.map(({ name, type, wide, anyJson, nullable, shown, private: hidden }) => ({
        name,
        type,
        wide,
        anyJson,
        nullable: nullable ? true : undefined,
        shown,
        private: hidden,
      })),
    },
  });
}

function aboutRows({ name, cache }: Table): string {
  return cache === undefined
    ? `Rows of \`${name}\`: what is written here commits or rolls back with its events.`
    : `Rows of \`${name}\`, the copy of \`${cache.entity}\`: its events and snapshots keep it.`;
}

function repositoryConstant(table: Table | View, imports: Imports, about: string): string {
  return constantStatement({
    name: repositoryName(table),
    value: call(imports.value(RUNTIME, "repositoryOf"), code(table.names.value)),
    docs: docs(about),
  });
}

function whereLiteral(table: Table): Literal | undefined {
  const { where = [] } = table.cache ?? {};
  if (where.length === 0) return undefined;
  return where.map((condition) => ({
    column: condition.column,
    values: condition.isNull === undefined ? condition.values : undefined,
    isNull: condition.isNull,
    absent: meetsByDefault(condition, table) ? true : undefined,
  }));
}

/** What mesh.yaml says of a table that exists beside its columns: compared with the catalogue before a migration. */
function existingLiteral({ unique, columns }: Table): Literal {
  const references = columns.flatMap(({ name, references: to }) =>
    to === undefined ? [] : [{ column: name, table: to.table, target: to.column, onDelete: to.onDelete }],
  );
  return { unique: unique.map((set) => [...set]), references };
}

/** One name, or several. */
export function keyLiteral(names: readonly string[]): Literal {
  return names.length === 1 ? names.join() : names;
}

function columnLiteral(column: Column, table: Table): Literal {
  const flag = (holds: boolean) => (holds ? true : undefined);
  return {
    name: column.name,
    type: column.type,
    wide: column.wide,
    anyJson: column.anyJson,
    nullable: flag(column.nullable),
    defaulted: flag(
      column.default !== undefined || column.defaulted === true || isDrawnByRuntime(column, table),
    ),
    unique: flag(column.unique),
    local: column.local,
    shown: column.shown,
    field: column.filledBy?.field,
    member: column.filledBy?.member,
    private: column.private,
    oneOf: column.oneOf,
  };
}
