import { access, constants, lstat, mkdir, open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { makeFolder } from "../../project/make-folder.js";

export async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

export async function isExecutable(path: string): Promise<boolean> {
  const file = await stat(path).catch(() => undefined);
  if (!file?.isFile()) return false;
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Whether a user who owns nothing may reach this path: every folder above it must let others pass. */
export async function reachableByOthers(path: string): Promise<boolean> {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (((await stat(folder)).mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

export interface User {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Makes a folder that is ours, or takes the one that we made before, and keeps everybody else from writing into it.
 * Rejects where somebody else has put something there, a symbolic link above all: what lies behind is not ours to
 * change. `visitor`: another user, who may pass through it to a folder of theirs inside.
 */
export async function makeOwnFolder(path: string, visitor?: User): Promise<void> {
  makeFolder(dirname(path));
  await mkdir(path, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
  // Windows cannot open a folder.
  if (process.platform === "win32") return;
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
  // By its descriptor: the path may lead elsewhere from one call to the next.
  const folder = await open(path, flags).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "ELOOP" && cause.code !== "ENOTDIR") throw cause;
    throw new Error(`${path} is not a folder of ours: remove it`, { cause });
  });
  try {
    const owner = (await folder.stat()).uid;
    if (owner !== ourselves()) throw new Error(`${path} belongs to user ${owner}, and not to us: remove it`);
    await folder.chmod(visitor === undefined ? 0o700 : 0o711);
  } finally {
    await folder.close();
  }
}

/** Whether it is a folder of ours that nobody else may write into, and no link to one. */
export async function isOwnFolder(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  return found?.isDirectory() === true && found.uid === ourselves() && (found.mode & 0o022) === 0;
}

/** Windows knows no such ids: there every file is of user 0. */
function ourselves(): number {
  return process.getuid?.() ?? 0;
}
