import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { MESH_0001 } from "./0001_mesh.js";
import { type Migration, MigrationError } from "./ledger.js";

/** The runtime's own migrations: they come first, and create what the services' files stand on. */
export const meshMigrations: readonly Migration[] = [
  { name: "mesh/0001_mesh", text: MESH_0001, path: "mesh/0001_mesh" },
];

/**
 * The service's migrations, by name. The compiler copies no SQL to where it puts a compiled service
 * (`dist/generated/auth/`): then `generated/<service>/migrations` of the project around it is read,
 * and at last that of the current folder.
 */
export async function readMigrations(location: URL | string, service: string): Promise<readonly Migration[]> {
  return await readFiles(await findFolder(location, service));
}

async function findFolder(location: URL | string, service: string): Promise<string> {
  const beside = typeof location === "string" ? location : fileURLToPath(location);
  const around = [...foldersAround(beside), process.cwd()].map((folder) =>
    join(folder, "generated", service, "migrations"),
  );
  for (const folder of [beside, ...around]) {
    if (await isFolder(folder)) return folder;
  }
  throw new MigrationError(
    `no migrations of service "${service}": neither ${beside} nor ${around.at(-1)} exists; ` +
      "run mesh generate, and ship the folder with the service",
  );
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
    if (cause instanceof Error && "code" in cause && (cause.code === "ENOENT" || cause.code === "ENOTDIR")) {
      return false;
    }
    throw new MigrationError(`cannot read the migrations in ${folder}`, { cause });
  }
}

async function readFiles(folder: string): Promise<readonly Migration[]> {
  const entries = await readdir(folder).catch((cause: unknown) => {
    throw new MigrationError(`cannot read the migrations in ${folder}`, { cause });
  });
  const names = entries.filter((name) => name.endsWith(".sql")).sort();
  return await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      // A checkout may have turned the line ends: functions would be stored with them, and differ from others'.
      return { name, path, text: (await readFile(path, "utf8")).replaceAll("\r\n", "\n") };
    }),
  );
}
