import {
  type BrokerLogin,
  brokerLogin,
  checkBroker,
  checkDatabase,
  LOGIN_VARIABLES,
  shownKey,
  databaseUrl as urlWithPassword,
} from "@meshwright/runtime";
import type { Compilation } from "../compile.js";
import { type Endpoints, readEndpoints, STATE_FOLDER } from "../dev/endpoints.js";
import { readExternal } from "../dev/external.js";
import type { Diagnostic } from "../diagnostics/diagnostic.js";
import type { Call, Mesh, Service } from "../model/mesh.js";
import { serviceUrlVariable } from "../model/names.js";
import { ownServices } from "../model/own-services.js";
import { environmentOf } from "../project/given-environment.js";
import { MESH_FILE } from "../project/paths.js";
import { UsageError } from "../project/usage-error.js";
import { compileProject, reportDiagnostics } from "./project.js";

/** A mesh that runs somewhere, and how to reach it. */
export interface RunningMesh {
  readonly mesh: Mesh;
  /** Those of ours that were asked for, and have a database. */
  readonly services: readonly Service[];
  /** Those of ours that were asked for, and have none. */
  readonly stateless: readonly Service[];
  /** What a service would find in its environment: the caller's, else what a running `mesh dev` wrote down. */
  readonly env: NodeJS.ProcessEnv;
  /** Mistakes that a database shows, at their places in mesh.yaml. */
  readonly locate: Compilation["locate"];
  /** What mesh.yaml is warned of. */
  readonly warnings: readonly Diagnostic[];
}

/** `only` narrows it to one service. */
export async function findRunningMesh(only?: string): Promise<RunningMesh> {
  const { mesh, diagnostics, locate } = await compileProject();
  if (!mesh) {
    reportDiagnostics(diagnostics, false);
    throw new UsageError(`${MESH_FILE} has errors, so it is unknown what to look for`);
  }
  const given = Object.fromEntries(Object.entries(environmentOf(mesh)).filter(([, value]) => value !== ""));
  const env = { ...(await developmentEnvironment(mesh, given)), ...given };
  const chosen = chooseServices(mesh, only);
  return {
    mesh,
    services: chosen.filter(({ database }) => database !== undefined),
    stateless: chosen.filter(({ database }) => database === undefined),
    env,
    locate,
    warnings: diagnostics,
  };
}

async function developmentEnvironment(mesh: Mesh, given: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
  const endpoints = await readEndpoints();
  if (!endpoints) return {};
  return {
    NATS_URL: endpoints.nats,
    ...operatorVariables(endpoints, given),
    OPERATOR_KEY: endpoints.service_key,
    ...(await externalKeys(mesh)),
    ...Object.fromEntries(
      mesh.databases.map(({ name, urlVariable }) => [urlVariable, endpoints.databases[name]]),
    ),
    ...Object.fromEntries(
      mesh.services.map(({ name }) => [serviceUrlVariable(name), endpoints.services[name]?.http]),
    ),
  };
}

/** The login of `mesh dev`'s operator, unless the environment names another broker, or another login. */
function operatorVariables(
  { nats_operator: operator }: Endpoints,
  given: NodeJS.ProcessEnv,
): NodeJS.ProcessEnv {
  const named = ["NATS_URL", ...LOGIN_VARIABLES].some((name) => given[name] !== undefined);
  if (operator === undefined || named) return {};
  return { NATS_USER: operator.user, NATS_PASSWORD: operator.pass };
}

/** The keys with which our services call external ones. The operator's key does not open those, as it opens our own services. */
async function externalKeys(mesh: Mesh): Promise<NodeJS.ProcessEnv> {
  const files = mesh.services
    .filter(({ external }) => external)
    .map(({ name }) => readExternal(STATE_FOLDER, name));
  const known = Object.assign({}, ...(await Promise.all(files))) as NodeJS.ProcessEnv;
  return Object.fromEntries(mesh.calls.map(({ keyVariable }) => [keyVariable, known[keyVariable]]));
}

function chooseServices(mesh: Mesh, only: string | undefined): readonly Service[] {
  const own = ownServices(mesh.services);
  if (only === undefined) return own;
  const chosen = own.filter((service) => service.name === only);
  if (chosen.length > 0) return chosen;
  const names = own.map(({ name }) => name).join(", ");
  throw new UsageError(`there is no service "${only}" of ours`, `${MESH_FILE} has ${names}`);
}

