import { spawnSync } from "node:child_process";
import { GENERATED } from "../../project/paths.js";
import { UsageError } from "../../project/usage-error.js";
import { oneLine } from "../../quote/visible.js";
import { MOST_BYTES } from "../../source/bytes.js";

/** A commit of the repository that this folder is in, seen from this folder. */
export interface Commit {
  readonly id: string;
  /** undefined: the commit has no such file. */
  readonly read: (path: string) => Buffer | undefined;
  /** Names of the files in a folder. */
  readonly list: (folder: string) => readonly string[];
}

/** The commit that a ref names; says in one line why there is none. */
export function findCommit(ref: string): Commit {
  const { ok, text: id } = git("rev-parse", "--verify", "--quiet", "--end-of-options", `${ref}^{commit}`);
  if (!ok) throw explain(ref);
  return {
    id,
    read: (path) => {
      const { status, stdout } = run("cat-file", "blob", `${id}:./${path}`);
      return status === 0 ? stdout : undefined;
    },
    list: (folder) =>
      git("ls-tree", "--name-only", "-z", id, `./${folder}/`)
        .text.split("\0")
        .flatMap((path) => (path === "" ? [] : path.slice(path.lastIndexOf("/") + 1))),
  };
}

/** `systems/`: this folder, from the top of its repository; empty where it is the top, or in none. */
export function folderInRepository(): string {
  try {
    const { ok, text } = git("rev-parse", "--show-prefix");
    return ok ? text : "";
  } catch (error) {
    if (error instanceof UsageError) return "";
    throw error;
  }
}

/**
 * Whether a commit that this repository knows has the file of generated/, on whichever branch; undefined: there is no repository here. It is asked
 * once for each folder.
 */
export function openCommitted(): (path: string) => boolean | undefined {
  const folders = new Map<string, ReadonlySet<string> | undefined>();
  return (path) => {
    const folder = `${GENERATED}/${path.slice(0, path.lastIndexOf("/"))}`;
    if (!folders.has(folder)) folders.set(folder, filesEverIn(folder));
    return folders.get(folder)?.has(`${GENERATED}/${path}`);
  };
}

function filesEverIn(folder: string): ReadonlySet<string> | undefined {
  try {
    // A merge may bring a file of its own, and drop what one of its sides had.
    const { ok, text } = git(
      ..."log --all --full-history -m --relative --diff-filter=A --name-only --format= -z --".split(" "),
      folder,
    );
    return ok ? new Set(text.split("\0")) : undefined;
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}

function explain(ref: string): UsageError {
  if (git("rev-parse", "--is-inside-work-tree").text !== "true")
    return new UsageError(
      `there is no git repository here, and no file ${ref}: nothing to compare with`,
      "compare with another mesh.yaml or a lock: mesh diff --against <file>",
    );
  const isShallow = git("rev-parse", "--is-shallow-repository").text === "true";
  return new UsageError(
    `${ref} is neither a file nor a commit that this repository has`,
    isShallow
      ? "this clone is shallow: fetch more of it (git fetch --deepen=50, or fetch-depth: 0 in CI)"
      : "git fetch brings what others have pushed; branches of theirs are called origin/…",
  );
}

function git(...words: readonly string[]): { readonly ok: boolean; readonly text: string } {
  const { status, stdout } = run(...words);
  return { ok: status === 0, text: stdout.toString("utf8").trim() };
}

function run(...words: readonly string[]) {
  const result = spawnSync("git", words, { maxBuffer: 4 * MOST_BYTES, stdio: ["ignore", "pipe", "ignore"] });
  if (result.error === undefined) return result;
  throw new UsageError(
    `git cannot be run: ${oneLine(result.error.message)}`,
    "compare with a file instead: mesh diff --against <mesh.yaml or mesh.lock.json>",
    { cause: result.error },
  );
}
