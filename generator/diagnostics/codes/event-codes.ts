import { error, misnamed, misread, warning } from "../definition.js";

/** Subjects and the events on them. */
export const eventCodes = {
  "unpublished-subject": error(
    (p: { service: string; subject: string }) => `"${p.service}" does not publish "${p.subject}"`,
    (p) => `add "${p.subject.split(".").slice(0, 2).join(".")}.*" to "publishes" of "${p.service}"`,
  ),
  "duplicate-event": error(
    (p: { event: string; other: string }) => `"${p.event}" is already the event of "${p.other}"`,
  ),
  "emit-by-external": error(
    (p: { service: string }) => `"${p.service}" is external: its own code emits its events`,
    () => 'remove "emit"; say "change" if the action is not created, updated or deleted',
  ),
  "emit-on-cache": error(
    (p: { table: string; entity: string }) =>
      `"${p.table}" is a copy of "${p.entity}", whose owner emits its events`,
  ),
  "table-of-two-entities": error(
    (p: { table: string; entity: string; other: string }) =>
      `"${p.table}" already emits the events of "${p.other}", its rows cannot also be "${p.entity}"`,
  ),
  "entity-of-two-keys": error(
    (p: {
      entity: string;
      table: string;
      key: string;
      other: string;
      otherKey: string;
      column: string | undefined;
    }) =>
      `"${p.table}" would publish its "${p.key}" as the id of "${p.entity}", which "${p.other}" emits by "${p.otherKey}"`,
    (p) =>
      `say which column of "${p.table}" holds the id: emit: { table: ${p.table}, …, id: ${p.column ?? "<column>"} }; where the rows are the same entity, give both keys one name`,
  ),
  "invalid-entity-id": error(
    (p: { column: string; reason: string }) => `"${p.column}" cannot be the id of the entity: ${p.reason}`,
    () => "an id is a nanoid, text, uuid, integer or bigint, of the same kind in every table of the entity",
  ),
  "conflicting-change": error(
    (p: { operations: readonly string[]; said: string | undefined }) =>
      p.said === undefined
        ? `one event cannot tell of ${p.operations.join(" and ")} alike`
        : `the event says "${p.said}", but is emitted on ${p.operations.join(" and ")}`,
    (p) => {
      if (p.said === undefined) return "give the deletion an event of its own";
      return p.said === "delete"
        ? 'an event of a deletion is emitted "on: delete"; what only marks a row as deleted is an update: remove "change", or let the table say "soft_delete"'
        : 'remove "change": "emit" implies it';
    },
  ),
  "invalid-condition": error(
    (p: { column: string; value: string; expected: string }) =>
      `"${p.column}" is never "${p.value}": it is ${p.expected}`,
  ),
  "uncomparable-condition": error(
    (p: { column: string; type: string }) => `"${p.column}" cannot be compared with a value: it is ${p.type}`,
    () => 'say "{ null: true }" or "{ null: false }", or name another column',
  ),
  "constant-never-held": error(
    (p: { field: string; column: string; value: string; expected: string }) =>
      `"${p.field}" is to be "${p.value}", and its column "${p.column}" never holds that: every row would be refused`,
    (p) => `write what it holds (${p.expected}), or give the field a name that is no column's`,
  ),
  "condition-not-nullable": error(
    (p: { column: string }) => `"${p.column}" is never null`,
    (p) => `remove the condition, or say "null: true" on the column "${p.column}"`,
  ),
  "emit-without-time": error(
    () => '"emit" says neither on which change of a row nor at which moment',
    () => 'say "on: insert", "on: update" or "on: delete", or "at: <column>"',
  ),
  "on-and-at": error(
    () => "an event follows from a change of a row or from a moment, not from both",
    () => 'remove "on" or "at"; two events can come from one table',
  ),
  "invalid-moment": error(
    (p: { column: string; type: string }) => `"${p.column}" holds no moment: it is ${p.type}`,
    () => 'name a "timestamp", "timestamptz" or "date"',
  ),
  "unless-without-at": error(
    () => '"unless" is asked at a moment, and the event follows from a change',
    () => 'say what the row comes to hold with "when", or say "at: <column>" in place of "on"',
  ),
  "change-at-moment": error(
    (p: { said: string }) => `a moment that comes does not ${p.said} the row: it is as it was`,
    () => 'remove "change"; a hook of the service itself may hear the event and change the row',
  ),
  "of-without-update": error(
    () => '"of" says what an update changes, but the event is not emitted on update',
    () => 'say "on: update", or remove "of"',
  ),
  "idle-condition": error(
    (p: { column: string; holds: "always" | "never"; why: string }) =>
      `the condition on "${p.column}" ${p.holds} holds: ${p.why}`,
    () => "remove it, or name another column or value",
  ),
  "when-never-met": error(
    (p: { column: string; why: "key" | "soft delete" }) =>
      p.why === "key"
        ? `no update gives "${p.column}" another value: it is the key`
        : `what sets or clears "${p.column}" is a deletion or a creation, and no update: the table deletes softly by it`,
    (p) =>
      p.why === "key"
        ? 'name another column, or say "on: insert"'
        : 'name another column, or say "on: delete" or "on: insert"',
  ),
  "field-type": error(
    (p: { field: string; type: string; column: string }) =>
      `"${p.field}" is ${p.type}, but its column is ${p.column}`,
  ),
  "field-nullable": error(
    (p: { field: string; type: string; why: string }) => `"${p.field}" is required, but ${p.why}`,
    (p) =>
      p.why === "its column may be null"
        ? `write "${p.type}?", or drop "null: true" from the column`
        : `write "${p.type}?"`,
  ),
  "not-of-type": error(
    (p: { type: string; reason: string; fix: string }) => `this is no "${p.type}": ${p.reason}`,
    (p) => p.fix,
  ),
  "field-naming": error(
    (p: { field: string; called: string; service: string }) =>
      `"${p.service}" names its fields in camelCase: "${p.field}" is "${p.called}"`,
    (p) => `write "${p.called}"; to call it otherwise, "${p.field}: { from: ${p.field} }"`,
  ),
  "old-without-update": error(
    (p: { column: string; when: "insert" | "delete" | "moment" }) => {
      if (p.when === "insert") return `a row that is inserted has no "old.${p.column}"`;
      const what = p.when === "delete" ? "a deletion shows the row as it was" : "no row changes at a moment";
      return `${what}: "old.${p.column}" is "${p.column}"`;
    },
    (p) =>
      p.when === "insert"
        ? 'say "on: update", or remove the field from this event'
        : `write "from: ${p.column}"`,
  ),
  "no-reference": error(
    (p: { column: string; table: string; wanted: string }) =>
      `"${p.column}" of "${p.table}" references no table, so there is no row whose "${p.wanted}" it could show`,
    (p) => `say which table has it: "${p.column}: { …, references: <table> }"`,
  ),
  "referenced-on-delete": error(
    (p: { column: string }) =>
      `the row that "${p.column}" references may have been deleted with this one, so a deletion cannot show it`,
    (p) => `show "${p.column}" itself, or remove the field from this event`,
  ),
  "from-without-emit": error(
    (p: { event: string }) => `nothing emits "${p.event}" from a row whose column could fill the field`,
    () => 'say which rows imply the event ("emit"), or only the type of the field',
  ),
  "mixed-whole-numbers": error(
    (p: { column: string; type: string; event: string; other: string }) =>
      `"${p.column}" is ${p.type} here, but ${p.other} in "${p.event}"`,
    () =>
      "one form in all of its events: bigint (a decimal string, 64 bits) or integer (a number within 2^53)",
  ),
  "unknown-named-type": misnamed(
    (p: { type: string }) => `"${p.type}" is none of the mesh's types`,
    () =>
      'add it under "types": Money, for one; a "$ref" names one of them too, and nothing outside of mesh.yaml is read',
  ),
  "circular-type": error(
    (p: { type: string; path: readonly string[] }) =>
      `"${p.type}" would hold itself: ${p.path.join(" holds ")}`,
    () => 'remove one of the fields, or make it "json"',
  ),
  "empty-type": error(
    (p: { type: string }) => `"${p.type}" has no fields`,
    () => 'say its fields, or use "json" instead of it',
  ),
  "unused-type": warning(
    (p: { type: string }) => `no payload and no type uses "${p.type}"`,
    () => "use it as the type of a field, or remove it",
  ),
  "id-in-subject": warning(
    (p: { name: string; level: "entity" | "action"; service: string }) =>
      `"${p.name}" looks like one of many: each needs subjects, types and hooks of its own`,
    (p) =>
      p.level === "entity"
        ? `one entity has them all: "${p.service}.<entity>.{id}.<action>", where {id} says which`
        : "give the event one action, and a field of its payload that says which",
  ),
  "unheard-entity": warning(
    (p: { entity: string; service: string }) =>
      `nobody hears "${p.entity}", which another system publishes: it has no part in this mesh`,
    (p) => `let a service subscribe to "${p.entity}.*", or remove its subjects`,
  ),
  "silent-event": warning(
    (p: { event: string; service: string; call: string }) =>
      `nothing publishes "${p.event}": no row implies it, and no hook of "${p.service}" mentions it`,
    (p) => `say which rows imply it ("emit"), or call "${p.call}" in a hook`,
  ),
  "invalid-schema": misread((p: { reason: string }) => `this JSON Schema is invalid: ${p.reason}`),
};
