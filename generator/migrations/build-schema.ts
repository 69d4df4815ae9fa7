import { referenceActions } from "@meshwright/runtime/vocabulary";
import type { Column, Database, Mesh, Table } from "../model/mesh.js";
import { meshSchema, nameOnServer } from "../model/names.js";
import { withMeshSchema } from "../quote/sql.js";
import { emittedFrom } from "../rules/emitted.js";
import { checkSchemas } from "./checks.js";
import type { ColumnSchema, ConstraintSchema, DatabaseSchema, TableSchema } from "./database-schema.js";
import { timedSchemas } from "./row-moments.js";
import { rowLives } from "./row-sql.js";
import { softDeletionSchema } from "./soft-deletion.js";
import { distinctName, nameParts, objectName } from "./sql-names.js";
import { sqlDefault, sqlType } from "./sql-types.js";

export function databaseSchema(mesh: Mesh, database: Database): DatabaseSchema {
  const first = mesh.databases.filter((other) => isBefore(other, database));
  const taken = first.flatMap((other) => tableSchemas(mesh, other));
  return { tables: distinguishIndexes(tableSchemas(mesh, database), taken) };
}

/** In one PostgreSQL database, who keeps the plain name of an index: a service that comes to others renames nothing of theirs. */
function isBefore(other: Database, database: Database): boolean {
  if (other === database || nameOnServer(other) !== nameOnServer(database)) return false;
  return other.shared === undefined || (database.shared !== undefined && other.name < database.name);
}

function tableSchemas(mesh: Mesh, database: Database): readonly TableSchema[] {
  const consumers = mesh.services.find((service) => service.name === database.service)?.consumers ?? [];
  const cascades = consumers.flatMap((consumer) => consumer.cascades);
  const tables = database.tables.map((table) => {
    const columns = cascades.filter((cascade) => cascade.table === table.name).map(({ column }) => column);
    const schema = {
      ...tableSchema(table, new Set(columns)),
      checks: checkSchemas(table, mesh),
      timed: timedSchemas(table, mesh),
      softDeletion: softDeletionSchema(table, mesh),
    };
    return table.existing ? oursOf(schema, table, mesh) : schema;
  });
  return tables.map((table) => placed(table, meshSchema(database)));
}

/** What its SQL calls is where the mesh keeps its functions in this database. */
function placed(table: TableSchema, schema: string): TableSchema {
  return {
    ...table,
    columns: table.columns.map((column) => ({
      ...column,
      default: column.default && withMeshSchema(column.default, schema),
    })),
    softDeletion: table.softDeletion && {
      ...table.softDeletion,
      id: withMeshSchema(table.softDeletion.id, schema),
    },
    checks: table.checks.map((check) => ({
      ...check,
      condition: (column) => withMeshSchema(check.condition(column), schema),
    })),
  };
}

/** Of a table that exists only what the mesh adds to it. */
function oursOf(schema: TableSchema, table: Table, mesh: Mesh): TableSchema {
  const own = emittedFrom(table, mesh).find(({ emit }) => emit?.id === undefined);
  return {
    ...schema,
    columns: [],
    uniques: [],
    foreignKeys: [],
    indexes: schema.indexes.filter(({ reason }) => reason !== undefined),
    adopts: own && {
      entity: `${own.service}.${own.entity}`,
      sendsFirstVersion: table.backfill === "hooks",
      living: rowLives(table, "kept")[0],
    },
  };
}

/** Makes index names unique, also beside `others`: in PostgreSQL tables and indexes, those of keys and UNIQUE too, share one namespace. */
function distinguishIndexes(
  tables: readonly TableSchema[],
  others: readonly TableSchema[],
): readonly TableSchema[] {
  const taken = new Map<string, number>();
  const names = [...tables, ...others].flatMap((table): readonly { readonly name: string }[] =>
    table.existing === true ? table.indexes : [table, table.key, ...table.uniques, ...table.indexes],
  );
  for (const { name } of names) taken.set(name, (taken.get(name) ?? 0) + 1);
  return tables.map((table) => {
    const distinct = <T extends ConstraintSchema>(item: T, kind: string): T =>
      (taken.get(item.name) ?? 1) === 1
        ? item
        : { ...item, name: distinctName(...nameParts(table), ...item.columns, kind) };
    return {
      ...table,
      key: distinct(table.key, "pkey"),
      uniques: table.uniques.map((unique) => distinct(unique, "key")),
      indexes: table.indexes.map((index) => distinct(index, "idx")),
    };
  });
}

/** `cascaded`: columns by which a cascade rule finds its rows. */
function tableSchema(
  table: Table,
  cascaded: ReadonlySet<string>,
): Omit<TableSchema, "checks" | "timed" | "softDeletion"> {
  const named = (columns: readonly string[], kind: string) => ({
    name: objectName(...nameParts(table), ...columns, kind),
    columns,
  });
  const alone = table.columns.filter(({ name, unique }) => unique && name !== table.key.join());
  const uniques = [
    ...alone.map((column) => named([column.name], "key")),
    ...table.unique.map((columns) => named(columns, "key")),
  ];
  const indexes = table.indexes.map((columns) => ({ ...named(columns, "idx"), reason: undefined }));
  const leading = new Set([table.key[0], ...[...uniques, ...indexes].map(({ columns }) => columns[0])]);
  const implied = table.columns.filter(
    (column) => !leading.has(column.name) && isLookedUp(column, table, cascaded),
  );
  return {
    name: table.name,
    at: table.at,
    existing: table.existing,
    adopts: undefined,
    renamedFrom: table.renamedFrom,
    description: table.description,
    columns: table.columns.map(columnSchema),
    key: { name: objectName(table.name, "pkey"), columns: table.key },
    uniques,
    foreignKeys: table.columns.flatMap((column) => {
      if (column.references === undefined) return [];
      const { table: parent, column: target, onDelete } = column.references;
      return [
        { ...named([column.name], "fkey"), table: parent, target, onDelete: referenceActions[onDelete] },
      ];
    }),
    indexes: [
      ...indexes,
      ...implied.map((column) => ({
        ...named([column.name], "idx"),
        reason: cascaded.has(column.name)
          ? "a cascade finds its rows by this column"
          : "deleting what it references looks rows up by this column",
      })),
    ],
  };
}

/** Without an index each deletion of a parent would read the whole table. Of a table that exists, indexes for its own references are not ours to make. */
function isLookedUp(column: Column, table: Table, cascaded: ReadonlySet<string>): boolean {
  return (column.references !== undefined && table.existing !== true) || cascaded.has(column.name);
}

function columnSchema(column: Column): ColumnSchema {
  return {
    name: column.name,
    renamedFrom: column.renamedFrom,
    type: sqlType(column.type),
    nullable: column.nullable && !column.key,
    default: sqlDefault(column),
  };
}
