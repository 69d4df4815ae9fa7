import { columnTypes } from "@meshwright/runtime/column-types";
import { type StatementStructures, StructureKind } from "ts-morph";
import type { Column, Event, Table } from "../../model/mesh.js";
import { mayBeLeftOut } from "../json-schema/body.js";
import { code, type Literal } from "../print/layout.js";
import { constantStatement } from "./constant.js";
import { docs } from "./docs.js";
import { gatherImports, type Imports, RUNTIME } from "./imports.js";
import type { SourceText, Statement } from "./printer.js";
import { columnType, propertyName } from "./types.js";
import { rulesValidators } from "./validators.js";

/** tables.ts: rows as types, and each table as the runtime is told of it. */
export function tablesSource(tables: readonly Table[], events: readonly Event[]): SourceText {
  const imports = gatherImports(...tables.flatMap(({ names }) => Object.values(names)));
  const statements = tables.flatMap((table): Statement[] => [
    rowInterface(table),
    ...(table.cache === undefined ? [createInterface(table), patchType(table)] : []),
    tableConstant(table, events, imports),
  ]);
  return { imports, statements };
}

function rowInterface(table: Table): StatementStructures {
  const copy =
    table.cache === undefined ? "" : ` A read-only copy, kept by \`${table.cache.entity}.*\` events.`;
  return {
    kind: StructureKind.Interface,
    name: table.names.row,
    isExported: true,
    docs: docs(`A row of \`${table.name}\`.${copy}`, table.description ?? ""),
    properties: table.columns.map((column) => ({
      name: propertyName(column.name),
      type: columnType(column),
      isReadonly: true,
      docs: docs(column.description ?? ""),
    })),
  };
}

function createInterface(table: Table): StatementStructures {
  return {
    kind: StructureKind.Interface,
    name: table.names.create,
    isExported: true,
    docs: docs(`What creates a row of \`${table.name}\`; the database fills in what may be left out.`),
    properties: table.columns.map((column) => ({
      name: propertyName(column.name),
      type: columnType(column),
      isReadonly: true,
      hasQuestionToken: mayBeLeftOut(column),
    })),
  };
}

function patchType(table: Table): StatementStructures {
  return {
    kind: StructureKind.TypeAlias,
    name: table.names.patch,
    isExported: true,
    docs: docs(`What changes a row of \`${table.name}\`; its key stays.`),
    type: `Partial<Omit<${table.names.create}, ${JSON.stringify(table.key)}>>`,
  };
}

function tableConstant(table: Table, events: readonly Event[], imports: Imports): string {
  const { row, create, patch, value } = table.names;
  const types = table.cache === undefined ? [row, create, patch] : [row];
  const type = `${imports.type(RUNTIME, "TableDefinition")}<${types.join(", ")}>`;
  const definition: Literal = {
    name: table.name,
    at: table.at === undefined ? undefined : { ...table.at },
    key: table.key,
    cacheOf: table.cache?.entity,
    entity: events.find(({ emit }) => emit?.table === table.name && emit.id === undefined)?.entity,
    columns: table.columns.map(columnLiteral),
    existing: table.existing && existingLiteral(table),
    rules: rulesLiteral(table, events, imports),
  };
  return constantStatement({ name: value, type, value: definition });
}

function rulesLiteral(table: Table, events: readonly Event[], imports: Imports): Literal | undefined {
  const rules = rulesValidators(table, events);
  if (rules.length === 0) return undefined;
  return Object.fromEntries(
    rules.map(({ writing, name }) => [writing, code(imports.value("./validators.js", name))]),
  );
}

/** What mesh.yaml says of a table that exists beside its columns: compared with the catalogue before a migration. */
function existingLiteral({ unique, columns }: Table): Literal {
  const references = columns.flatMap(({ name, references: to }) =>
    to === undefined ? [] : [{ column: name, table: to.table, target: to.column, onDelete: to.onDelete }],
  );
  return { unique: unique.map((set) => [...set]), references };
}

function columnLiteral(column: Column): Literal {
  const flag = (holds: boolean) => (holds ? true : undefined);
  return {
    name: column.name,
    type: column.type,
    wide: column.wide,
    nullable: flag(column.nullable),
    defaulted: flag(
      column.default !== undefined ||
        column.defaulted === true ||
        (column.key && columnTypes[column.type].drawn === true),
    ),
    unique: flag(column.unique),
    local: column.local,
    oneOf: column.oneOf,
  };
}
