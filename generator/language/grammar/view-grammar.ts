import { type ColumnType, columnTypeNames } from "@meshwright/runtime/column-types";
import type { NodeOf } from "../node.js";
import { choice, dictionary, either, flag, key, list, mapping, requiredKey } from "../shape.js";
import { columnName, existingTableName, rowName, schemaName, text } from "../words.js";
import { columnType, typeOptions } from "./column-type-grammar.js";

const viewColumnShape = either(
  choice<ColumnType>("column type", columnTypeNames, { ...typeOptions, suffixes: ["?"] }),
  mapping("a column of a view", {
    type: requiredKey(
      'Its type; within braces one with a comma or brackets stands in quotes: `"numeric(12,2)"`. A bigint is a decimal string on the wire.',
      columnType,
    ),
    key: key(
      "Identifies the row. PostgreSQL does not know it of a view: the query has to see to it. Several columns that do so together stand under `key` of the view.",
      flag,
      false,
    ),
    null: key("May be null; of a view PostgreSQL does not know that either.", flag, false),
    private: key("Only the service itself reads it: no REST answer and no filter shows it.", flag, false),
    description: key("What it means.", text),
  }),
);

/** Only read: what a table may say of values, copies and events has no place here. */
export const viewShape = mapping("a view", {
  description: key("What a row is.", text),
  schema: key(
    "The PostgreSQL schema that it is in, by default that of the database's tables: `public` where those exist, else where the migrating role makes tables.",
    schemaName,
  ),
  view: key("Its name in PostgreSQL, where that is not the name it has in this file.", existingTableName),
  row: key(
    "What one row is called in TypeScript: `OrderLine` makes `OrderLineRow`. By default the view's name in the singular.",
    rowName,
  ),
  key: key(
    "The columns that identify a row together, where it takes several: as of a table.",
    list(columnName, 1, "a list of two columns or more"),
  ),
  columns: requiredKey(
    "Columns by name: a type (`text`, `text?` may be null) or a mapping. One that is not named is in no answer.",
    dictionary(columnName, viewColumnShape),
  ),
});

export type ViewColumnNode = NodeOf<typeof viewColumnShape>;
export type ViewNode = NodeOf<typeof viewShape>;
