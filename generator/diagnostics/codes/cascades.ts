import { error, missingName } from "../definition.js";

/** Rules that carry a deletion across services. */
export const cascadeCodes = {
  "unknown-event": missingName(
    (p: { event: string }) => `no subject is "${p.event}"`,
    () => 'name a subject without its id: "auth.user.deleted"',
  ),
  "cascade-action": error(
    (p: { given: number }) =>
      p.given === 0 ? "this rule does nothing" : "a rule either sets null or deletes, this one says both",
    () => 'say "set_null: table.column" or "delete: table.column"',
  ),
  "cascade-not-on-deletion": error(
    (p: { event: string; change: string }) =>
      `"${p.event}" is no deletion of its entity (its change is ${p.change})`,
    () => 'rules follow deletions; name a deleted event, or say "change: delete" on the subject',
  ),
  "cascade-without-subscription": error(
    (p: { service: string; entity: string }) =>
      `"${p.service}" does not subscribe to "${p.entity}.*", so this rule would never run`,
    (p) => `add "${p.entity}.*" to "subscribes" of "${p.service}"`,
  ),
  "cascade-in-external": error(
    (p: { service: string }) => `"${p.service}" is external: its own code handles its events`,
  ),
  "cascade-on-cache": error(
    (p: { table: string }) => `"${p.table}" is a cache, which follows its events without a rule`,
  ),
  "cascade-type": error(
    (p: { column: string; type: string; entity: string; idType: string }) =>
      `"${p.column}" is ${p.type} and cannot hold the id of "${p.entity}", which is ${p.idType}`,
  ),
  "duplicate-cascade": error(
    (p: { target: string; event: string }) => `there is already a rule for "${p.target}" on "${p.event}"`,
  ),
  "before-without-delete": error(() => '"before" precedes the deletion of a row; this rule deletes none'),
  "hook-conflict": error(
    (p: { hook: string; table: string; other: string }) =>
      `the hook "${p.hook}" would get rows of "${p.table}" here and of "${p.other}" there`,
    () => "use one hook for each table",
  ),
};
