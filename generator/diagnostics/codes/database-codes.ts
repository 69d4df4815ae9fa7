import { type ColumnType, factsOf } from "@meshwright/runtime/column-types";
import { error, misread, missingName, warning } from "../definition.js";
import { type Known, namesOf } from "../known.js";

/** Tables and their columns. */
export const databaseCodes = {
  "unknown-table": missingName(
    (p: { table: string; database: string; known: Known }) => `"${p.database}" has no table "${p.table}"`,
    (p) => (p.known.size === 0 ? "it has no tables" : `its tables are ${namesOf(p.known)}`),
  ),
  "foreign-table": error(
    (p: { table: string; owner: string; service: string }) =>
      `the table "${p.table}" belongs to "${p.owner}", not to "${p.service}"`,
    (p) => `"${p.service}" sees rows of "${p.owner}" through a cache of its events`,
  ),
  "table-of-two-databases": error(
    (p: { place: string; table: string; database: string; first: string }) =>
      `"${p.table}" of "${p.database}" is the table ${p.place} of "${p.first}": both lie in one PostgreSQL database`,
  ),
  "unknown-column": missingName(
    (p: { table: string; column: string; known: Known }) => `"${p.table}" has no column "${p.column}"`,
    (p) => `its columns are ${namesOf(p.known)}`,
  ),
  "only-of-existing": error(
    (p: { key: string; table: string }) =>
      `"${p.key}" speaks of a table that exists, and migrations make "${p.table}"`,
    (p) => `remove "${p.key}", or say "existing: true"`,
  ),
  "not-of-existing": error(
    (p: { key: string; table: string }) =>
      `"${p.key}" would change "${p.table}", which exists and stays as it is`,
    (p) =>
      p.key === "default" || p.key === "identity"
        ? 'say "defaulted: true" where the database has a value for rows that name none'
        : `remove "${p.key}"; what has changed in the database is written here as it is now`,
  ),
  "not-of-view": error(
    (p: { view: string }) =>
      `"${p.view}" is a view, which is only read: nothing writes it or refers to it, and no event tells of its rows`,
    () => "name the table whose rows are meant",
  ),
  "backfill-of-copy": error(
    (p: { table: string; entity: string }) =>
      `"${p.table}" is a copy: its owner says of "${p.entity}" for which rows creation hooks run`,
    () => 'remove "backfill"',
  ),
  "backfill-without-event": error(
    (p: { table: string; event: string; field: string; by: string; column: string }) =>
      `no row of "${p.table}" can make "${p.event}" for the hooks: "${p.field}" must be there, and shows "${p.column}" of the row that "${p.by}" references`,
    () => 'make the field optional (type: …?), or remove "backfill"',
  ),
  "soft-delete-of-copy": error(
    (p: { table: string; entity: string }) =>
      `"${p.table}" is a copy: its rows go when "${p.entity}" is deleted, softly or not`,
    () => 'remove "soft_delete"; it stands where the owner has the table',
  ),
  "invalid-soft-delete": error(
    (p: { column: string; reason: string }) => `"${p.column}" cannot say that a row is deleted: ${p.reason}`,
    () =>
      'name a "timestamp" or "timestamptz" with "null: true" and no default, or a "boolean" with "default: false"',
  ),
  "column-name": misread(
    (p: { column: string }) => `"${p.column}" is not a name that a migration gives a column`,
    () => "use lower-case letters, digits and _; other names are for tables that exist",
  ),
  "repeated-column": error((p: { column: string }) => `"${p.column}" stands twice in this list`),
  "repeated-set": error(
    (p: { columns: readonly string[] }) => `there is one over ${p.columns.join(", ")} already`,
    () => "remove one of them",
  ),
  "missing-table-key": error(
    () => "none of these columns is the key of the table",
    () =>
      'mark the column that identifies a row with "key: true"; several that do so together stand at the table: "key: [a, b]"',
  ),
  "second-table-key": error(
    (p: { table: string; column: string }) => `"${p.table}" already has the key "${p.column}"`,
    () => "let one of them be the key",
  ),
  "key-of-one-column": error(
    (p: { column: string }) => `"key" of a table lists several columns, and here it is "${p.column}" alone`,
    () => 'mark the column itself: "key: true"',
  ),
  "unique-part-of-key": error(
    (p: { column: string }) => `"${p.column}" is unique, so it identifies a row by itself`,
    () => 'remove "unique", or make it the key alone: "key: true"',
  ),
  "invalid-key": error(
    (p: { column: string; reason: string }) => `"${p.column}" cannot be a key: ${p.reason}`,
    () => "a key is a nanoid, text, varchar, char, uuid, smallint, integer or bigint that is never null",
  ),
  "made-key": error(
    (p: { column: string; reason: string }) =>
      `the database cannot make values of "${p.column}": ${p.reason}`,
    () =>
      '"identity: true" counts a smallint, integer or bigint that is the key; "default: uuid" and "default: nanoid" draw a key of that type',
  ),
  "invalid-check": error(
    (p: { condition: string; reason: string }) => `"${p.condition}" is no condition on a row: ${p.reason}`,
    () => 'write what stands between the brackets of CHECK (…): "quantity > 0"',
  ),
  "check-of-several": error(
    (p: { column: string; other: string }) => `the condition of "${p.column}" is about "${p.other}" too`,
    () => 'a condition over several columns stands under "checks" of the table, with a name',
  ),
  "check-on-copy": error(
    (p: { table: string }) => `"${p.table}" is a copy: it takes what its owner sent`,
    () => "say the condition where the owner has the column",
  ),
  "private-key": error(
    (p: { column: string }) => `"${p.column}" is the key, which every event and answer names its row by`,
    () => 'remove "private", or let another column be the key',
  ),
  "private-in-event": error(
    (p: { column: string }) => `"${p.column}" is private, and whoever subscribes would read it`,
    (p) => `remove "${p.column}" here, or "private" from the column`,
  ),
  "soft-delete-in-event": error(
    (p: { column: string; living: string }) =>
      `"${p.column}" says that a row is deleted, and every event shows a row that lives: it would always be ${p.living}`,
    (p) => `remove "${p.column}" here; the deletion has an event of its own ("on: delete")`,
  ),
  "invalid-default": error(
    (p: { value: string; type: ColumnType }) => `"${p.value}" is not a default for ${p.type}`,
    (p) => factsOf(p.type).written,
  ),
  "default-now-as-text": warning(
    (p: { column: string }) => `the default of "${p.column}" is the text "now", not the time`,
    () => 'the time of the insertion is the default "now" of a "timestamp"',
  ),
  "default-once": warning(
    (p: { column: string; value: string; isKey: boolean }) =>
      `only one row can have the default "${p.value}": "${p.column}" is ${p.isKey ? "the key" : "unique"}`,
    () => 'remove "default", so that each row has to say its own',
  ),
  "repeated-value": error((p: { value: string }) => `"${p.value}" stands twice in this list`),
  "default-not-allowed": error(
    (p: { value: string; values: readonly string[] }) => `the default "${p.value}" is not in "one_of"`,
    (p) => `use one of ${p.values.join(", ")}`,
  ),
  "one-of-type": error(
    (p: { column: string; type: string }) =>
      `"one_of" lists texts, whole numbers or decimals, but "${p.column}" is ${p.type}`,
    () => 'remove "one_of", or make it a text column',
  ),
  "invalid-one-of": error(
    (p: { value: string; type: ColumnType }) => `"${p.value}" is not a value of ${p.type}`,
    (p) => listedHint(p.type),
  ),
  "reference-type": error(
    (p: { column: string; type: string; table: string; key: string; keyType: string }) =>
      `"${p.column}" is ${p.type} and cannot hold "${p.table}.${p.key}", which is ${p.keyType}`,
  ),
  "reference-to-other-service": error(
    (p: { table: string; owner: string }) =>
      `"${p.table}" belongs to "${p.owner}": no reference leads to a table of another service, in a shared database neither`,
    () =>
      'leave "references" out: a foreign key that is there stays, and what it deletes has its events; else a cascade rule on the deletion of its entity takes the rows along',
  ),
  "reference-to-composite-key": error(
    (p: { column: string; table: string; key: string }) =>
      `"${p.column}" cannot hold the key of "${p.table}", which has several columns: ${p.key}`,
    () => 'remove "references"; a text column can hold the id of such a row, "42:7"',
  ),
  "on-delete-without-reference": error(
    (p: { column: string }) => `"on_delete" says what happens to a reference, but "${p.column}" has none`,
    () => 'add "references: <table>"',
  ),
  "deletion-restricted": error(
    (p: { table: string; column: string; parent: string; event: string }) =>
      `"${p.table}.${p.column}" keeps rows of "${p.parent}" from being deleted, so "${p.event}" could not be applied`,
    () => 'say "on_delete: cascade", or "on_delete: set_null" where the column may be null',
  ),
  "set-null-on-not-null": error(
    (p: { column: string }) => `"${p.column}" cannot be set to null`,
    (p) => `add "null: true" to "${p.column}", or delete the row`,
  ),
};

/** A decimal is told apart by its text, so it is written as a row shows it. */
function listedHint(type: ColumnType): string {
  const { kind, scale, precision, written } = factsOf(type);
  if (kind !== "decimal") return written;
  if (scale === undefined || precision === undefined)
    return 'give the column limits, so that equal numbers have one text: "numeric(12,2)"';
  return `write it in quotes with all digits behind the point: "${(0).toFixed(Math.min(scale, 20))}"`;
}
