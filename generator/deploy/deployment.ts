import { createHash } from "node:crypto";
import { OPERATOR } from "../emit/documents/broker-accounts.js";
import { passwordVariableOf } from "../emit/documents/nats-conf.js";
import { hasExisting } from "../model/has-existing.js";
import type { Call, Database, Mesh, Service } from "../model/mesh.js";
import { nameOnServer } from "../model/names.js";
import { ownServices } from "../model/own-services.js";

/*
 * What a mesh needs wherever it runs: its services with the variables of each and whom it reaches, its databases, its broker. Targets print it in their own words.
 */

export interface Deployment {
  readonly mesh: Mesh;
  /** Of the mesh, as a label of a host name: namespace, images, and what all its pods are labelled with. */
  readonly name: string;
  readonly services: readonly DeployedService[];
  /** Of our services, in the order in which roles are made: what shares a database comes behind the one that it lies in. */
  readonly databases: readonly DeployedDatabase[];
  /** undefined: nothing is published or heard. */
  readonly broker: Broker | undefined;
}

export interface DeployedService {
  readonly service: Service;
  /** Label of a host name: a service may have `_` in its name, a host may not. */
  readonly host: string;
  readonly port: number;
  readonly database: DeployedDatabase | undefined;
  readonly usesBroker: boolean;
  /** Our services that it calls over HTTP, sync and existence included. */
  readonly calls: readonly Callee[];
  /** Whether it calls services that run elsewhere. */
  readonly callsExternal: boolean;
  readonly hasHooks: boolean;
  /** Variables that its hooks read, and mesh.yaml does not name. */
  readonly hookVariables: readonly string[];
}

export interface Callee {
  readonly host: string;
  readonly port: number;
  readonly urlVariable: string;
}

export interface DeployedDatabase {
  readonly database: Database;
  /** What PostgreSQL calls it. */
  readonly onServer: string;
  /** It was there before the mesh: where it is, and who owns it, only its owner knows. */
  readonly existing: boolean;
}

export interface Broker {
  /** As many as the streams of mesh.yaml have replicas. */
  readonly servers: number;
  /** Whether a stream is to be made by its external owner: provisioning says so until it is there. */
  readonly awaitsOwner: boolean;
  /** In bytes; what all streams may hold together on one server. */
  readonly storage: number;
  readonly users: readonly BrokerUser[];
}

export interface BrokerUser {
  readonly name: string;
  readonly passwordVariable: string;
}

/** In the variables of each service, also of one without `http`. */
const PORT = "PORT";

/** By service, the variables that its hooks read; a service without hooks is not in it. */
export type HookVariables = ReadonlyMap<string, readonly string[]>;

export function planDeployment(mesh: Mesh, hooks: HookVariables = new Map()): Deployment {
  const own = ownServices(mesh.services);
  const existing = new Set(mesh.databases.filter(hasExisting).map(nameOnServer));
  const databases = mesh.databases
    .filter(({ service }) => own.some(({ name }) => name === service))
    .map((database) => ({
      database,
      onServer: nameOnServer(database),
      existing: existing.has(nameOnServer(database)),
    }))
    .toSorted((a, b) => Number(a.database.shared !== undefined) - Number(b.database.shared !== undefined));
  const callsOf = ({ name }: Service) => mesh.calls.filter(({ caller }) => caller === name);
  return {
    mesh,
    name: hostLabel(mesh.name),
    services: own.map((service) => ({
      service,
      host: hostLabel(service.name),
      port: portOf(service),
      database: databases.find(({ database }) => database.name === service.database),
      usesBroker: reads(service, "NATS_URL"),
      calls: callsOf(service).flatMap((call) => calleeOf(call, own)),
      callsExternal: callsOf(service).some((call) => calleeOf(call, own).length === 0),
      hasHooks: hooks.has(service.name),
      hookVariables: (hooks.get(service.name) ?? []).filter((name) => !reads(service, name)),
    })),
    databases,
    broker: own.some((service) => reads(service, "NATS_URL")) ? planBroker(mesh) : undefined,
  };
}

function calleeOf({ callee, urlVariable }: Call, own: readonly Service[]): readonly Callee[] {
  const service = own.find(({ name }) => name === callee);
  return service === undefined ? [] : [{ host: hostLabel(callee), port: portOf(service), urlVariable }];
}

function planBroker(mesh: Mesh): Broker {
  const letters = mesh.services.flatMap(({ deadLetters }) => deadLetters ?? []);
  const replicas = [...mesh.streams, ...letters].map((stream) => stream.replicas ?? 1);
  return {
    servers: Math.max(1, ...replicas),
    awaitsOwner: mesh.streams.some(({ external, described }) => external && !described),
    storage: mesh.streams.reduce((sum, { maxBytes }) => sum + maxBytes, 2 ** 30 * letters.length),
    users: [OPERATOR, ...mesh.services.map(({ name }) => name)].map((name) => ({
      name,
      passwordVariable: passwordVariableOf(name),
    })),
  };
}

/** Whether the mesh makes databases of its own, on a server that it is given. */
export function isPostgresOurs({ databases }: Deployment): boolean {
  return databases.some(({ existing }) => !existing);
}

export function reads({ environment }: Service, variable: string): boolean {
  return environment.some(({ name }) => name === variable);
}

function portOf({ environment }: Service): number {
  return Number(environment.find(({ name }) => name === PORT)?.default);
}

/** `my_service` → `my-service`. What is too long for DNS ends with a digest of the whole. */
export function hostLabel(name: string): string {
  const label = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "");
  if (label.length <= MAX_LABEL) return label;
  return `${label.slice(0, MAX_LABEL - 9)}-${createHash("sha256").update(name).digest("hex").slice(0, 8)}`;
}

const MAX_LABEL = 63;

/** The name, unless a service of the mesh has it: services are called as mesh.yaml calls them. */
export function freeName(name: string, deployment: Pick<Deployment, "services">): string {
  const isTaken = deployment.services.some(({ host }) => host === name);
  return isTaken ? freeName(`mesh-${name}`, deployment) : name;
}

/** Seconds from SIGTERM to SIGKILL: a service gives itself 25.5, its last log lines included. */
export const STOP_SECONDS = 27;

/** Made by `npm run build`. */
export function mainOf({ name }: Service): string {
  return `dist/generated/${name}/main.js`;
}

/** Variables of a service that everybody may read. `broker`: its URL. */
export function openVariables(
  { service, calls, usesBroker }: DeployedService,
  { broker, urlOf }: { readonly broker: string; readonly urlOf: (callee: Callee) => string },
): Readonly<Record<string, string>> {
  return {
    HOST: "0.0.0.0",
    ...(usesBroker ? { NATS_URL: broker } : {}),
    // A job does, as the owner.
    ...(reads(service, "MIGRATE") ? { MIGRATE: "off" } : {}),
    ...Object.fromEntries(calls.map((callee) => [callee.urlVariable, urlOf(callee)])),
  };
}
