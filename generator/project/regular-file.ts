import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { UsageError } from "./usage-error.js";

/** O_NONBLOCK, which Windows lacks: opening a FIFO without a writer would block for ever. */
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** At most so many bytes of a file; undefined where there is none. What is no file, or may not be read, is refused. */
export async function readRegularFile(path: string, most: number): Promise<Uint8Array | undefined> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, FLAGS);
    if (!(await file.stat()).isFile()) throw new UsageError(`${path} is no file`);
    const buffer = Buffer.alloc(Math.min(most, (await file.stat()).size));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    return buffer.subarray(0, bytesRead);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    if (cause instanceof UsageError || code === undefined) throw cause;
    throw new UsageError(`${path} cannot be read (${code})`, undefined, { cause });
  } finally {
    await file?.close();
  }
}

/**
 * A file that somebody named, emptied, to be written: opened before long work, whose result would have no place. A FIFO that nobody reads
 * is refused, where opening it would block for ever.
 */
export async function openGivenFile(path: string): Promise<FileHandle> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | (constants.O_NONBLOCK ?? 0);
  return await open(path, flags).catch((cause: NodeJS.ErrnoException) => {
    throw new UsageError(`${path} cannot be written (${cause.code})`, undefined, { cause });
  });
}