/** The URL of a service's database. */
export function databaseUrl(running: RunningMesh, service: Pick<Service, "database">): string {
  const variable = databaseVariable(running, service);
  return urlOf(running, variable) ?? missing(variable);
}

function urlOf({ env }: RunningMesh, variable: string): string | undefined {
  const [problem] = checkDatabase(variable, env);
  if (problem !== undefined) throw new UsageError(problem);
  return urlWithPassword(variable, env);
}

/** Where the URL is from: the database's own variable, else DATABASE_URL. */
export function databaseVariable({ mesh, env }: RunningMesh, service: Pick<Service, "database">): string {
  const own = mesh.databases.find(({ name }) => name === service.database)?.urlVariable ?? "DATABASE_URL";
  return env[own] === undefined && env.DATABASE_URL !== undefined ? "DATABASE_URL" : own;
}

/** The URL of who migrates a service's database, and the variable that it is from: the owner's, else the service's. */
export function ownerUrl(
  running: RunningMesh,
  service: Pick<Service, "database">,
): { readonly url: string; readonly variable: string } {
  const own = running.mesh.databases.find(({ name }) => name === service.database)?.ownerUrlVariable;
  const url = own === undefined ? undefined : urlOf(running, own);
  if (own === undefined || url === undefined)
    return { url: databaseUrl(running, service), variable: databaseVariable(running, service) };
  return { url, variable: own };
}

/** Where a service answers. */
export function serviceUrl(running: RunningMesh, service: Service): string {
  return findServiceUrl(running, service) ?? missing(serviceUrlVariable(service.name));
}

/** The same where it is known. */
export function findServiceUrl({ env }: RunningMesh, service: Service): string | undefined {
  return env[serviceUrlVariable(service.name)];
}

/** How the caller reaches the broker: as a service would, by the same variables. */
export function natsLogin({ env }: RunningMesh): BrokerLogin {
  if (env.NATS_URL === undefined) missing("NATS_URL");
  const [problem] = checkBroker(env);
  if (problem !== undefined) throw new UsageError(problem);
  return brokerLogin(env);
}

/** The key of operators. */
export function operatorKey({ env }: RunningMesh): string {
  const key = shownKey(env.OPERATOR_KEY ?? missing("OPERATOR_KEY"));
  if (key.startsWith("sha256:"))
    throw new UsageError(
      "OPERATOR_KEY is a digest, by which services know the key; here it has to be the key itself",
    );
  return key;
}

/**
 * What opens a service's sources: the service's own key where it is at hand, else the operator's; which no service
 * that is written by hand is shown.
 */
export function sourceKeys(running: RunningMesh, service: Service): NodeJS.ProcessEnv {
  return Object.fromEntries(
    sourceCalls(running, service).map(({ callee, keyVariable }) => [
      keyVariable,
      running.env[keyVariable] ?? (isExternal(running, callee) ? missing(keyVariable) : operatorKey(running)),
    ]),
  );
}

/** Whom a service reads snapshots from, as far as it is known here where they are. */
export function sourcesOf(
  running: RunningMesh,
  service: Service,
): readonly { readonly name: string; readonly url: string }[] {
  const names = new Set(sourceCalls(running, service).map(({ callee }) => callee));
  return [...names].flatMap((name) => {
    const url = running.env[serviceUrlVariable(name)];
    return url === undefined || url === "" ? [] : [{ name, url }];
  });
}

export function areSourceKeysKnown(running: RunningMesh, service: Service): boolean {
  return sourceCalls(running, service).every(
    ({ callee, keyVariable }) => running.env[keyVariable] !== undefined || !isExternal(running, callee),
  );
}

function sourceCalls({ mesh }: RunningMesh, { name }: Service): readonly Call[] {
  return mesh.calls.filter(
    ({ caller, reasons }) => caller === name && reasons.some((reason) => reason !== "declared"),
  );
}

function isExternal({ mesh }: RunningMesh, name: string): boolean {
  return mesh.services.some((service) => service.name === name && service.external);
}

function missing(variable: string): never {
  throw new UsageError(
    `${variable} is not set, and no mesh dev runs here`,
    "start `mesh dev`, or set the variable",
  );
}
