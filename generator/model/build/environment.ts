import type { ServiceSymbol } from "../../language/program.js";
import type { Consumer, EnvironmentVariable } from "../mesh.js";
import { databaseRoles, databaseUrlVariable, serviceUrlVariable } from "../names.js";
import { byName, compareNames } from "../order.js";

/** What the runtime itself reads; a mesh cannot use these names for something else. */
export const builtInVariables: readonly string[] = [
  "NATS_URL",
  "SERVICE_KEY",
  "PORT",
  "HOST",
  "LOG_LEVEL",
  "NATS_USER",
  "NATS_PASSWORD",
  "MESH_HOOKS",
  "DATABASE_URL",
  "MIGRATE",
];

/** The documented variables, then the rest of the runtime's, then the service's own by name. */
export function buildEnvironment(
  service: ServiceSymbol,
  consumers: readonly Consumer[],
): readonly EnvironmentVariable[] {
  if (service.external) return [];
  const needed = syncVariables(service);
  return [
    variable("NATS_URL", "NATS JetStream URL", { required: true, example: "nats://nats:4222" }),
    ...needed,
    ...sourceVariables(consumers).filter(({ name }) => !needed.some((one) => one.name === name)),
    ...databaseVariables(service),
    variable(
      "SERVICE_KEY",
      "Key that services show each other: expected from callers, sent to snapshot sources",
      {
        required: true,
      },
    ),
    ...httpVariables(service),
    variable("LOG_LEVEL", "trace, debug, info, warn, error or silent", { default: "info" }),
    variable("NATS_USER", "Broker user of the service; see nats.conf"),
    variable("NATS_PASSWORD", "Password of the broker user"),
    variable("MESH_HOOKS", "Module with the hooks of the service, instead of the one in the hooks folder"),
    variable(
      "MIGRATE",
      "on, or off where somebody else migrates: the service then waits for it, as it does under a role that may not migrate",
      {
        default: "on",
      },
    ),
    ...ownVariables(service),
  ];
}

function variable(
  name: string,
  description: string,
  rest: { readonly required?: true; readonly default?: string; readonly example?: string } = {},
): EnvironmentVariable {
  return {
    name,
    description,
    required: rest.required ?? false,
    default: rest.default,
    example: rest.example,
  };
}

function syncVariables(service: ServiceSymbol): readonly EnvironmentVariable[] {
  const sources = new Set<string>();
  for (const table of service.database?.tables.values() ?? []) {
    if (table.cacheOf !== undefined && table.node?.get.sync !== undefined)
      sources.add(table.cacheOf.value.service);
  }
  return [...sources].sort(compareNames).map((source) =>
    variable(serviceUrlVariable(source), `URL of the ${source} service for the initial sync`, {
      required: true,
      example: `http://${source}-service:80`,
    }),
  );
}

/** Not required: what a mesh without caches was deployed with goes on starting it. */
function sourceVariables(consumers: readonly Consumer[]): readonly EnvironmentVariable[] {
  const sources = new Map(consumers.flatMap(({ source }) => (source ? [[source.service, source]] : [])));
  return [...sources.values()].map(({ service, urlVariable }) =>
    variable(urlVariable, `URL of the ${service} service, to find what it deleted while the event was lost`, {
      example: `http://${service}-service:80`,
    }),
  );
}

function databaseVariables({ database, name: service }: ServiceSymbol): readonly EnvironmentVariable[] {
  if (database === undefined) return [];
  const { name } = database;
  return [
    variable(databaseUrlVariable(name), `PostgreSQL URL of ${name}; DATABASE_URL where it is not set`, {
      required: true,
      example: `postgres://${databaseRoles(service).service}:password@localhost:5432/${name}`,
    }),
  ];
}

function httpVariables({ node }: ServiceSymbol): readonly EnvironmentVariable[] {
  const port = node?.get.http?.get.port;
  if (port === undefined) return [];
  return [
    variable("PORT", "Port of the HTTP server", { default: String(port.value) }),
    variable("HOST", "Address that the HTTP server listens on", { default: "127.0.0.1" }),
  ];
}

function ownVariables({ node }: ServiceSymbol): readonly EnvironmentVariable[] {
  return (node?.get.environment?.entries ?? [])
    .map(({ name, node: value }): EnvironmentVariable => {
      if (value === undefined || value.kind === "scalar") {
        return {
          name: name.value,
          description: "",
          required: false,
          default: value?.text,
          example: undefined,
        };
      }
      const { default: fallback, description, required, example } = value.get;
      return {
        name: name.value,
        description: description?.value ?? "",
        required: required?.value ?? false,
        default: fallback?.text,
        example: example?.text,
      };
    })
    .sort(byName);
}
