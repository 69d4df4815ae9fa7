import { createHash, randomBytes } from "node:crypto";
import { chown, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { exists, isOwnFolder, makeOwnFolder, reachableByOthers, type User } from "./files.js";
import { answers, freePort } from "./free-ports.js";
import { findPostgres } from "./postgres-binary.js";
import {
  type RunningServer,
  restartable,
  runProgram,
  ServerFailed,
  type ServerProcess,
  startServer,
} from "./process.js";

export interface PostgresOptions {
  /** Data and log live here, or under the system's temporary folder where PostgreSQL's user may not enter this one. */
  readonly folder: string;
  readonly port?: number | undefined;
  /** Server settings: `{ fsync: "off" }`. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly progress?: (text: string) => void;
}

/** Seconds on an idle machine; a minute on one that is busy with ten others. */
const INITDB_MS = 180_000;

const NOBODY: User = { uid: 65534, gid: 65534 };

/** A PostgreSQL server on 127.0.0.1; its URL is of the superuser, who has a password of its own, and the database `postgres`. */
export async function startPostgres(options: PostgresOptions): Promise<RunningServer> {
  const user = process.getuid?.() === 0 ? NOBODY : undefined;
  const bin = await findPostgres();
  const folder = await enterableFolder(options.folder, user);
  const data = join(folder, "data");
  const password = await initialise({ bin, data, user, progress: options.progress ?? (() => {}) });
  await endLeftover(data);
  let port = options.port ?? (await freePort());
  const launch = () => launchPostgres({ bin, folder, data, user, port, settings: options.settings ?? {} });
  const server = await launch().catch(async (error: unknown) => {
    if (!(error instanceof ServerFailed) || !/Address already in use|could not bind/.test(error.output))
      throw error;
    port = await freePort();
    return launch();
  });
  const url = `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`;
  return restartable(url, server, () => retryWhileInUse(launch));
}

/** Removes data that `startPostgres` left for this folder, wherever it had to put it. */
export async function removePostgres(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  const fallback = fallbackFolder(folder);
  if (await isOwnFolder(fallback)) await rm(fallback, { recursive: true, force: true });
}

/** A folder that belongs to this user, with the data of PostgreSQL's user inside: that user can replace nothing beside its data. */
async function enterableFolder(wanted: string, user: User | undefined): Promise<string> {
  await makeOwnFolder(wanted, user);
  if (!user || (await reachableByOthers(wanted))) return wanted;
  const fallback = fallbackFolder(wanted);
  await makeOwnFolder(fallback, user);
  return fallback;
}

/** Its name follows from the state folder, so that the next run finds its data again. */
function fallbackFolder(wanted: string): string {
  return join(
    tmpdir(),
    `meshwright-${createHash("sha256").update(resolve(wanted)).digest("hex").slice(0, 16)}`,
  );
}

interface Cluster {
  readonly bin: string;
  readonly data: string;
  readonly user: User | undefined;
}

/** Makes the cluster unless it is there. Resolves to the superuser's password, kept beside the data. */
async function initialise(cluster: Cluster & { progress: (text: string) => void }): Promise<string> {
  const { bin, data, user } = cluster;
  const secret = `${data}.password`;
  // Written last: its presence says that initdb had finished.
  const complete = `${data}.complete`;
  if (await exists(complete)) return readFile(secret, "utf8");
  cluster.progress("creating a PostgreSQL cluster");
  await rm(data, { recursive: true, force: true });
  await mkdir(data, { mode: 0o700 });
  const password = randomBytes(18).toString("base64url");
  await rm(secret, { force: true });
  await writeFile(secret, password, { mode: 0o600, flag: "wx" });
  if (user) for (const path of [data, secret]) await chown(path, user.uid, user.gid);
  // Not "mesh": "$user" comes first in the search path, and a role of that name would live in that schema.
  const args = ["-D", data, "-U", "postgres", "-E", "UTF8", "--locale=C", "-A", "scram-sha-256", "--no-sync"];
  await runProgram(join(bin, "initdb"), [...args, `--pwfile=${secret}`], {
    cwd: join(data, ".."),
    user,
    timeoutMs: INITDB_MS,
  });
  await writeFile(complete, "");
  return password;
}

/**
 * Deals with what a killed run left. A postmaster that still runs on this data is ended; a pid that
 * now belongs to some other program would make PostgreSQL refuse to start, so its file is removed.
 */
async function endLeftover(data: string): Promise<void> {
  const file = join(data, "postmaster.pid");
  const lines = (await readFile(file, "utf8").catch(() => "")).split("\n");
  const pid = Number(lines[0]);
  const port = Number(lines[3]);
  if (!pid || !isAlive(pid)) return;
  if (!port || !(await answers(port)) || !(await isPostmasterOf(pid, data))) {
    await rm(file, { force: true });
    return;
  }
  process.kill(pid, "SIGINT");
  for (let waited = 0; isAlive(pid); waited += 50) {
    if (waited > 10_000)
      throw new Error(`PostgreSQL (process ${pid}) already runs on ${data} and does not stop`);
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Where the system can tell, compares the command line; elsewhere the answering port has to do. */
async function isPostmasterOf(pid: number, data: string): Promise<boolean> {
  const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => undefined);
  return command === undefined || command.split("\0").includes(data);
}

interface Launch extends Cluster {
  readonly folder: string;
  readonly port: number;
  readonly settings: Readonly<Record<string, string>>;
}

function launchPostgres({ bin, folder, data, user, port, settings }: Launch): Promise<ServerProcess> {
  const all = {
    port: String(port),
    listen_addresses: "127.0.0.1",
    // No socket file: its usual folder belongs to the distribution's own server.
    unix_socket_directories: "",
    max_connections: "200",
    ...settings,
  };
  return startServer({
    name: "PostgreSQL",
    command: join(bin, "postgres"),
    args: ["-D", data, ...Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`])],
    cwd: data,
    user,
    // Fast shutdown: open transactions are rolled back.
    stopSignal: "SIGINT",
    ready: (line) => line.includes("ready to accept connections"),
    logFile: join(folder, "postgres.log"),
  });
}

/** The children of a killed postmaster take a moment to notice; until then it refuses to start. */
async function retryWhileInUse(launch: () => Promise<ServerProcess>): Promise<ServerProcess> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await launch();
    } catch (error) {
      const inUse =
        error instanceof ServerFailed && /still in use|lock file|already in use/.test(error.output);
      if (!inUse || attempt === 20) throw error;
      await new Promise((wake) => setTimeout(wake, 250));
    }
  }
}
