import { readFileSync, statSync } from "node:fs";
import { codeOf } from "./text/error-message.js";

/** Larger than any bundle of certificates; a log or a device is none. */
const MOST_BYTES = 4 * 1_024 * 1_024;

export type PlainFile =
  | { readonly text: string; readonly problem?: undefined }
  /** `is not a plain file`: what follows the name of the file. */
  | { readonly text?: undefined; readonly problem: string };

/** A secret or certificate from a file that somebody mounted. What is no file is not opened: a FIFO would block for ever. */
export function readPlainFile(path: string): PlainFile {
  try {
    const stats = statSync(path);
    if (!stats.isFile()) return { problem: "is not a plain file" };
    if (stats.size > MOST_BYTES) return { problem: "is too large for a secret" };
    return { text: readFileSync(path, "utf8") };
  } catch (error) {
    return { problem: reasonOf(error) };
  }
}

function reasonOf(error: unknown): string {
  const code = codeOf(error) ?? "";
  if (code === "ENOENT" || code === "ENOTDIR") return "does not exist";
  if (code === "EACCES" || code === "EPERM") return "may not be read by this user";
  return `cannot be read${code === "" ? "" : ` (${code})`}`;
}
