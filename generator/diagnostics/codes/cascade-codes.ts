import { cascadeActions } from "@meshwright/runtime/vocabulary";
import { error, missingName, warning } from "../definition.js";

/** Rules that carry a deletion across services. */
export const cascadeCodes = {
  "unknown-event": missingName(
    (p: { event: string }) => `no subject is "${p.event}"`,
    () => 'name a subject without its id: "auth.user.deleted"',
  ),
  "cascade-action": error(
    (p: { given: number }) =>
      p.given === 0 ? "this rule does nothing" : `a rule does one thing, this one says ${p.given}`,
    () =>
      `say ${Object.keys(cascadeActions)
        .map((action) => `"${action}: table.column"`)
        .join(" or ")}`,
  ),
  "cascade-not-on-deletion": error(
    (p: { event: string; change: string; deletion: string | undefined; emitted: string | undefined }) =>
      `"${p.event}" is no deletion of its entity (its change is ${p.change})`,
    (p) => {
      const entity = p.event.split(".").slice(0, 2).join(".");
      if (p.deletion !== undefined) return `rules follow deletions: write "on: ${p.deletion}"`;
      if (p.emitted === undefined)
        return 'rules follow deletions: say "change: delete" on the subject if it tells of one';
      return p.event === `${entity}.deleted`
        ? 'rules follow deletions: let it be emitted "on: delete"; a row that is only marked stays, with what hangs on it'
        : `rules follow deletions: add the subject "${entity}.{id}.deleted" with "emit: { table: ${p.emitted}, on: delete }"`;
    },
  ),
  "cascade-without-subscription": error(
    (p: { service: string; entity: string; part: string | undefined }) =>
      p.part === undefined
        ? `"${p.service}" does not subscribe to "${p.entity}.*", so this rule would never run`
        : `"${p.service}" hears "${p.part}" alone; a rule also needs the creation that follows a deletion`,
    (p) =>
      p.part === undefined
        ? `add "${p.entity}.*" to "subscribes" of "${p.service}"`
        : `write "${p.entity}.*" in place of "${p.part}"`,
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
    (p) => `give "${p.column}" the type "${p.idType}"`,
  ),
  "duplicate-cascade": error(
    (p: { target: string; event: string }) => `there is already a rule for "${p.target}" on "${p.event}"`,
  ),
  "before-bypassed": error(
    (p: { hook: string; table: string; parent: string; event: string }) =>
      `on "${p.event}" rows of "${p.table}" go with those of "${p.parent}", before "${p.hook}" is called`,
    (p) => `remove "references" from the column of "${p.table}" that refers to "${p.parent}"`,
  ),
  "before-without-delete": error(() => '"before" precedes the deletion of a row; this rule deletes none'),
  "hook-conflict": error(
    (p: { hook: string; table: string; other: string }) =>
      `the hook "${p.hook}" would get rows of "${p.table}" here and of "${p.other}" there`,
    () => "use one hook for each table",
  ),
  "deletion-loop": warning(
    (p: { entity: string; way: readonly string[] }) =>
      `deleting one "${p.entity}" leads to deleting others: ${p.way.join(", then ")}`,
    () => 'where that is not meant, let one of these rules say "set_null", or leave it out',
  ),
  "foreign-id-without-rule": warning(
    (p: {
      column: string;
      table: string;
      entity: string;
      event: string;
      service: string;
      nullable: boolean;
      copy: string | undefined;
    }) =>
      `"${p.column}" of "${p.table}" goes on naming a deleted "${p.entity}": no rule says what becomes of the row`,
    (p) => {
      const action = p.nullable ? "set_null" : "delete";
      const rule = `add "{ on: ${p.event}, service: ${p.service}, ${action}: ${p.table}.${p.column} }" to "cascades"`;
      return p.copy === undefined
        ? rule
        : `${rule}, or say "references: ${p.copy}" where a row must not come before its "${p.entity}"`;
    },
  ),
  "foreign-ids-in-list": warning(
    (p: { column: string; table: string; entity: string; hook: string; isList: boolean }) =>
      `"${p.column}" of "${p.table}" goes on naming each deleted "${p.entity}": no rule reaches into a ${p.isList ? "list" : "json column"}, and no hook hears of deletions`,
    (p) =>
      `a table with a row for each id can have a rule; or take the id out of the list in the hook "${p.hook}"`,
  ),
  "cascade-within-service": warning(
    (p: { table: string; column: string; source: string; event: string; onDelete: "cascade" | "set_null" }) =>
      `"${p.column}" of "${p.table}" names rows of the same database: until "${p.event}" has come back from the broker, it names some that are gone`,
    (p) =>
      `say "references: ${p.source}, on_delete: ${p.onDelete}" at "${p.column}" of "${p.table}" in place of this rule`,
  ),
};
