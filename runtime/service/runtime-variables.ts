import type { EnvironmentDefinition, ServiceDefinition } from "../definition/service-definition.js";
import { calledServices } from "./called-services.js";
import { LOGIN_VARIABLES, passwordVariable } from "./credentials.js";
import { METRICS_KEY, OPERATOR_KEY } from "./service-keys.js";

const DEFAULT_PORT = 8080;

/**
 * The variables that the runtime reads for a service, beside those of `environment` in mesh.yaml. The generator says the same in
 * .env.example and the README. A database URL counts as set where `DATABASE_URL` is.
 */
export function runtimeVariables(definition: ServiceDefinition): readonly EnvironmentDefinition[] {
  const called = calledServices(definition);
  const callers = definition.callers ?? [];
  const variables: EnvironmentDefinition[] = [
    ...(needsBroker(definition) ? BROKER : []),
    ...called.map(({ urlVariable: name, optional }) => needed(name, optional)),
    ...(definition.database === undefined
      ? []
      : [
          needed(definition.database.urlVariable),
          { name: passwordVariable(definition.database.urlVariable) },
        ]),
    needed(OPERATOR_KEY),
    ...[...called, ...callers].map(({ keyVariable: name, optional }) => needed(name, optional)),
    { name: METRICS_KEY },
    { name: "PORT", default: String(definition.http?.port ?? DEFAULT_PORT) },
    { name: "HOST", default: "127.0.0.1" },
    { name: "LOG_LEVEL", default: "info" },
    ...(needsBroker(definition) ? [{ name: "LOG_EVENTS", default: "off" }] : []),
    { name: "MESH_HOOKS" },
    ...(definition.database === undefined ? [] : [{ name: "MIGRATE", default: "on" }]),
  ];
  return distinct(variables);
}

const BROKER: readonly EnvironmentDefinition[] = [
  { name: "NATS_URL", required: true },
  ...LOGIN_VARIABLES.map((name) => (name === "NATS_TLS_FIRST" ? { name, default: "off" } : { name })),
];

/** False for a service that neither publishes nor subscribes. */
export function needsBroker({ stream, consumers, stateless }: ServiceDefinition): boolean {
  return stream !== undefined || consumers.length > 0 || stateless !== undefined;
}

function needed(name: string, optional?: true): EnvironmentDefinition {
  return optional === true ? { name } : { name, required: true };
}

/** A service may be called for several reasons: one that cannot do without is enough. */
function distinct(variables: readonly EnvironmentDefinition[]): readonly EnvironmentDefinition[] {
  const byName = new Map<string, EnvironmentDefinition>();
  for (const variable of variables)
    if (byName.get(variable.name)?.required !== true) byName.set(variable.name, variable);
  return [...byName.values()];
}
