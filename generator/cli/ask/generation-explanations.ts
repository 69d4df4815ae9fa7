import type { HookFinding } from "../../check/hook-files.js";
import type { Severity } from "../../diagnostics/severity.js";
import type { MigrationRefusal } from "../../migrations/refusal.js";

/** Said of the project around mesh.yaml: of hooks, of what was generated before, and of the databases that its migrations lead to. */
export type GenerationCode =
  | HookFinding["code"]
  | MigrationRefusal["code"]
  | "migration-in-the-way"
  | "lock-malformed"
  | "left-alone"
  | "sql-folder"
  | "sql-file"
  | "existing-differs";

export interface GenerationExplanation {
  readonly severity: Severity;
  readonly why: string;
}

const error = (why: string): GenerationExplanation => ({ severity: "error", why });
const warning = (why: string): GenerationExplanation => ({ severity: "warning", why });

export const generationExplanations: Readonly<Record<GenerationCode, GenerationExplanation>> = {
  "missing-hook": warning(
    "A rule of mesh.yaml names a step that only your code can take. Without it rows would go too early, so the service does not start.",
  ),
  "unknown-hook": warning(
    "The handler fits no event that the service hears, so nobody would call it. Usually it is misspelt.",
  ),
  "unknown-hook-file": warning(
    "Hooks are found by the service's name: nothing loads a file that is called otherwise, and that no other imports.",
  ),
  "unexported-hooks": warning(
    "The file has neither a default export nor one of the name that the service looks for: it would not start.",
  ),
  "hook-of-lost-event": warning(
    "Where an event was lost, a snapshot finds its outcome and calls the hook, but only of what a row of the owner tells. This event shows more, so its hook runs only where the event itself comes, before or after a snapshot: not for one that was lost.",
  ),
  "drop-table": error(
    "The rows would be gone, and no release could roll back. A new name is said by `renamed_from`; a table that is no longer used goes with --allow-destructive.",
  ),
  "drop-column": error(
    "The values would be gone, and replicas of the release before still read the column. A new name is said by `renamed_from`.",
  ),
  "narrow-type": error(
    "Some values do not fit into the new type: the cast would fail, or lose them. A second column, filled in steps, keeps both releases running.",
  ),
  "require-column": error(
    "The statement fails as soon as one row has no value. A default fills it in; else the column is added with `null: true`, filled, and required in a later release.",
  ),
  "restrict-rows": error("The constraint fails on rows that break it already. Those are settled first."),
  "change-key": error(
    "The key is the id of the entity: with another one every row would be another entity, for every service that holds the old ids.",
  ),
  "move-table": error(
    "The table would be another one of PostgreSQL, or count as somebody else's: no migration moves its rows.",
  ),
  "move-mesh": error(
    "A service that shares a database has its outbox, versions and what it heard in a schema of its own. Another name would be another schema, with nothing in it: versions would begin again, and copies would take what is new for old.",
  ),
  "swap-names": error(
    "Two names cannot be exchanged in one step. A third name for the time between makes two of it.",
  ),
  "unknown-former-name": error("`renamed_from` names nothing that the migrations so far have made."),
  "shared-former-name": error("One name, and the data under it, can go to one heir."),
  "lost-model": error(
    "The next migration is the difference between what the last one left and what the file wants. Without a generated one nobody knows the first.",
  ),
  "migration-changed": error(
    "A database may have applied the file as it was. What is different now would never reach it, and its checksum is refused at the next start.",
  ),
  "migration-missing": error("The files that follow build on it: a new database would lack what it made."),
  "migration-unplaced": error(
    "Each migration says which one it follows, so that branches can be merged. This one does not.",
  ),
  "migration-by-hand": error(
    "Two branches have gone on from one migration, and what was written by hand cannot be computed anew: which of the two comes first is for you to say.",
  ),
  "migration-in-the-way": error(
    "A service's migrations move with its database. A file that stands there already would be taken for one of them.",
  ),
  "lock-malformed": error(
    "The lock says what the last run has written. A run that cannot read it would not know what is yours.",
  ),
  "left-alone": warning("The generator removes only files that carry its mark, or that its lock knows."),
  "sql-folder": error("The folder of SQL of your own that `sql` names is not there."),
  "sql-file": error(
    "A file of your own SQL runs at its place among the migrations, once, in a transaction: this one could not, or not twice the same.",
  ),
  "existing-differs": error(
    "The file describes a table that exists, and the database says otherwise. Triggers and checks would be made for what is not there.",
  ),
};

export function isGenerationCode(code: string): code is GenerationCode {
  return Object.hasOwn(generationExplanations, code);
}
