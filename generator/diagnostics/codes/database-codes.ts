import { type ColumnType, factsOf } from "@meshwright/runtime/column-types";
import { error, misnamed, misread, missingName, warning } from "../definition.js";
import { type Known, namesOf } from "../known.js";

/** Tables, their columns, and caches of other services' entities. */
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
    () => "a key is a nanoid, text, varchar, uuid, smallint, integer or bigint that is never null",
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
  "unknown-entity": missingName(
    (p: { entity: string }) => `no subject speaks of "${p.entity}"`,
    () => 'an entity is service.entity, as in the subject "auth.user.{id}.created"',
  ),
  "cache-of-own-entity": error(
    (p: { service: string; entity: string }) => `"${p.service}" owns "${p.entity}" and needs no cache of it`,
  ),
  "cache-without-subscription": error(
    (p: { service: string; entity: string; part: string | undefined }) =>
      p.part === undefined
        ? `"${p.service}" does not subscribe to "${p.entity}.*", so nothing would fill this cache`
        : `"${p.service}" hears "${p.part}" alone, which does not keep a cache`,
    (p) =>
      p.part === undefined
        ? `add "${p.entity}.*" to "subscribes" of "${p.service}"`
        : `write "${p.entity}.*" in place of "${p.part}"`,
  ),
  "duplicate-cache": error(
    (p: { entity: string; table: string }) => `"${p.table}" is already the cache of "${p.entity}"`,
  ),
  "cache-column-not-carried": error(
    (p: { column: string; event: string; isPrivate: boolean }) =>
      `"${p.event}" carries no "${p.column}", so a new row of this cache would lack it`,
    (p) =>
      p.isPrivate
        ? "leave the column out: it is private to its owner"
        : 'add the field to the event\'s payload, or give the column a default or "null: true"',
  ),
  "cache-column-type": error(
    (p: { column: string; type: string; event: string; field: string; owned: string | undefined }) =>
      `"${p.column}" is ${p.type}, but "${p.event}" carries ${p.field}`,
    (p) =>
      p.owned === undefined
        ? `give "${p.column}" a type that holds it; where the field may be absent, with "null: true"`
        : `declare it as its owner does: ${p.owned}`,
  ),
  "from-outside-copy": error(
    (p: { column: string; table: string }) =>
      `"${p.table}" is no copy: no event fills "${p.column}", writers do`,
    () => 'remove "from"',
  ),
  "unknown-field": misnamed(
    (p: { entity: string; field: string; known: Known }) =>
      `no event of "${p.entity}" has a field "${p.field}"`,
    (p) => `its fields: ${namesOf(p.known)}`,
  ),
  "field-not-in-snapshot": error(
    (p: { column: string; field: string; event: string; shows: string }) =>
      `"${p.field}" of "${p.event}" is ${p.shows}, which no snapshot has: it cannot fill "${p.column}" of this copy`,
    (p) =>
      `fill it from a field that shows a column ("from: <field>"), or say "local: true" and let a hook fill "${p.column}"`,
  ),
  "field-of-two-columns": error(
    (p: { field: string; column: string; event: string; other: string; copy: string }) =>
      `"${p.field}" of "${p.event}" shows "${p.column}", and "${p.other}" in another event: the copy's "${p.copy}" would hold now one and now the other`,
    () => "give one of the two fields another name",
  ),
  "cache-key": error(
    (p: { column: string; entity: string; table: string; key: string }) =>
      p.key.includes(",")
        ? `rows of "${p.entity}" are told apart by ${p.key} of "${p.table}", not by ${p.column}`
        : `rows of "${p.entity}" are told apart by "${p.table}.${p.key}", not by "${p.column}"`,
    (p) =>
      p.key.includes(",") ? `say "key: [${p.key}]" at this copy` : `make "${p.key}" the key of this copy`,
  ),
  "cache-column-narrower": error(
    (p: { column: string; owned: string; table: string; says: string; holds: string }) =>
      `"${p.column}" of this copy is ${p.says}, but "${p.table}.${p.owned}" may hold ${p.holds}`,
    (p) => `declare "${p.column}" as "${p.table}" does`,
  ),
  "cache-reference": error(
    (p: { table: string; column: string }) =>
      `"${p.table}" is a copy: a reference from "${p.column}" would refuse or delete what its owner has`,
    () => 'remove "references"; a join needs none',
  ),
  "cache-without-sync": warning(
    (p: { entity: string; owner: string; path: string | undefined }) =>
      `without "sync" this copy of "${p.entity}" is filled by events alone: what was before them, or lost, stays missing`,
    (p) =>
      p.path === undefined
        ? `let "${p.owner}" serve all of "${p.entity}" and say "sync: { from: ${p.owner}, get: <path> }"`
        : `say "sync: { from: ${p.owner}, get: ${p.path} }"`,
  ),
  "cache-misses-changes": warning(
    (p: {
      entity: string;
      table: string;
      missing: readonly ("update" | "delete")[];
      /** The deletions that are told where a condition holds. */
      conditional: readonly string[];
    }) => {
      const [change, other] = p.missing;
      if (other !== undefined)
        return `no event tells of updates or deletions of "${p.entity}", so this copy keeps rows as they were created`;
      if (change === "update")
        return `no event tells of updates of "${p.entity}", so this copy keeps the values of its creation`;
      return p.conditional.length === 0
        ? `no event tells of deletions of "${p.entity}", so this copy keeps rows that are gone`
        : `deletions of "${p.entity}" are told only where "when" holds (${p.conditional.join(", ")}), so this copy keeps other rows that are gone`;
    },
    ({ entity, table, missing: [change = "delete"], conditional }) =>
      change === "delete" && conditional.length > 0
        ? 'remove "when", or add a deletion without it'
        : `add the subject "${entity}.{id}.${change}d" with "emit: { table: ${table}, on: ${change} }"`,
  ),
  "cache-column-stale": warning(
    (p: {
      column: string;
      field: string;
      entity: string;
      events: readonly string[];
      conditional: readonly string[];
    }) =>
      p.conditional.length === 0
        ? `no update of "${p.entity}" carries "${p.column}", so this copy goes stale when it changes`
        : `"${p.column}" is carried only when ${p.conditional.join(" or ")} happens, so this copy misses its other changes`,
    (p) =>
      p.conditional.length === 0
        ? `add "${p.field}" to the payload of ${p.events.join(" or ")}`
        : `add an event of "${p.entity}" that is emitted on every update (without "when", and without "of" or with "${p.column}" in it), and carries it`,
  ),
  "unsettled-unique": warning(
    (p: { columns: readonly string[]; type: string | undefined }) =>
      p.type === undefined
        ? `until all events are there two rows of this copy may claim one "${p.columns.join(", ")}": neither makes way, and the event fails`
        : `until all events are there two rows of this copy may claim one "${p.columns.join()}": a ${p.type} that is never null cannot make way, and the event fails`,
    (p) =>
      p.type === undefined
        ? 'say "indexes" in place of "unique": the owner keeps them unique'
        : 'remove "unique", which the owner keeps, or say "null: true"',
  ),
  "cache-column-without-source": warning(
    (p: { column: string; field: string; entity: string; isInSource: boolean }) =>
      p.isInSource
        ? `no event of "${p.entity}" carries "${p.column}": only a snapshot fills it`
        : `no event of "${p.entity}" carries "${p.column}": it keeps its default, or null`,
    (p) =>
      p.isInSource
        ? `add "${p.field}" to the payloads of its events`
        : 'say "local: true" where a hook fills it, else remove it',
  ),
  "where-without-cache": error(
    (p: { table: string }) => `"${p.table}" is no copy, so there is nothing to have a part of`,
    () => 'say whose copy it is: "cache: service.entity"',
  ),
  "invalid-where": error(
    (p: { column: string; reason: string }) => `a copy cannot be partial by "${p.column}": ${p.reason}`,
    () => "name a column that its events carry as its owner has it",
  ),
  "where-not-carried": error(
    (p: { column: string; field: string; event: string; why: "creation" | "part" | "nothing" }) =>
      ({
        creation: `"${p.event}" carries no "${p.column}", so whether a new row belongs to this copy could not be told`,
        part: `"${p.event}" carries a part of this condition and no "${p.column}", so whether a row enters could not be told`,
        nothing: `no event carries this condition, so no row would enter: "${p.event}" carries no "${p.column}"`,
      })[p.why],
    (p) => `add "${p.field}" to the payload of "${p.event}"`,
  ),
  "reference-to-partial-copy": error(
    (p: { table: string; column: string }) =>
      `"${p.table}" is a partial copy: where a row leaves it, the reference of "${p.column}" would delete or change rows of an entity that lives on`,
    () => 'remove "references"; a join needs none, and "cascades" say what a deletion does',
  ),
  "local-outside-copy": error(
    (p: { column: string; table: string }) =>
      `"${p.column}" is "local", but "${p.table}" is no copy: all of its columns are the service's own`,
    () => 'remove "local"',
  ),
  "local-key": error(
    (p: { column: string }) =>
      `"${p.column}" cannot be "local": it is the key, which says whose copy a row is`,
    () => 'remove "local"',
  ),
  "local-column-carried": error(
    (p: { column: string; event: string }) =>
      `"${p.column}" is "local", but "${p.event}" carries a field of that name, which would be ignored`,
    () => 'give the column another name, or remove "local"',
  ),
  "local-column-required": error(
    (p: { column: string }) => `nothing fills "${p.column}" when an event makes a row of this copy`,
    () => 'add "null: true" or a "default"',
  ),
  "sync-without-cache": error(
    (p: { table: string }) => `"${p.table}" is no cache, so there is nothing to sync`,
    () => 'say whose copy it is: "cache: service.entity"',
  ),
  "sync-source": error(
    (p: { from: string; entity: string; owner: string }) =>
      `"${p.entity}" belongs to "${p.owner}", "${p.from}" cannot give a snapshot of it`,
    (p) => `write "from: ${p.owner}"`,
  ),
  "unknown-resource": missingName(
    (p: { service: string; path: string }) => `"${p.service}" serves nothing at "${p.path}"`,
    (p) => `add the path under "http: resources:" of "${p.service}"`,
  ),
  "sync-table": error(
    (p: { path: string; table: string; entity: string; source: string }) =>
      `"${p.path}" serves the table "${p.table}", but the events of "${p.entity}" come from "${p.source}"`,
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
