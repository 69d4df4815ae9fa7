import { isAbsolute, posix } from "node:path";
import { readRegularFile } from "./regular-file.js";
import { UsageError } from "./usage-error.js";

const LOCK = "package-lock.json";
const MOST_BYTES = 64 * 1024 * 1024;

/** What package-lock.json installs from files rather than from a registry. Workspaces are not among them. */
export interface LocalPackages {
  /** In the project's folder: `vendor/meshwright-0.1.0.tgz`. */
  readonly tarballs: readonly string[];
  /** Tarballs and folders outside of it, as the lock says it: an image is built without them. */
  readonly outside: readonly string[];
  /** Folders in the project that are no workspaces. */
  readonly folders: readonly string[];
}

interface LockedPackage {
  readonly resolved?: unknown;
  readonly link?: unknown;
}

/** undefined: there is no package-lock.json in this folder. */
export async function readLocalPackages(workspaces: readonly string[]): Promise<LocalPackages | undefined> {
  const bytes = await readRegularFile(LOCK, MOST_BYTES);
  return bytes === undefined ? undefined : localPackages(new TextDecoder().decode(bytes), workspaces);
}

export function localPackages(lock: string, workspaces: readonly string[]): LocalPackages {
  const known = new Set(workspaces.map((folder) => posix.normalize(folder).replace(/\/$/, "")));
  const places = lockedPackages(lock).flatMap(({ resolved, link }) => {
    if (typeof resolved !== "string") return [];
    if (link === true) return [{ path: posix.normalize(resolved), isFolder: true }];
    if (!resolved.startsWith("file:")) return [];
    return [{ path: posix.normalize(resolved.slice("file:".length)), isFolder: false }];
  });
  const sorted = (wanted: (place: (typeof places)[number]) => boolean) =>
    [...new Set(places.filter(wanted).map(({ path }) => path))].toSorted();
  const isOutside = (path: string) => isAbsolute(path) || path === ".." || path.startsWith("../");
  return {
    tarballs: sorted(({ path, isFolder }) => !isFolder && !isOutside(path)),
    outside: sorted(({ path }) => isOutside(path) && !known.has(path)),
    folders: sorted(({ path, isFolder }) => isFolder && !isOutside(path) && !known.has(path)),
  };
}

function lockedPackages(lock: string): readonly LockedPackage[] {
  try {
    const { packages } = JSON.parse(lock) as { readonly packages?: Readonly<Record<string, LockedPackage>> };
    return Object.values(packages ?? {});
  } catch (cause) {
    throw new UsageError(`${LOCK} is not JSON`, "run `npm install`", { cause });
  }
}
