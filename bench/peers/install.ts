import { execFile } from "node:child_process";
import { cp, mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/* Peers are no dependencies of this repository: the bench installs each once, at exact versions, into a cache of its own. */

const CACHE = fileURLToPath(new URL("../../node_modules/.cache/meshwright-bench/", import.meta.url));

/** What stands in a peer's package.json. */
export type Packages = Readonly<Record<string, string>>;

export interface Peer {
  readonly folder: string;
  /** Runs a program of bench/peers in the peer's folder, and reads the JSON of its last line. */
  run<T>(program: string, env: Readonly<Record<string, string>>): Promise<T>;
}

/** Undefined without a registry, after saying so: what cannot be had is not measured. */
export async function installPeer(name: string, packages: Packages): Promise<Peer | undefined> {
  const folder = join(CACHE, `${name}-${Object.values(packages).join("-")}`);
  if (!(await stat(folder).catch(() => undefined))) {
    try {
      await install(folder, packages);
    } catch (error) {
      const [reason] = String(error instanceof Error ? error.message : error).split("\n");
      process.stderr.write(`${name} is left out: npm could not install it (${reason})\n`);
      return undefined;
    }
  }
  return { folder, run: (program, env) => runIn(folder, program, env) };
}

/** Renamed when it is whole: an install that was interrupted is none. */
async function install(folder: string, packages: Packages): Promise<void> {
  const partial = `${folder}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  const manifest = { private: true, type: "module", dependencies: packages };
  await writeFile(join(partial, "package.json"), JSON.stringify(manifest));
  const words = [
    "install",
    "--no-audit",
    "--no-fund",
    "--prefer-offline",
    "--ignore-scripts",
    "--loglevel=error",
  ];
  await promisify(execFile)("npm", words, { cwd: partial, timeout: 600_000 });
  await rename(partial, folder);
}

async function runIn<T>(folder: string, program: string, env: Readonly<Record<string, string>>): Promise<T> {
  // Below its packages, where Node looks for them.
  const programs = join(folder, "bench");
  await cp(fileURLToPath(new URL(".", import.meta.url)), programs, { recursive: true });
  const { stdout } = await promisify(execFile)(process.execPath, [join(programs, program)], {
    env: { ...process.env, NODE_OPTIONS: "", ...env },
    timeout: 300_000,
  });
  return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
}
