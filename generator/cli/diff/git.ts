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
    read: (path) => readBlob(`${id}:./${path}`),
    list: (folder) =>
      git("ls-tree", "--name-only", "-z", id, `./${folder}/`)
        .text.split("\0")
        .flatMap((path) => (path === "" ? [] : path.slice(path.lastIndexOf("/") + 1))),
  };
}

/** A symbolic link is followed within the commit, as reading the working tree follows it. */
function readBlob(name: string): Buffer | undefined {
  const { stdout } = run(["cat-file", "--batch", "--follow-symlinks"], `${name}\n`);
  const head = stdout.subarray(0, stdout.indexOf("\n"));
  const size = / blob (\d+)$/.exec(head.toString())?.[1];
  return size === undefined ? undefined : stdout.subarray(head.length + 1, head.length + 1 + Number(size));
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
  const { status, stdout, stderr } = run(["rev-parse", "--is-inside-work-tree"]);
  const [refusal = "", ...advice] = stderr
    .toString("utf8")
    .trim()
    .split(/\s*\n\s*/);
  if (status !== 0 && !refusal.includes("not a git repository"))
    // A job in a container has a checkout of another user, and git's advice is how to read it.
    return new UsageError(
      `git does not read the repository here: ${oneLine(refusal.replace(/^fatal: /, ""))}`,
      oneLine(advice.join(" ")) || undefined,
    );
  if (stdout.toString("utf8").trim() !== "true")
    return new UsageError(
      `there is no git repository here, and no file "${ref}": nothing to compare with`,
      "compare with another mesh.yaml or a lock: mesh diff --against <file>",
    );
  if (!git("rev-parse", "--verify", "--quiet", "HEAD").ok && git("for-each-ref", "--count=1").text === "")
    return new UsageError("the repository has no commit yet: nothing to compare with");
  const isShallow = git("rev-parse", "--is-shallow-repository").text === "true";
  return new UsageError(
    `"${ref}" is neither a file nor a commit that this repository has`,
    isShallow
      ? "this clone is shallow: fetch more of it (git fetch --deepen=50, or fetch-depth: 0 in CI)"
      : "git fetch brings what others have pushed; branches of theirs are called origin/…",
  );
}

function git(...words: readonly string[]): { readonly ok: boolean; readonly text: string } {
  const { status, stdout } = run(words);
  return { ok: status === 0, text: stdout.toString("utf8").trim() };
}

function run(words: readonly string[], input = "") {
  // Where the answer is words of git's, they are read in English.
  const env = { ...process.env, LC_ALL: "C" };
  const result = spawnSync("git", words, { maxBuffer: 4 * MOST_BYTES, input, env });
  if (result.error === undefined) return result;
  throw new UsageError(
    `git cannot be run: ${oneLine(result.error.message)}`,
    "compare with a file instead: mesh diff --against <mesh.yaml or mesh.lock.json>",
    { cause: result.error },
  );
}
