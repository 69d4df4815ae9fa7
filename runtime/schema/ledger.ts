import { createHash } from "node:crypto";
import type { ClientBase } from "pg";

/** One numbered file of SQL: a transaction, applied once, never changed afterwards. */
export interface Migration {
  /** `mesh/0001_mesh` for the runtime's own, `0001_initial.sql` for the service's. */
  readonly name: string;
  readonly text: string;
  /** Where a person finds it, for error messages. */
  readonly path: string;
}

/** A line of `mesh.migration`. */
export interface AppliedMigration {
  readonly name: string;
  readonly sha256: string;
  readonly appliedAt: Date;
}

/** The files and the database do not fit together, or a file failed: nothing of that file was applied. */
export class MigrationError extends Error {
  override readonly name = "MigrationError";
}

/** Line ends are normalised first: a checkout with CRLF is the same migration. */
export function checksum(text: string): string {
  return createHash("sha256").update(text.replaceAll("\r\n", "\n")).digest("hex");
}

/** Creates the schema and its ledger where they are missing. Call under the migration lock: `IF NOT EXISTS` alone loses races. */
export async function prepareLedger(client: ClientBase): Promise<void> {
  const found = await client.query("SELECT to_regclass('mesh.migration') IS NOT NULL AS ready");
  if (found.rows[0]?.ready === true) return;
  await client.query(`
    CREATE SCHEMA IF NOT EXISTS mesh;
    COMMENT ON SCHEMA mesh IS 'What meshwright keeps beside the service''s own tables.';
    CREATE TABLE IF NOT EXISTS mesh.migration (
        name        TEXT COLLATE "C" PRIMARY KEY,
        sha256      TEXT NOT NULL,
        applied_at  TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
    );
    COMMENT ON TABLE mesh.migration IS 'The migrations that this database has had, with the checksum each had then.';
  `);
}

export async function readLedger(client: ClientBase): Promise<readonly AppliedMigration[]> {
  const { rows } = await client.query<{ name: string; sha256: string; applied_at: Date }>(
    "SELECT name, sha256, applied_at FROM mesh.migration",
  );
  return rows.map((row) => ({ name: row.name, sha256: row.sha256, appliedAt: row.applied_at }));
}

/**
 * The migrations that are still to be applied, in order. Throws when the ledger is not the
 * beginning of `files`: a file that was applied has changed or is missing, or a new file would
 * have to go between applied ones.
 */
export function pendingMigrations(
  files: readonly Migration[],
  applied: readonly AppliedMigration[],
): readonly Migration[] {
  const known = new Map(files.map((file) => [file.name, file]));
  for (const entry of applied) {
    const file = known.get(entry.name);
    if (file === undefined) throw missingFile(entry);
    if (checksum(file.text) !== entry.sha256) throw changedFile(file, entry);
  }
  const done = new Set(applied.map((entry) => entry.name));
  const pending = files.filter((file) => !done.has(file.name));
  // Two chains: what a newer runtime adds to its own comes after files that the service's has applied long ago.
  for (const chain of [files.filter(isOwn), files.filter((file) => !isOwn(file))]) {
    const place = chain.findIndex((file) => !done.has(file.name));
    const [first, later] = [chain[place], chain.slice(place + 1).find((file) => done.has(file.name))];
    if (first !== undefined && later !== undefined) throw outOfOrder(first, later);
  }
  return pending;
}

/** The runtime's own. */
function isOwn({ name }: Pick<Migration, "name">): boolean {
  return name.startsWith("mesh/");
}

function missingFile(entry: AppliedMigration): MigrationError {
  const when = entry.appliedAt.toISOString();
  const fix = isOwn(entry)
    ? "this database was migrated by a newer meshwright: run that version or a later one"
    : "restore the file from version control, or run the release that has it";
  return new MigrationError(`migration ${entry.name} was applied at ${when} but is missing here; ${fix}`);
}

function changedFile(file: Migration, entry: AppliedMigration): MigrationError {
  return new MigrationError(
    `migration ${file.path} has changed since it was applied at ${entry.appliedAt.toISOString()} ` +
      `(sha256 ${entry.sha256.slice(0, 12)} then, ${checksum(file.text).slice(0, 12)} now); ` +
      "restore it from version control and put the change into a new migration",
  );
}

function outOfOrder(first: Migration, later: Migration): MigrationError {
  return new MigrationError(
    `migration ${first.path} is new but sorts before ${later.name}, which is already applied; ` +
      "give it the next free number, after every applied one",
  );
}
