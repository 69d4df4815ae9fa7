import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  type Stats,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { isPlainPath, type OutputFolder } from "../emit/file.js";
import { makeFolder } from "./make-folder.js";
import { UsageError } from "./usage-error.js";

/*
 * The output folder on disk, which a repository brings along: what is there may be of anybody. Nothing is read or
 * written through a link, no folder is entered that is one, and what is no file is not opened. A file that exists is
 * replaced, never written to, so that another name of it (a hard link) keeps the old text.
 */

/** A folder that is not there reads as an empty one. */
export function openOutputFolder(root: string): OutputFolder {
  const inRoot = (path: string) => join(root, checked(path, root));
  /** Looked at, and made where they were missing, since the last removal: each file looks again before its text is written. */
  const made = new Set<string>();
  return {
    list(folder) {
      if (!isFolder(root, checked(folder, root))) return [];
      const entries = readdirSync(join(root, folder), { withFileTypes: true });
      for (const entry of entries) {
        if (!entry.isFile() && !entry.isDirectory()) refuse(join(root, folder, entry.name), entry);
      }
      return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
    },
    folders() {
      if (!isFolder(root, ".")) return [];
      return readdirSync(root, { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && isPlainPath(entry.name))
        .map((entry) => entry.name)
        .sort();
    },
    read: (path) => explained(inRoot(path), "read", () => readText(root, path)),
    write(path, text, mode) {
      explained(inRoot(path), "written", () => {
        if (!made.has(dirname(path))) makeFolders(root, dirname(path));
        made.add(dirname(path));
        writeText(root, path, { text, mode });
      });
    },
    remove(path) {
      explained(inRoot(path), "removed", () => {
        if (!isFolder(root, dirname(path)) || statOf(join(root, path), "file") === undefined) return;
        unlinkSync(join(root, path));
        made.clear();
        removeEmpty(root, dirname(path));
      });
    },
  };
}

function checked(path: string, root: string): string {
  if (isPlainPath(path)) return path;
  throw new UsageError(`${JSON.stringify(path)} is no path within ${root}`);
}

/** Windows has neither O_NOFOLLOW nor O_NONBLOCK. Without O_NONBLOCK, opening a FIFO without a writer would block for ever. */
const READING = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
const WRITING = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);

/** In bytes; no generated file comes near. */
const LARGEST = 256 * 2 ** 20;

function readText(root: string, path: string): string | undefined {
  const full = join(root, path);
  if (!isFolder(root, dirname(path)) || statOf(full, "file") === undefined) return undefined;
  const file = openSync(full, READING);
  try {
    const stats = fstatSync(file);
    if (!stats.isFile()) refuse(full, stats);
    if (stats.size > LARGEST) throw new UsageError(`${full} is too large to be ours`, "remove it");
    return readFileSync(file, "utf8").replaceAll("\r\n", "\n");
  } finally {
    closeSync(file);
  }
}

interface NewText {
  readonly text: string;
  readonly mode: number | undefined;
}

/** A new file is made in its place; what is there already is replaced by one that is written beside it. */
function writeText(root: string, path: string, { text, mode }: NewText): void {
  const [folder, full] = [dirname(path), join(root, path)];
  const created = createFile(full, mode);
  if (created === undefined) statOf(full, "file");
  const written = created === undefined ? join(root, folder, newName()) : full;
  const file = created ?? openSync(written, WRITING, mode);
  try {
    // If a folder was replaced by a link since the last look, an empty file was made behind the link: it gets no text.
    if (!isFolder(root, folder)) throw new UsageError(`${join(root, folder)} is gone`);
    writeFileSync(file, text);
    if (written !== full) renameSync(written, full);
  } catch (error) {
    unlinkSync(written);
    throw error;
  } finally {
    closeSync(file);
  }
}

function newName(): string {
  return `.mesh-${randomBytes(8).toString("hex")}.tmp`;
}

/** undefined where something has that name already, be it a link that leads nowhere. */
function createFile(path: string, mode: number | undefined): number | undefined {
  try {
    return openSync(path, WRITING, mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return undefined;
    throw error;
  }
}

function makeFolders(root: string, folder: string): void {
  for (const at of foldersTo(root, folder)) {
    if (statOf(at, "folder") === undefined) makeFolder(at);
  }
}

/** Whether it is there; each folder on the way, and itself, is looked at each time. */
function isFolder(root: string, folder: string): boolean {
  return foldersTo(root, folder).every((at) => statOf(at, "folder") !== undefined);
}

/** From the root on. */
function foldersTo(root: string, folder: string): readonly string[] {
  const parts = folder === "." ? [] : folder.split("/");
  return [root, ...parts.map((_, index) => join(root, ...parts.slice(0, index + 1)))];
}

/** undefined where nothing is; refuses what is something else. */
function statOf(path: string, wanted: "file" | "folder"): Stats | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined || (wanted === "file" ? stats.isFile() : stats.isDirectory())) return stats;
  return refuse(path, stats, wanted);
}

type Kind = Pick<Stats, "isSymbolicLink" | "isDirectory" | "isFile">;

function refuse(path: string, kind: Kind, wanted: "file" | "folder" = "file"): never {
  const found = kind.isSymbolicLink()
    ? "a link, which is not followed"
    : kind.isDirectory()
      ? "a folder"
      : kind.isFile()
        ? "a file"
        : "neither file nor folder";
  throw new UsageError(`${path} is ${found}: a ${wanted} is to be there`, "remove it, or move it elsewhere");
}

/** What the system refuses in one line: a folder that is read-only, a disk that is full. */
function explained<T>(path: string, done: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === undefined) throw cause;
    throw new UsageError(`${path} cannot be ${done} (${code})`, undefined, { cause });
  }
}

function removeEmpty(root: string, folder: string): void {
  for (let at = folder; at !== "."; at = dirname(at)) {
    if (readdirSync(join(root, at)).length > 0) return;
    rmdirSync(join(root, at));
  }
}
