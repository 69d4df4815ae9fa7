import { type ColumnType, columnTypeNames } from "@meshwright/runtime/column-types";
import { syncDefaults } from "@meshwright/runtime/defaults";
import { referenceActionNames } from "@meshwright/runtime/vocabulary";
import type { NodeOf } from "../node.js";
import { choice, dictionary, either, flag, key, list, mapping, requiredKey, scalar } from "../shape.js";
import {
  checkName,
  columnName,
  databaseName,
  duration,
  entity,
  existingTableName,
  fieldName,
  headerName,
  printDuration,
  resourcePath,
  rowName,
  schemaName,
  serviceName,
  sqlFolder,
  tableName,
  text,
} from "../words.js";
import { columnType, typeOptions } from "./column-type-grammar.js";
import { conditionShape } from "./condition-grammar.js";
import { viewShape } from "./view-grammar.js";

const columnMapping = mapping("a column", {
  type: requiredKey(
    'Its type; within braces one with a comma or brackets stands in quotes: `"numeric(12,2)"`, `"text[]"`.',
    columnType,
  ),
  key: key(
    "Identifies the row; its value is the entity id of the table's events. Several columns that do so together stand under `key` of the table.",
    flag,
    false,
  ),
  unique: key("No two rows share a value.", flag, false),
  null: key("May be null.", flag, false),
  default: key(
    "Value of a row that names none; `now` for a timestamp, timestamptz or date; `uuid` or `nanoid` draws a key of that type, for plain SQL too.",
    scalar,
  ),
  identity: key(
    "The database counts this key of whole numbers: a row that names none has the next. One that a writer gives itself does not move the count.",
    flag,
    false,
  ),
  defaulted: key(
    "Of a table that exists: the database has a value for a row that names none, whatever it is (a default, SERIAL, an identity).",
    flag,
    false,
  ),
  references: key("A table of the same database whose key this column holds.", tableName),
  on_delete: key(
    "What happens to this row when the referenced one goes; not `restrict` where that is a copy, or goes by a cascade.",
    choice("action for a reference", referenceActionNames),
    "restrict",
  ),
  one_of: key(
    "The only values that it may hold: texts, whole numbers, or decimals with all digits of their scale.",
    list(scalar, 1),
  ),
  check: key("SQL condition on the column that every row keeps: `quantity > 0`.", text),
  private: key(
    "Only the service itself reads it, by its repository and SQL: no event, REST answer, filter, snapshot or copy shows it. REST may write it.",
    flag,
    false,
  ),
  local: key(
    "Of a copy: only hooks of the service fill it. Events and snapshots leave it as it is, and `mesh verify` does not compare it. A row that is made anew has its default, or null.",
    flag,
    false,
  ),
  from: key(
    "Of a copy: the field of its events that fills it, where that has another name. A snapshot fills it from the owner's column behind the field.",
    fieldName,
  ),
  description: key("What it means.", text),
  renamed_from: key("Its former name: the migration renames it and keeps the data.", columnName),
});

const columnShape = either(
  choice<ColumnType>("column type", columnTypeNames, { ...typeOptions, suffixes: ["?"] }),
  columnMapping,
);

const schemaKey = key(
  "The PostgreSQL schema that it is in. By default `public` for what exists, and where the migrating role makes tables for the rest.",
  schemaName,
);

const tableShape = mapping("a table", {
  description: key("What a row is.", text),
  schema: schemaKey,
  existing: key(
    "It is there already: migrations leave it as it is, add triggers that write its events, and refuse where its columns, keys or references differ from what this file says. By default as its database says, and never of a copy that does not say it itself.",
    flag,
  ),
  table: key(
    "Of a table that exists: its name in PostgreSQL, where that is not the name it has in this file.",
    existingTableName,
  ),
  backfill: key(
    "Of a table that exists: `hooks` calls the creation hooks of subscribers for the rows that were there before, for all of them. By default for none.",
    choice("way to tell of earlier rows", ["hooks"]),
  ),
  soft_delete: key(
    "Column by which a row is deleted without going: a timestamp or timestamptz that is null, or a boolean that is false, while the row lives. To the mesh a row whose column is set does not exist: setting it is the deletion, with its event, and clearing it a creation. REST, repositories and cascades delete so too.",
    columnName,
  ),
  row: key(
    "What one row is called in TypeScript: `Person` makes `PersonRow`, `NewPerson` and `PersonPatch`. By default the table's name in the singular.",
    rowName,
  ),
  columns: requiredKey(
    "Columns by name, in the order of the table: a type (`text`, `text?` may be null) or a mapping.",
    dictionary(columnName, columnShape),
  ),
  key: key(
    "The columns that identify a row together, where it takes several. Their values in this order make the entity id: `42:7`, with `%3A` and `%25` for `:` and `%` within one.",
    list(columnName, 1, "a list of two columns or more"),
  ),
  unique: key(
    "Sets of columns whose values together are unique; of at most 32 columns.",
    list(list(columnName, 1)),
  ),
  checks: key(
    "SQL conditions over several columns that every row keeps, by name: `dates_in_order: starts_on <= ends_on`.",
    dictionary(checkName, text),
  ),
  indexes: key("Sets of columns to find rows by.", list(list(columnName, 1))),
  cache: key("Makes it a read-only copy of another service's entity, kept by its events.", entity),
  where: key(
    "Makes the copy partial: it has the rows of which these columns of its own hold these values (a value, one of a list, or `{ null: true }` and `{ null: false }`). A row that comes to hold them enters; one that no longer does is removed from the copy, and nothing that names it changes.",
    conditionShape,
  ),
  sync: key(
    "Where the copy is filled from at start-up and checked against later.",
    mapping("a sync", {
      from: requiredKey("The service that owns the entity.", serviceName),
      get: requiredKey("The path that gives all rows as a JSON array.", resourcePath),
      header: key(
        "Header that carries the service key; `authorization` sends `Bearer <key>`.",
        headerName,
        syncDefaults.header,
      ),
      every: key(
        "How often the copy is checked against its source; 0 turns it off.",
        duration,
        printDuration(syncDefaults.everySeconds),
      ),
    }),
  ),
  renamed_from: key("Its former name: the migration renames it and keeps the data.", tableName),
});

export const databaseShape = mapping("a database", {
  description: key("What it holds.", text),
  schema: key("The PostgreSQL schema of its tables, where a table does not say another.", schemaName),
  existing: key("Its tables are there already, copies aside: see `existing` of a table.", flag, false),
  shares: key(
    "It lies in the PostgreSQL database of that one: other tables, of another service, which has a role and migrations of its own and sees none of the others' rows.",
    databaseName,
  ),
  sql: key(
    "A folder of SQL of your own, for what this file has no word for: views, functions, checks, rows to begin with. Its files are called `0001_views.sql`, `0002_…`; each is applied once, behind the generated migrations, or ahead of the one that a first line `-- before: 0003_….sql` names.",
    sqlFolder,
  ),
  tables: key("Tables by name.", dictionary(tableName, tableShape)),
  views: key(
    "Views by name, which exist or which a file of `sql` makes: read by REST and by the service, written by nobody, without events. So a read model joins several copies; their healing is its own.",
    dictionary(tableName, viewShape),
  ),
});

export type ColumnNode = NodeOf<typeof columnShape>;
export type TableNode = NodeOf<typeof tableShape>;
