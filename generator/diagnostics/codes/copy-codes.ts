import { error, misnamed, missingName, warning } from "../definition.js";
import { type Known, namesOf } from "../known.js";

/** Copies of other services' entities: what fills them, and their snapshots. */
export const copyCodes = {
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
      missing: readonly ("insert" | "update" | "delete")[];
      /** What is told where a condition holds, and by which events. */
      sometimes: readonly { readonly change: "insert" | "delete"; readonly events: readonly string[] }[];
    }) => {
      const [change] = p.missing;
      const never = change === undefined ? [] : [untold(p.entity, change, p.missing.length)];
      const seldom = p.sometimes.map(({ change, events }) => {
        const [what, effect] =
          change === "insert"
            ? ["creations", "lacks other rows until a change or a snapshot brings them"]
            : ["deletions", "keeps other rows that are gone"];
        return `${what} of "${p.entity}" are told only where "when" holds (${events.join(", ")}), so this copy ${effect}`;
      });
      return [...never, ...seldom].join("; ");
    },
    ({ entity, table, missing: [change], sometimes }) => {
      if (change !== undefined)
        return `add the subject "${entity}.{id}.${change === "insert" ? "create" : change}d" with "emit: { table: ${table}, on: ${change} }"`;
      const noun = sometimes[0]?.change === "insert" ? "creation" : "deletion";
      return `remove "when", or add a ${noun} without it; a copy that is to keep such rows alone says so by "where"`;
    },
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

/** The gravest of what no event tells of. */
function untold(entity: string, change: "insert" | "update" | "delete", count: number): string {
  if (change === "insert")
    return `no event tells of creations of "${entity}", so this copy lacks new rows until a change or a snapshot brings them`;
  if (count > 1)
    return `no event tells of updates or deletions of "${entity}", so this copy keeps rows as they were created`;
  return change === "update"
    ? `no event tells of updates of "${entity}", so this copy keeps the values of its creation`
    : `no event tells of deletions of "${entity}", so this copy keeps rows that are gone`;
}
