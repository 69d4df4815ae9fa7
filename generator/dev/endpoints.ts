import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** `.mesh/endpoints.json`: where a running `mesh dev` is, for scripts, tests and the other commands. */
export interface Endpoints {
  /** A client without credentials hears every event here, and can do nothing else. */
  readonly nats: string;
  /** Who may hear and publish every subject of the mesh, and use its JetStream. Not known of a broker that asks nobody who he is. */
  readonly nats_operator: { readonly user: string; readonly pass: string } | undefined;
  /** URL of each database's owner, who may read and write every table. */
  readonly databases: Readonly<Record<string, string>>;
  readonly services: Readonly<Record<string, { readonly http: string }>>;
  /** The operator's key, which every service accepts for everything. */
  readonly service_key: string;
}

export const STATE_FOLDER = ".mesh";

/** Holds passwords: readable by its owner alone. Appears whole: whoever waits for the file may read it the moment it is there. */
export async function writeEndpoints(folder: string, endpoints: Endpoints): Promise<void> {
  const partial = join(folder, `endpoints.json.${process.pid}`);
  await writeFile(partial, `${JSON.stringify(endpoints, null, 2)}\n`, { mode: 0o600 });
  await rename(partial, join(folder, "endpoints.json"));
}

export async function removeEndpoints(folder: string): Promise<void> {
  await rm(join(folder, "endpoints.json"), { force: true });
}

/** undefined when no `mesh dev` runs here. */
export async function readEndpoints(folder = STATE_FOLDER): Promise<Endpoints | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, "endpoints.json"), "utf8")) as Endpoints;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
