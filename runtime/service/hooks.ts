import { access } from "node:fs/promises";
import { basename, dirname, isAbsolute, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { CascadeDefinition } from "../definition/consumer-definition.js";
import type { ServiceDefinition, ServiceFactory } from "../definition/service-definition.js";
import { codeOf } from "../text/error-message.js";
import { findUnknownHooks } from "./hook-names.js";
import { nearestName } from "./nearest.js";

/** The service's hooks are missing or cannot be loaded. */
export class HooksError extends Error {
  override readonly name = "HooksError";
}

/** Loads the hooks of a service and passes them in. `mainUrl` is the main module's `import.meta.url`. Rejects with `HooksError`. */
export async function loadService<Hooks extends object>(
  factory: ServiceFactory<Hooks>,
  mainUrl: string,
  chosen?: string,
): Promise<ServiceDefinition> {
  const { hooks, path } = await loadHooks(mainUrl, chosen);
  // The checks that follow name the file and the signature of a missing hook.
  const definition = factory(hooks as Hooks);
  requireHooks(definition, path);
  refuseUnknown(hooks, definition, path);
  return definition;
}

export interface HooksModule {
  readonly hooks: object;
  /** The file; undefined where the service has none. */
  readonly path: string | undefined;
}

/**
 * Finds the module of the service's hooks: `MESH_HOOKS`, else `hooks/<service>` beside `generated/`,
 * in the language that main itself is in. Its default export, or its export `<service>Hooks`, is the
 * hooks object. A service without one has no hooks; generated code never imports it.
 */
export async function loadHooks(mainUrl: string, chosen: string | undefined): Promise<HooksModule> {
  const main = fileURLToPath(mainUrl);
  const service = basename(dirname(main));
  const path = chosen === undefined ? await findHooks(main, service) : await requireFile(chosen);
  if (path === undefined) return { hooks: {}, path };
  return { hooks: hooksIn(await importHooks(path), { service, path }), path };
}

async function findHooks(main: string, service: string): Promise<string | undefined> {
  const endings = main.endsWith(".ts") ? ["ts", "js"] : ["js", "ts"];
  for (const ending of endings) {
    const path = resolve(dirname(main), "../../hooks", `${service}.${ending}`);
    if (await exists(path)) return path;
  }
  return undefined;
}

async function requireFile(chosen: string): Promise<string> {
  const path = chosen.startsWith("file:")
    ? fileURLToPath(chosen)
    : isAbsolute(chosen)
      ? chosen
      : resolve(chosen);
  if (await exists(path)) return path;
  throw new HooksError(`MESH_HOOKS names ${path}, which does not exist`);
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function importHooks(path: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await import(pathToFileURL(path).href);
  } catch (cause) {
    const advice =
      codeOf(cause) === "ERR_UNKNOWN_FILE_EXTENSION"
        ? ": plain Node cannot run TypeScript; compile it, or start with `mesh run`"
        : "";
    throw new HooksError(`cannot load the hooks in ${path}${advice}`, { cause });
  }
}

function hooksIn(
  module: Readonly<Record<string, unknown>>,
  { service, path }: { readonly service: string; readonly path: string },
): object {
  const name = exportName(service);
  const hooks = module.default ?? module[name];
  if (typeof hooks === "object" && hooks !== null) return hooks;
  const meant = nearestName(name, Object.keys(module));
  throw new HooksError(
    `${path} exports no hooks: it must have a default export or an export "${name}", an object` +
      (meant === undefined || meant === name ? "" : `; is its export "${meant}" meant to be that?`),
  );
}

/** `file-store` has `fileStoreHooks`. */
function exportName(service: string): string {
  const parts = service.split(/[-_]+/).filter((part) => part !== "");
  return `${parts.map((part, at) => (at === 0 ? part : part.charAt(0).toUpperCase() + part.slice(1))).join("")}Hooks`;
}

/** Whether somebody wrote the hook: a name like `valueOf` is found on every object. */
function isWritten({ name, call }: NonNullable<CascadeDefinition["before"]>): boolean {
  return typeof call === "function" && call !== Reflect.get(Object.prototype, name);
}

function refuseUnknown(hooks: object, definition: ServiceDefinition, path: string | undefined): void {
  const unknown = findUnknownHooks(hooks, definition);
  if (unknown.length === 0) return;
  const file = path === undefined ? "its hooks" : relative(process.cwd(), path);
  throw new HooksError(
    `service "${definition.name}" cannot start with ${file}:\n${unknown.map((line) => `  ${line}`).join("\n")}`,
  );
}

/** Throws `HooksError` where a rule of mesh.yaml names a hook that nobody wrote: without it, rows would be deleted too early. */
export function requireHooks(definition: ServiceDefinition, path?: string): void {
  const absent = definition.consumers.flatMap((consumer) =>
    consumer.events.flatMap(({ event, cascades = [] }) =>
      cascades
        // TypeScript requires the hook; JavaScript and casts do not.
        .filter(({ before }) => before !== undefined && !isWritten(before))
        .map(({ before, table }) => ({
          name: before?.name ?? "",
          table: table.name,
          on: `${consumer.entity}.${event.action}`,
        })),
    ),
  );
  if (absent.length === 0) return;
  const [service, hooks] = [definition.name, exportName(definition.name)];
  const type = hooks.charAt(0).toUpperCase() + hooks.slice(1);
  const file = path === undefined ? `hooks/${service}.ts` : relative(process.cwd(), path);
  const needs = absent.map(
    ({ name, table, on }) => `  ${name}, called on ${on} before a row of ${table} is deleted`,
  );
  const lines = absent.map(({ name }) => `    async ${name}({ row, logger, signal }) { … },`);
  throw new HooksError(
    `service "${service}" cannot start without ${absent.length === 1 ? "a hook" : "hooks"} that mesh.yaml names:\n${needs.join("\n")}\n` +
      `Write ${path === undefined ? "" : "it into "}${file}, or name another module in MESH_HOOKS:\n\n` +
      `  import type { ${type} } from "../generated/${service}/service.js";\n\n` +
      `  export const ${hooks}: ${type} = {\n${lines.join("\n")}\n  };\n`,
  );
}
