import { escapeIdentifier } from "pg";
import type { TableDefinition } from "../definition/table-definition.js";

/** A table as statements name it: quoted, and with its schema where mesh.yaml says one. */
export function relationOf({ name, at }: Pick<TableDefinition, "name" | "at">): string {
  return at === undefined
    ? escapeIdentifier(name)
    : `${escapeIdentifier(at.schema)}.${escapeIdentifier(at.table)}`;
}

/** The table's name as PostgreSQL's errors tell it. */
export function relationName({ name, at }: Pick<TableDefinition, "name" | "at">): string {
  return at?.table ?? name;
}
