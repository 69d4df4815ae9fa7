import type { Consumer, Resource, Service } from "../../model/mesh.js";
import { pascalCase } from "../../model/names.js";
import { serviceTitle } from "../../model/service-title.js";
import { isBeyondSql } from "../../rules/payload-conditions.js";
import type { Lookup } from "../lookup.js";
import { OPENAPI_FILE } from "../openapi/document.js";
import { code, type Literal, printTypeScript } from "../print/layout.js";
import { functionStatement, typeStatement } from "./constant.js";
import { consumerFunctionName } from "./consumer.js";
import { docs } from "./docs.js";
import { eventsConstantName, streamConstantName } from "./events.js";
import { hooksName, needsHooks } from "./hooks.js";
import { gatherImports, type Imports, RUNTIME } from "./imports.js";
import type { SourceText } from "./printer.js";

interface Scope {
  readonly service: Service;
  readonly lookup: Lookup;
  readonly imports: Imports;
}

/** service.ts: the whole service as one value, its hooks passed in. */
export function serviceSource(service: Service, lookup: Lookup): SourceText {
  const named = [...namedConsumers(service).keys()].map((name) => namedHooksName(service, name));
  const imports = gatherImports(
    "hooks",
    `${service.names.type}Hooks`,
    serviceFunctionName(service),
    ...named,
  );
  const scope: Scope = { service, lookup, imports };
  const namedTypes = [...namedConsumers(service)].map(([name, consumers]) =>
    namedHooksType(scope, name, consumers),
  );
  return { imports: scope.imports, statements: [...namedTypes, hooksType(scope), serviceFunction(scope)] };
}

/** `sfsService` */
export function serviceFunctionName(service: Service): string {
  return `${service.names.value}Service`;
}

function hooksType({ service, imports }: Scope): string {
  const ofConsumers = unnamedConsumers(service).map((consumer) =>
    imports.type(consumerModule(consumer), hooksName(consumer)),
  );
  const ofNamed = [...namedConsumers(service).keys()].map(
    (name) => `{ readonly ${name}?: ${namedHooksName(service, name)} }`,
  );
  return typeStatement({
    name: `${service.names.type}Hooks`,
    intersection: [imports.type(RUNTIME, commonHooks(service)), ...ofConsumers, ...ofNamed],
    docs: docs(
      service.database === undefined
        ? `What ${serviceTitle(service.name)} does, all of it: it has no database.`
        : `What ${serviceTitle(service.name)} does beyond its tables, caches and cascades.`,
    ),
  });
}

function commonHooks(service: Service): string {
  if (unnamedConsumers(service).length === 0) return "ServiceHooks";
  return service.database === undefined ? "StatelessHooks" : "SubscriberHooks";
}

function unnamedConsumers({ consumers }: Service): readonly Consumer[] {
  return consumers.filter(({ name }) => name === undefined);
}

/** By name: the hooks of those of one name are one object among the service's hooks. */
function namedConsumers({ consumers }: Service): ReadonlyMap<string, readonly Consumer[]> {
  const named = new Map<string, readonly Consumer[]>();
  for (const consumer of consumers)
    if (consumer.name !== undefined)
      named.set(consumer.name, [...(named.get(consumer.name) ?? []), consumer]);
  return named;
}

/** `ShopMailerHooks` */
function namedHooksName({ names }: Service, name: string): string {
  return `${names.type}${pascalCase(name)}Hooks`;
}

function namedHooksType({ service, imports }: Scope, name: string, consumers: readonly Consumer[]): string {
  return typeStatement({
    name: namedHooksName(service, name),
    intersection: consumers.map((consumer) => imports.type(consumerModule(consumer), hooksName(consumer))),
    docs: docs(`What the consumer \`${name}\` of ${serviceTitle(service.name)} does; no other waits for it.`),
  });
}

function serviceFunction(scope: Scope): string {
  const { service, imports } = scope;
  return functionStatement({
    name: serviceFunctionName(service),
    docs: docs(service.description ?? `The ${serviceTitle(service.name)} service.`),
    hooks: `${service.names.type}Hooks`,
    isOptional: !service.consumers.some(needsHooks),
    returnType: imports.type(RUNTIME, "ServiceDefinition"),
    value: serviceLiteral(scope),
  });
}

