import "vitest";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { startNats, startPostgres } from "./servers.js";

declare module "vitest" {
  interface ProvidedContext {
    /** Superuser URL of the run's shared PostgreSQL: make a database of your own in it. */
    readonly postgres: string;
    /** The run's shared broker: use streams of your own, or start a broker of your own. */
    readonly nats: string;
  }
}

/** Starts one PostgreSQL and one broker for the whole run, on free ports; removes both afterwards. */
export default async function startShared({ provide }: TestProject): Promise<() => Promise<void>> {
  const folder = await openRunFolder();
  const [postgres, nats] = await Promise.all([startPostgres(), startNats()]);
  provide("postgres", postgres.url);
  provide("nats", nats.url);
  return async () => {
    await Promise.all([postgres.remove(), nats.remove()]);
    await rm(folder, { recursive: true, force: true });
  };
}

/** A folder for all temporary files of the run, removed with it: workers and their children inherit TMPDIR. */
async function openRunFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "mesh-tests-"));
  // As root, PostgreSQL runs under another uid, which must be able to enter the folder.
  await chmod(folder, 0o755);
  process.env.TMPDIR = folder;
  return folder;
}
