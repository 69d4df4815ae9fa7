import { randomBytes } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeNamedFolder } from "../project/make-folder.js";
import { UsageError } from "../project/usage-error.js";
import { removePostgres } from "./servers/postgres-server.js";

/** Where `mesh dev` keeps everything between runs. */
export interface State {
  readonly folder: string;
  readonly postgres: string;
  readonly nats: string;
  /** The operator's key, which every service accepts. The same after a restart, so that a shell that holds it keeps working. */
  readonly operatorKey: string;
  /** Releases the lock, so that another run may open the folder. */
  release(): Promise<void>;
}

/** Opens the state folder for this process alone; two meshes on one set of data would destroy it. */
export async function openState(folder: string, fresh: boolean): Promise<State> {
  makeNamedFolder(folder);
  const lock = join(folder, "dev.pid");
  await takeLock(lock);
  const postgres = join(folder, "postgres");
  const nats = join(folder, "nats");
  const keyFile = join(folder, "service.key");
  if (fresh) {
    await removePostgres(postgres);
    await rm(nats, { recursive: true, force: true });
    await rm(keyFile, { force: true });
  }
  return {
    folder,
    postgres,
    nats,
    operatorKey: process.env.OPERATOR_KEY || (await keptKey(keyFile)),
    release: () => rm(lock, { force: true }),
  };
}

async function takeLock(lock: string): Promise<void> {
  for (;;) {
    try {
      return await writeFile(lock, String(process.pid), { flag: "wx" });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const holder = Number(await readFile(lock, "utf8").catch(() => ""));
    if (holder && (await isMesh(holder))) {
      throw new UsageError(
        `mesh dev already runs here (process ${holder})`,
        `stop it, or use another --state folder`,
      );
    }
    await rm(lock, { force: true });
  }
}

/** A killed run leaves its lock behind, and its process id may have been given to another program since. */
async function isMesh(pid: number): Promise<boolean> {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => undefined);
  return command === undefined || command.includes("\0dev");
}

async function keptKey(file: string): Promise<string> {
  const kept = await readFile(file, "utf8").catch(() => "");
  if (kept.trim()) return kept.trim();
  const key = makeKey();
  await writeFile(file, `${key}\n`, { mode: 0o600 });
  return key;
}

export function makeKey(): string {
  return randomBytes(24).toString("base64url");
}
