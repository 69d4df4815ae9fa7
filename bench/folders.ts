import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/*
 * Folders that stay until the section is done: for half a minute ext4 takes none of the inodes of removed files, and looks past each of
 * them whenever it makes a file. Twelve thousand that the round before has removed make this one's ten times as dear.
 */

const made: string[] = [];

export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "meshwright-bench-"));
  made.push(folder);
  return folder;
}

export function removeFolders(): void {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
}
