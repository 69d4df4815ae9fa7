import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { type MigrateOptions, type MigrationReport, migrate } from "../../runtime/schema/index.js";
import { silent } from "./loggers.js";

export interface Folder {
  readonly path: string;
  write(name: string, text: string): Promise<void>;
  remove(name: string): Promise<void>;
}

const folders: string[] = [];

export async function openFolder(files: Readonly<Record<string, string>>): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), "mesh-schema-"));
  folders.push(path);
  const write = (name: string, text: string) => writeFile(join(path, name), text);
  for (const [name, text] of Object.entries(files)) await write(name, text);
  return { path, write, remove: (name) => rm(join(path, name)) };
}

export async function removeFolders(): Promise<void> {
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })));
}

/** Migrates over its own connection, as a replica does at its start. */
export async function runMigrations(
  url: string,
  migrations: URL | string,
  { service = "shop", ...more }: Partial<Pick<MigrateOptions, "service" | "sql" | "grants">> = {},
): Promise<MigrationReport> {
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  // A connection that the server cuts while it is idle would otherwise end the test run.
  pool.on("error", () => undefined);
  try {
    return await migrate(pool, { ...more, service, migrations, logger: silent });
  } finally {
    await pool.end();
  }
}

export async function ask<T extends object>(url: string, text: string): Promise<readonly T[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<T>(text)).rows;
  } finally {
    await client.end();
  }
}
