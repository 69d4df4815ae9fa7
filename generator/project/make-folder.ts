import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { UsageError } from "./usage-error.js";

/**
 * Makes a folder that may be there, with those above it. Not by Node's `recursive`, which tries for ever where nothing can be made, as
 * in /proc. `mode`: of those that are made.
 */
export function makeFolder(path: string, mode?: number): void {
  const above = dirname(path);
  if (above !== path && !existsSync(above)) makeFolder(above, mode);
  try {
    mkdirSync(path, mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST" || !statSync(path).isDirectory()) throw error;
  }
}

/** The same for a folder that somebody named: one line says why it cannot be. */
export function makeNamedFolder(path: string, mode?: number): void {
  try {
    makeFolder(path, mode);
  } catch (cause) {
    throw new UsageError(`${path} cannot be made (${(cause as NodeJS.ErrnoException).code})`, undefined, {
      cause,
    });
  }
}
