import { createHash } from "node:crypto";
import type { ClientBase } from "pg";
import { readBreaks } from "./head.js";

/** One file of SQL: a transaction, applied once, never changed afterwards. */
export interface Migration {
  /** `mesh/0001_mesh` for the runtime's own, `0001_initial_5f0c9d21ab.sql` for the service's, `sql/0001_views.sql` for SQL of its own. */
  readonly name: string;
  /** Lines end in LF. */
  readonly text: string;
  /** Where a person finds it, for error messages. */
  readonly path: string;
}

/** A line of `mesh.migration`. */
export interface AppliedMigration {
  readonly name: string;
  readonly sha256: string;
  readonly appliedAt: Date;
  /**
   * Why releases that lack the file cannot run on this database; empty when they can, null when nobody said.
   * It is here for them: they have no file to read it from.
   */
  readonly breaks: string | null;
}

/** The files and the database do not fit together, or a file failed: nothing of that file was applied. */
export class MigrationError extends Error {
  override readonly name = "MigrationError";
}

/** A checkout with CRLF is the same migration: files are read with LF. */
export function checksum(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** A database before its first migration has no table of ours, and one of an earlier release may lack the later ones. */
export async function hasMeshTable(
  client: ClientBase,
  name: "migration" | "place" | "trigger",
): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>(
    `SELECT pg_catalog.to_regclass('mesh.${name}') IS NOT NULL AS there`,
  );
  return rows[0]?.there === true;
}

/** Creates the schema and its ledger where they are missing. Call under the migration lock: `IF NOT EXISTS` alone loses races. */
export async function prepareLedger(client: ClientBase): Promise<void> {
  if (await hasMeshTable(client, "migration")) return;
  await client.query(`
    CREATE SCHEMA IF NOT EXISTS mesh;
    COMMENT ON SCHEMA mesh IS 'What meshwright keeps beside the service''s own tables.';
    CREATE TABLE mesh.migration (
        name        TEXT COLLATE "C" PRIMARY KEY,
        sha256      TEXT NOT NULL,
        applied_at  TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
        breaks      TEXT
    );
    COMMENT ON TABLE mesh.migration IS 'The migrations that this database has had.';
    COMMENT ON COLUMN mesh.migration.name IS 'mesh/0001_mesh of the runtime, 0001_initial_5f0c9d21ab.sql of the service, sql/0001_views.sql of SQL of its own.';
    COMMENT ON COLUMN mesh.migration.sha256 IS 'Checksum of the file when it was applied: a file that has changed since is refused.';
    COMMENT ON COLUMN mesh.migration.applied_at IS 'When it was applied.';
    COMMENT ON COLUMN mesh.migration.breaks IS
        'Why releases that lack the file cannot run on this database; empty when they can, NULL when nobody said.';
    CREATE TABLE mesh.migration_stage (
        name    TEXT COLLATE "C" PRIMARY KEY,
        sha256  TEXT NOT NULL,
        done    INTEGER NOT NULL
    );
    COMMENT ON TABLE mesh.migration_stage IS
        'How far a migration of several transactions has come that is under way, or was cut off; no row otherwise.';
    COMMENT ON COLUMN mesh.migration_stage.name IS 'Name of the migration.';
    COMMENT ON COLUMN mesh.migration_stage.sha256 IS 'Checksum of the file when it was begun.';
    COMMENT ON COLUMN mesh.migration_stage.done IS 'How many of its transactions are committed.';
  `);
}

export async function readLedger(client: ClientBase): Promise<readonly AppliedMigration[]> {
  const { rows } = await client.query<{
    name: string;
    sha256: string;
    applied_at: Date;
    breaks: string | null;
  }>("SELECT name, sha256, applied_at, breaks FROM mesh.migration");
  return rows.map(({ applied_at: appliedAt, ...row }) => ({ ...row, appliedAt }));
}

/** In the transaction of the file itself. */
export async function recordMigrations(client: ClientBase, files: readonly Migration[]): Promise<void> {
  for (const { name, text } of files) {
    // The runtime's own only ever add to what older ones know; of the service's own SQL its author says where it does not.
    const breaks = isOwn({ name }) ? "" : (readBreaks(text) ?? (isCustom({ name }) ? "" : null));
    await client.query("INSERT INTO mesh.migration (name, sha256, breaks) VALUES ($1, $2, $3)", [
      name,
      checksum(text),
      breaks,
    ]);
  }
}

/** The runtime's own. */
export function isOwn({ name }: Pick<Migration, "name">): boolean {
  return name.startsWith("mesh/");
}

/** Before the name of a file of SQL that the service has of its own. */
export const CUSTOM = "sql/";

export function isCustom({ name }: Pick<Migration, "name">): boolean {
  return name.startsWith(CUSTOM);
}
