import { byName } from "../../collections/compare-names.js";
import type { ServiceSymbol } from "../../language/symbols.js";
import type { Call, EnvironmentVariable } from "../mesh.js";
import { databaseRoles, databaseUrlVariable, passwordVariable } from "../names.js";

/** What the runtime itself reads; a mesh cannot use these names for something else. */
export const builtInVariables: readonly string[] = [
  "NATS_URL",
  "OPERATOR_KEY",
  "METRICS_KEY",
  "PORT",
  "HOST",
  "LOG_LEVEL",
  "LOG_EVENTS",
  "NATS_USER",
  "NATS_PASSWORD",
  "NATS_TOKEN",
  "NATS_NKEY",
  "NATS_CREDS",
  "NATS_CERT",
  "NATS_KEY",
  "NATS_CA",
  "NATS_TLS_FIRST",
  "MESH_HOOKS",
  "DATABASE_URL",
  "DATABASE_PASSWORD",
  "MIGRATE",
];

/** Of a service without `http`: what operators ask is answered there as well. */
const DEFAULT_PORT = 8080;

export interface EnvironmentParts {
  /** Of the whole mesh. */
  readonly calls: readonly Call[];
  /** Whether it publishes or subscribes. */
  readonly usesBroker: boolean;
}

/**
 * The documented variables, then the rest of the runtime's, then the service's own by name. The runtime derives its own list
 * (`runtimeVariables`); a test holds the two together.
 */
export function buildEnvironment(
  service: ServiceSymbol,
  { calls, usesBroker }: EnvironmentParts,
): readonly EnvironmentVariable[] {
  if (service.external) return [];
  const out = calls.filter(({ caller }) => caller === service.name);
  const within = calls.filter(({ callee, caller }) => callee === service.name && caller !== service.name);
  const ofBroker = (variables: readonly EnvironmentVariable[]) => (usesBroker ? variables : []);
  return [
    ...ofBroker([
      variable("NATS_URL", "NATS JetStream URL", { required: true, example: "nats://nats:4222" }),
    ]),
    ...out.filter(({ optional }) => !optional).map(urlVariable),
    ...out.filter(({ optional }) => optional).map(urlVariable),
    ...databaseVariables(service),
    variable(
      "OPERATOR_KEY",
      "Key that may call everything, for operators alone; a service needs no more of it than `sha256:` and its SHA-256 in hex",
      { required: true },
    ),
    ...[...out, ...within].map(keyVariable),
    METRICS_KEY,
    ...httpVariables(service),
    variable("LOG_LEVEL", "trace, debug, info, warn, error or silent", { default: "info" }),
    ...ofBroker([LOG_EVENTS, ...LOGIN]),
    variable("MESH_HOOKS", "Module with the hooks of the service, instead of the one in the hooks folder"),
    ...(service.database === undefined ? [] : [MIGRATE]),
    ...ownVariables(service),
  ];
}

const METRICS_KEY = variable(
  "METRICS_KEY",
  "Key of Prometheus, which opens `/metrics` and nothing else; `open` where that needs no key",
);

const LOG_EVENTS = variable("LOG_EVENTS", "on: a line of the log for each event, published or applied", {
  default: "off",
});

/** Beside these, files of secrets: each variable X may be given as X_FILE. */
const LOGIN = [
  variable("NATS_USER", "Broker user of the service; see nats.conf"),
  variable("NATS_PASSWORD", "Password of the broker user"),
  variable("NATS_TOKEN", "Token, where the broker wants one"),
  variable("NATS_NKEY", "Seed of the service's nkey, or its file"),
  variable(
    "NATS_CREDS",
    "The service's JWT and seed, or the .creds file with them; mesh credentials makes it",
  ),
  variable("NATS_CERT", "Certificate that the service shows to the broker, PEM, or its file"),
  variable("NATS_KEY", "Key of that certificate, PEM, or its file"),
  variable("NATS_CA", "Authorities that may vouch for the broker, PEM, or their file"),
  variable("NATS_TLS_FIRST", "on, where the broker has handshake_first", { default: "off" }),
];

const MIGRATE = variable(
  "MIGRATE",
  "on, or off where somebody else migrates: the service then waits for it, as it does under a role that may not migrate",
  {
    default: "on",
  },
);

function urlVariable(call: Call): EnvironmentVariable {
  const { callee, reasons } = call;
  const purpose = reasons.includes("sync")
    ? " for the initial sync"
    : reasons.includes("declared")
      ? ", which it calls"
      : ", to find what it deleted while the event was lost";
  return variable(call.urlVariable, `URL of the ${callee} service${purpose}`, {
    ...(call.optional ? {} : { required: true }),
    example: `http://${callee}-service:80`,
  });
}

function keyVariable(call: Call): EnvironmentVariable {
  return variable(
    call.keyVariable,
    `Key that ${call.caller} shows to ${call.callee}, and to nobody else; two, separated by a comma, while the first replaces the second`,
    call.optional ? {} : { required: true },
  );
}

function variable(
  name: string,
  description: string,
  rest: { readonly required?: true; readonly default?: string; readonly example?: string } = {},
): EnvironmentVariable {
  return {
    name,
    builtIn: true,
    description,
    required: rest.required ?? false,
    default: rest.default,
    example: rest.example,
  };
}

function databaseVariables({ database, name: service }: ServiceSymbol): readonly EnvironmentVariable[] {
  if (database === undefined) return [];
  const { name, shares } = database;
  const within = shares === undefined ? "" : `, which lies in ${shares.value}`;
  return [
    variable(
      databaseUrlVariable(name),
      `PostgreSQL URL of ${name}${within}; DATABASE_URL where it is not set`,
      {
        required: true,
        example: `postgres://${databaseRoles(service).service}:password@localhost:5432/${shares?.value ?? name}`,
      },
    ),
    variable(
      passwordVariable(databaseUrlVariable(name)),
      `Password for ${databaseUrlVariable(name)}, where the URL holds none`,
    ),
  ];
}

function httpVariables({ node }: ServiceSymbol): readonly EnvironmentVariable[] {
  const port = node?.get.http?.get.port?.value ?? DEFAULT_PORT;
  return [
    variable("PORT", "Port of the HTTP server", { default: String(port) }),
    variable("HOST", "Address that the HTTP server listens on", { default: "127.0.0.1" }),
  ];
}

function ownVariables({ node }: ServiceSymbol): readonly EnvironmentVariable[] {
  return (node?.get.environment?.entries ?? [])
    .map(({ name, node: value }): EnvironmentVariable => {
      if (value === undefined || value.kind === "scalar") {
        return {
          name: name.value,
          builtIn: false,
          description: "",
          required: false,
          default: value?.text,
          example: undefined,
        };
      }
      const { default: fallback, description, required, example } = value.get;
      return {
        name: name.value,
        builtIn: false,
        description: description?.value ?? "",
        required: required?.value ?? false,
        default: fallback?.text,
        example: example?.text,
      };
    })
    .sort(byName);
}