function serviceLiteral({ service, lookup, imports }: Scope): Literal {
  return {
    mesh: lookup.mesh.name,
    name: service.name,
    source: service.source,
    database: databaseLiteral(service, lookup),
    stateless: statelessLiteral({ service, lookup, imports }),
    stream:
      service.stream === undefined
        ? undefined
        : code(imports.value("./events.js", streamConstantName(service))),
    publishes: service.publishes.map((pattern) => pattern.filter),
    moments: lookup.events(service).some(({ emit }) => emit?.at !== undefined) ? true : undefined,
    validated: validatedLiteral({ service, lookup, imports }),
    tables: lookup.tables(service).map((table) => code(imports.value("./tables.js", table.names.value))),
    views: viewsLiteral({ service, lookup, imports }),
    consumers: service.database === undefined ? [] : consumersLiteral({ service, lookup, imports }),
    http: service.http && {
      port: service.http.port,
      resources: service.http.resources.map((resource) =>
        resourceLiteral(resource, { service, lookup, imports }),
      ),
      openApi: code(`new URL("./${OPENAPI_FILE}", import.meta.url)`),
    },
    callers: callersLiteral(service, lookup),
    calls: callsLiteral(service, lookup),
    environment: environmentLiteral(service),
    onEvent: service.database === undefined ? undefined : onEventLiteral(service),
    start: code("hooks.start"),
  };
}

function databaseLiteral(service: Service, lookup: Lookup): Literal | undefined {
  const database = lookup.database(service);
  return (
    database && {
      name: database.name,
      urlVariable: database.urlVariable,
      ownerUrlVariable: database.ownerUrlVariable,
      roles: { ...database.roles },
      shared: database.shared && { ...database.shared },
      migrations: code(`new URL("./migrations/", import.meta.url)`),
      sql: database.sql,
    }
  );
}

/** What a service without a database does. */
function statelessLiteral(scope: Scope): Literal | undefined {
  const { service, imports } = scope;
  const { name, deadLetters } = service;
  if (deadLetters === undefined) return undefined;
  const stream = imports.value(RUNTIME, "deadLetterStreamOf");
  return {
    deadLetters: code(
      `${stream}(${printTypeScript({ service: name, name: deadLetters.stream, replicas: deadLetters.replicas })})`,
    ),
    consumers: consumersLiteral(scope),
    onEvent: onEventLiteral(service),
  };
}

function consumersLiteral({ service, imports }: Scope): Literal[] {
  return service.consumers.map((consumer) => {
    const made = imports.value(consumerModule(consumer), consumerFunctionName(consumer));
    return code(`${made}(${consumer.name === undefined ? "hooks" : `hooks.${consumer.name}`})`);
  });
}

function onEventLiteral(service: Service): Literal | undefined {
  return unnamedConsumers(service).length === 0 ? undefined : code("hooks.onEvent");
}

function viewsLiteral({ service, lookup, imports }: Scope): Literal | undefined {
  const views = lookup.views(service);
  if (views.length === 0) return undefined;
  return views.map(({ names }) => code(imports.value("./tables.js", names.value)));
}

/** Who may call what of it; undefined where nobody may call anything. */
function callersLiteral({ name }: Service, { mesh }: Lookup): Literal | undefined {
  const callers = mesh.calls.filter(({ callee }) => callee === name);
  if (callers.length === 0) return undefined;
  return callers.map(({ caller, keyVariable, optional, grants }) => ({
    name: caller,
    keyVariable,
    optional,
    grants: grants.map(({ path, verbs }) => ({ path, verbs })),
  }));
}

/** What its hooks call: where that is, and what they show there. */
function callsLiteral({ name }: Service, { mesh }: Lookup): Literal | undefined {
  const calls = mesh.calls.filter(({ caller, reasons }) => caller === name && reasons.includes("declared"));
  if (calls.length === 0) return undefined;
  return calls.map(({ urlVariable, keyVariable }) => ({ urlVariable, keyVariable }));
}

/** Own events whose schema PostgreSQL cannot say wholly: the relay looks into these, and into no others. */
function validatedLiteral({ service, lookup, imports }: Scope): Literal | undefined {
  const validated = lookup.events(service).filter((event) => {
    const { emit } = event;
    return emit !== undefined && isBeyondSql(event, lookup.table(service, emit.table));
  });
  if (validated.length === 0) return undefined;
  const events = imports.value("./events.js", eventsConstantName(service));
  return validated.map(({ names }) => code(`${events}.${names.value}`));
}

function resourceLiteral(resource: Resource, { service, lookup, imports }: Scope): Literal {
  const { value } = lookup.tableOrView(service, resource.table).names;
  return { path: resource.path, table: code(imports.value("./tables.js", value)) };
}

/** What mesh.yaml adds to the variables that the runtime reads of itself. */
function environmentLiteral({ environment }: Service): Literal | undefined {
  const own = environment.filter(({ builtIn }) => !builtIn);
  if (own.length === 0) return undefined;
  return own.map(({ name, required, default: value }) => ({
    name,
    required: required ? true : undefined,
    default: value,
  }));
}

function consumerModule(consumer: Consumer): string {
  return `./consumers/${consumer.names.file.replace(/\.ts$/, ".js")}`;
}
