import { access, constants, lstat, mkdir, open, stat } from "node:fs/promises";
import { dirname } from "node:path";

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
 * change. `former`: whose it may also be, having been given to them by an earlier release.
 */
export async function makeOwnFolder(path: string, former?: User): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await mkdir(path, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
  // Folders cannot be opened there.
  if (process.platform === "win32") return;
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
  // By its descriptor: the path may lead elsewhere from one call to the next.
  const folder = await open(path, flags).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "ELOOP" && cause.code !== "ENOTDIR") throw cause;
    throw new Error(`${path} is not a folder of ours: remove it`, { cause });
  });
  try {
    const { uid, gid } = ourselves();
    const owner = (await folder.stat()).uid;
    if (owner !== uid && owner !== former?.uid)
      throw new Error(`${path} belongs to user ${owner}, and not to us: remove it`);
    if (owner !== uid) await folder.chown(uid, gid);
    // Another user than ours may pass to what is theirs inside.
    await folder.chmod(former === undefined ? 0o700 : 0o711);
  } finally {
    await folder.close();
  }
}

/** Whether it is a folder of ours that nobody else may write into, and no link to one. */
export async function isOwnFolder(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  return found?.isDirectory() === true && found.uid === ourselves().uid && (found.mode & 0o022) === 0;
}

/** Windows knows no such ids: there every file is of user 0. */
function ourselves(): User {
  return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
}
