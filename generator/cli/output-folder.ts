import { mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { OutputFolder } from "../emit/file.js";

/** The output folder on disk. A folder that is not there reads as an empty one. */
export function openOutputFolder(root: string): OutputFolder {
  return {
    list: (folder) =>
      orElse([], () =>
        readdirSync(join(root, folder), { withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => entry.name),
      ),
    folders: () =>
      orElse([], () =>
        readdirSync(root, { withFileTypes: true })
          .filter((entry) => entry.isDirectory())
          .map((entry) => entry.name)
          .sort(),
      ),
    read: (path) => orElse(undefined, () => readFileSync(join(root, path), "utf8").replaceAll("\r\n", "\n")),
    write(path, text) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    },
    remove(path) {
      rmSync(join(root, path), { force: true });
      removeEmpty(root, dirname(path));
    },
  };
}

/** What is missing is no error: a fresh clone, or a file that somebody deleted. */
function orElse<T>(missing: T, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return missing;
    throw error;
  }
}

function removeEmpty(root: string, folder: string): void {
  for (let at = folder; at !== "." && at !== ""; at = dirname(at)) {
    if (readdirSync(join(root, at)).length > 0) return;
    rmdirSync(join(root, at));
  }
}
