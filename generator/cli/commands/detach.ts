import { createPool, type Detached, detachDatabase } from "@meshwright/runtime";
import { hasExisting } from "../../model/has-existing.js";
import type { Database } from "../../model/mesh.js";
import { meshSchema } from "../../model/names.js";
import { describedTables, describedViews } from "../../project/described-tables.js";
import { UsageError } from "../../project/usage-error.js";
import { print, printJson, quietLogger, withProgress } from "../../terminal/terminal.js";
import type { ExitCode } from "../exit-code.js";
import { findRunningMesh, ownerUrl } from "../running-mesh.js";

export interface DetachCommandOptions {
  readonly dropEvents?: boolean;
  readonly dropTables?: boolean;
  readonly json?: boolean;
}

/** Takes the mesh from the database of one service, which existed before. */
export async function detach(name: string, options: DetachCommandOptions): Promise<ExitCode> {
  const running = await findRunningMesh(name);
  const [service] = running.services;
  const database = running.mesh.databases.find((each) => each.name === service?.database);
  if (service === undefined || database === undefined)
    throw new UsageError(`${name} has no database to take the mesh from`);
  if (!hasExisting(database))
    throw new UsageError(
      `no table of ${database.name} existed before the mesh: there is nothing to go back to`,
      "drop the database, if that is meant",
    );
  const { url } = ownerUrl(running, service);
  const pool = createPool({
    url,
    service: `${name} (mesh detach)`,
    max: 1,
    meshSchema: meshSchema(database),
    logger: quietLogger,
  });
  const client = await pool.connect();
  try {
    const tables = describedTables(database);
    const views = describedViews(database);
    const { dropEvents = false, dropTables = false } = options;
    const work = () =>
      detachDatabase(client, {
        service: name,
        tables,
        views,
        role: database.roles.service,
        dropEvents,
        dropTables,
      });
    const detached = await withProgress(`taking the mesh from ${database.name}`, work);
    if (options.json) printJson({ service: name, database: database.name, ...detached });
    else describe(database, detached);
    return 0;
  } finally {
    client.release();
    await pool.end();
  }
}

function describe(mesh: Database, { triggers, constraints, indexes, tables, left }: Detached): void {
  const database = mesh.name;
  if (triggers + constraints + indexes + tables.length === 0)
    print(`${database}: nothing of the mesh is there`);
  else
    print(
      `${database}: dropped ${triggers} triggers, ${constraints} checks, ${indexes} indexes` +
        `${tables.length === 0 ? "" : `, the tables ${tables.join(", ")}`}, and schema ${meshSchema(mesh)} with its grants`,
    );
  if (left.length > 0) print(`${database}: of your own SQL there stay ${left.join(", ")}`);
}
