import { orderPending } from "./custom-sql.js";
import {
  type AppliedMigration,
  checksum,
  isCustom,
  isOwn,
  type Migration,
  MigrationError,
} from "./ledger.js";
import { findPending, type Pending, readLineage } from "./lineage.js";

/**
 * The migrations that are still to come, in order: the runtime's own, then the service's. What a newer release has
 * applied and is missing here does no harm where its head said so. Throws when the files do not lead on from what
 * the ledger says: one that was applied has changed, a new one would have to go between applied ones or beside a
 * missing one, or one is missing that this release cannot do without.
 */
export function pendingMigrations(
  files: readonly Migration[],
  applied: readonly AppliedMigration[],
): readonly Pending[] {
  const known = new Map(files.map((file) => [file.name, file]));
  for (const entry of applied) {
    const file = known.get(entry.name);
    if (file !== undefined && checksum(file.text) !== entry.sha256) throw changedFile(file, entry);
  }
  const done = new Set(applied.map(({ name }) => name));
  const own = files.filter((file) => isOwn(file) && !done.has(file.name));
  const unknown = applied.filter(({ name }) => !known.has(name));
  const unbearable = unknown.find(({ breaks }) => breaks !== "");
  if (unbearable !== undefined) throw missingFile(unbearable);
  const lineage = readLineage(files.filter((file) => !isOwn(file) && !isCustom(file)));
  const custom = pendingCustom(files.filter(isCustom), done);
  const pending = orderPending(findPending(lineage, applied), custom);
  const [blocked] = pending;
  const foreign = unknown.find((entry) => !isOwn(entry));
  if (blocked !== undefined && foreign !== undefined) throw otherBranch(foreign, blocked);
  return [...own.map((file) => ({ ...file, sql: file.text, includes: [] })), ...pending];
}

/** Those that are still to come; throws where one would have to go between applied ones. */
function pendingCustom(files: readonly Migration[], done: ReadonlySet<string>): readonly Pending[] {
  const last = files.findLast(({ name }) => done.has(name));
  const pending = files.filter(({ name }) => !done.has(name));
  const [first] = pending;
  if (first !== undefined && last !== undefined && first.name < last.name)
    throw new MigrationError(
      `${first.path} is new but comes before ${last.path}, which is already applied; give it the next number`,
    );
  return pending.map((file) => ({ ...file, sql: file.text, includes: [] }));
}

function missingFile(entry: AppliedMigration): MigrationError {
  const when = entry.appliedAt.toISOString();
  const fix = isOwn(entry)
    ? "this database was migrated by a newer meshwright: run that version or a later one"
    : "restore the file from version control, or run the release that has it";
  const why = entry.breaks === null ? "" : `, and without it this release cannot run: ${entry.breaks}`;
  return new MigrationError(
    `migration ${entry.name} was applied at ${when} but is missing here${why}; ${fix}`,
  );
}

/** Two branches were each tried on this database. */
function otherBranch(entry: AppliedMigration, pending: Migration): MigrationError {
  return new MigrationError(
    `migration ${entry.name} was applied at ${entry.appliedAt.toISOString()} but is missing here, ` +
      `so ${pending.path} cannot follow: they are of two branches; ` +
      "merge the branch that has it, run mesh generate, and start that; where it was taken back, begin this database anew (mesh dev --fresh)",
  );
}

function changedFile(file: Migration, entry: AppliedMigration): MigrationError {
  return new MigrationError(
    `migration ${file.path} has changed since it was applied at ${entry.appliedAt.toISOString()} ` +
      `(sha256 ${entry.sha256.slice(0, 12)} then, ${checksum(file.text).slice(0, 12)} now); ` +
      "restore it from version control and put the change into a new migration",
  );
}
