import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { madeInMeshSchema } from "../database/mesh-schema.js";
import type { SharedDatabase } from "../definition/service-definition.js";
import { codeOf } from "../text/error-message.js";
import { MESH_0001 } from "./0001_mesh.js";
import { readCustomSql } from "./custom-sql.js";
import { type Migration, MigrationError } from "./ledger.js";

/** Where the files of a service are. */
export interface MigrationFiles {
  readonly service: string;
  /** Folder of the generated ones. */
  readonly migrations: URL | string;
  /** Folder of SQL that the service has of its own, as mesh.yaml says it. Absent: none. */
  readonly sql?: string;
  /** Where its database lies in another one. */
  readonly shared?: SharedDatabase;
}

/** The runtime's own migrations: they come first, and create what the services' files stand on. */
export const meshMigrations: readonly Migration[] = [
  { name: "mesh/0001_mesh", text: MESH_0001, path: "mesh/0001_mesh" },
];

/** The same for a service whose tables of the mesh are in a schema of their own. */
function ownMigrations(shared: SharedDatabase | undefined): readonly Migration[] {
  if (shared === undefined) return meshMigrations;
  return meshMigrations.map((file) => ({ ...file, text: madeInMeshSchema(file.text, shared.schema) }));
}

/**
 * All migrations: the runtime's own, then the service's, then SQL of its own; each by name. The compiler copies no SQL to where it puts a compiled service
 * (`dist/generated/auth/`): then `generated/<service>/migrations` of the project around it is read,
 * and at last that of the current folder; likewise for SQL of its own.
 */
export async function readMigrations({
  service,
  migrations: location,
  sql,
  shared,
}: MigrationFiles): Promise<readonly Migration[]> {
  const beside = typeof location === "string" ? location : fileURLToPath(location);
  const around = [...foldersAround(beside), process.cwd()];
  const folders = [beside, ...around.map((folder) => join(folder, "generated", service, "migrations"))];
  const generated = await readFiles(
    await findFolder(
      folders,
      `no migrations of service "${service}"`,
      "run mesh generate, and ship the folder with the service",
    ),
  );
  const own = ownMigrations(shared);
  if (sql === undefined) return [...own, ...generated];
  const folder = await findFolder(
    around.map((each) => join(each, sql)),
    `no SQL of service "${service}"`,
    `mesh.yaml says "sql: ${sql}": ship the folder with the service`,
  );
  const names = generated.map(({ name }) => name);
  return [...own, ...generated, ...(await readCustomSql(folder, await listFolder(folder), names))];
}

async function findFolder(folders: readonly string[], what: string, fix: string): Promise<string> {
  for (const folder of folders) {
    if (await isFolder(folder)) return folder;
  }
  throw new MigrationError(`${what}: neither ${folders[0]} nor ${folders.at(-1)} exists; ${fix}`);
}

/** From the nearest up. */
function foldersAround(folder: string): readonly string[] {
  const parent = dirname(folder);
  return parent === folder ? [] : [parent, ...foldersAround(parent)];
}

async function isFolder(folder: string): Promise<boolean> {
  try {
    return (await stat(folder)).isDirectory();
  } catch (cause) {
    const code = codeOf(cause);
    if (code === "ENOENT" || code === "ENOTDIR") return false;
    throw new MigrationError(`cannot read the migrations in ${folder}`, { cause });
  }
}

async function listFolder(folder: string): Promise<readonly string[]> {
  return await readdir(folder).catch((cause: unknown) => {
    throw new MigrationError(`cannot read the migrations in ${folder}`, { cause });
  });
}

async function readFiles(folder: string): Promise<readonly Migration[]> {
  const names = (await listFolder(folder)).filter((name) => name.endsWith(".sql")).sort();
  return await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      // A checkout may have turned the line ends: functions would be stored with them, and differ from others'.
      return { name, path, text: (await readFile(path, "utf8")).replaceAll("\r\n", "\n") };
    }),
  );
}
