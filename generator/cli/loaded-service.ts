import { access } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { createPool, loadService, type ServiceDefinition, type ServiceFactory } from "@meshwright/runtime";
import type pg from "pg";
import type { Service } from "../model/mesh.js";
import { GENERATED } from "../project/paths.js";
import { UsageError } from "../project/usage-error.js";
import { quietLogger } from "../terminal/terminal.js";
import { databaseUrl, type RunningMesh } from "./running-mesh.js";

/** A service as its own process would have it, to be operated on from outside. */
export interface LoadedService {
  readonly definition: ServiceDefinition;
  readonly pool: pg.Pool;
  /** Variables of mesh.yaml's `environment` have their defaults. */
  readonly env: NodeJS.ProcessEnv;
}

/** Loads generated code and hooks of one service, opens its database, and closes it after `work`. */
export async function withService<T>(
  running: RunningMesh,
  service: Service,
  work: (loaded: LoadedService) => Promise<T>,
): Promise<T> {
  const definition = await loadDefinition(service);
  const url = databaseUrl(running, service);
  const pool = createPool({ url, service: `${service.name} (mesh)`, max: 4, logger: quietLogger });
  const defaults = (definition.environment ?? []).map(({ name, default: value }) => [name, value]);
  try {
    return await work({ definition, pool, env: { ...Object.fromEntries(defaults), ...running.env } });
  } finally {
    await pool.end();
  }
}

/** Loads the generated code of a service, with the hooks beside it. */
export async function loadDefinition({ name, names }: Service): Promise<ServiceDefinition> {
  const folder = resolve(GENERATED, name);
  const ending = await access(resolve(folder, "service.ts")).then(
    () => "ts",
    () => "js",
  );
  if (ending === "ts") (await import("tsx/esm/api")).register();
  const file = pathToFileURL(resolve(folder, `service.${ending}`)).href;
  const module: Readonly<Record<string, unknown>> = await import(file).catch((cause: unknown) => {
    throw new UsageError(`the generated service "${name}" cannot be loaded`, "run `mesh generate`", {
      cause,
    });
  });
  const factory = module[`${names.value}Service`];
  if (typeof factory !== "function")
    throw new UsageError(`${file} is not what this version generates`, "run `mesh generate`");
  return loadService(
    factory as ServiceFactory<object>,
    pathToFileURL(resolve(folder, `main.${ending}`)).href,
  );
}
