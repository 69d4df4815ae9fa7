import { access } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import {
  connectJetStream,
  createPool,
  lettersInDatabase,
  lettersInStream,
  loadService,
  type ServiceDefinition,
  type ServiceFactory,
  type ServiceLetters,
} from "@meshwright/runtime";
import type pg from "pg";
import type { Service } from "../model/mesh.js";
import { refuseOtherModules } from "../project/module-type.js";
import { GENERATED } from "../project/paths.js";
import { UsageError } from "../project/usage-error.js";
import { quietLogger } from "../terminal/terminal.js";
import { databaseUrl, natsLogin, type RunningMesh } from "./running-mesh.js";

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
  const { definition, env } = await loadForOperator(running, service);
  const pool = createPool({
    url: databaseUrl(running, service),
    service: `${service.name} (mesh)`,
    max: 4,
    meshSchema: definition.database?.shared?.schema,
    logger: quietLogger,
  });
  try {
    return await work({ definition, pool, env });
  } finally {
    await pool.end();
  }
}

/** The generated code of a service, with the environment that its hooks would find. */
export async function loadForOperator(
  running: RunningMesh,
  service: Service,
): Promise<Omit<LoadedService, "pool">> {
  const definition = await loadDefinition(service);
  const defaults = (definition.environment ?? []).map(({ name, default: value }) => [name, value]);
  return { definition, env: { ...Object.fromEntries(defaults), ...running.env } };
}

/** The dead letters of a service, in its database or, where it has none, on the broker; open while `work` runs. */
export async function withLetters<T>(
  running: RunningMesh,
  service: Service,
  work: (letters: ServiceLetters) => Promise<T>,
): Promise<T> {
  if (service.database !== undefined)
    return await withService(running, service, (loaded) =>
      work(lettersInDatabase({ ...loaded, logger: quietLogger })),
    );
  const { definition, env } = await loadForOperator(running, service);
  const { stateless } = definition;
  if (stateless === undefined) throw new Error(`service "${service.name}" is generated, and hears nothing`);
  const login = { ...natsLogin(running), name: "mesh_operator", logger: quietLogger };
  const broker = await connectJetStream(login);
  try {
    return await work(lettersInStream({ definition, stateless, broker, env, logger: quietLogger }));
  } finally {
    await broker.close();
  }
}

/** Loads the generated code of a service, with the hooks beside it. */
export async function loadDefinition({ name, names }: Service): Promise<ServiceDefinition> {
  await refuseOtherModules(process.cwd());
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
