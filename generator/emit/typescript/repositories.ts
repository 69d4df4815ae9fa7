import { type StatementStructures, StructureKind } from "ts-morph";
import type { Table } from "../../model/mesh.js";
import { docs } from "./docs.js";
import { gatherImports, type Imports, RUNTIME } from "./imports.js";
import type { SourceText } from "./printer.js";

/** repositories.ts: typed access to each table; a cache table is for reading only. */
export function repositoriesSource(tables: readonly Table[]): SourceText {
  const imports = gatherImports("db", ...tables.map(repositoryName));
  return { imports, statements: tables.map((table) => repositoryFunction(table, imports)) };
}

/** `usersRepository` */
function repositoryName(table: Table): string {
  return `${table.names.value}Repository`;
}

function repositoryFunction(table: Table, imports: Imports): StatementStructures {
  const { row, create, patch, value } = table.names;
  const type = (name: string) => imports.type("./tables.js", name);
  const returnType =
    table.cache === undefined
      ? `${imports.type(RUNTIME, "Repository")}<${type(row)}, ${type(create)}, ${type(patch)}>`
      : `${imports.type(RUNTIME, "ReadRepository")}<${type(row)}>`;
  return {
    kind: StructureKind.Function,
    name: repositoryName(table),
    isExported: true,
    docs: docs(
      table.cache === undefined
        ? `Rows of \`${table.name}\`: what is written here commits or rolls back with its events.`
        : `Rows of \`${table.name}\`, the copy of \`${table.cache.entity}\`: only its events write to it.`,
    ),
    parameters: [{ name: "db", type: imports.type(RUNTIME, "Tx") }],
    returnType,
    statements: [
      `return ${imports.value(RUNTIME, "tableRepository")}(db, ${imports.value("./tables.js", value)});`,
    ],
  };
}
