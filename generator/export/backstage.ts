import type { Lookup } from "../emit/lookup.js";
import { openApiDocument } from "../emit/openapi/document.js";
import { printJson } from "../emit/print/layout.js";
import type { Service } from "../model/mesh.js";
import { serviceTitle } from "../model/service-title.js";
import { serviceAsyncApi } from "./asyncapi.js";

/** An entity of Backstage's catalog. */
export interface CatalogEntity {
  readonly apiVersion: "backstage.io/v1alpha1";
  readonly kind: "System" | "Component" | "API" | "Resource";
  readonly metadata: { readonly name: string; readonly title?: string; readonly description?: string };
  readonly spec: { readonly [key: string]: string | readonly string[] };
}

/** The mesh as one system: its services, what they offer and use, their databases. */
export function backstageEntities(lookup: Lookup, owner = "unknown"): readonly CatalogEntity[] {
  const { mesh } = lookup;
  const system = catalogName(mesh.name);
  const common = { owner, system };
  return [
    entity("System", { name: system, title: mesh.name, description: mesh.description }, { owner }),
    ...mesh.services.flatMap((service) => [
      entity(
        "Component",
        { name: service.name, title: serviceTitle(service.name), description: service.description },
        { type: "service", lifecycle: "production", ...common, ...relationsOf(service, lookup) },
      ),
      ...apisOf(service, lookup).map(({ name, title, type, definition }) =>
        entity("API", { name, title }, { type, lifecycle: "production", ...common, definition }),
      ),
    ]),
    ...mesh.databases.map(({ name, shared }) =>
      entity(
        "Resource",
        {
          name,
          description:
            shared === undefined
              ? "A PostgreSQL database"
              : `Tables in the PostgreSQL database of ${shared.with}`,
        },
        {
          type: "database",
          ...common,
          ...(shared === undefined ? {} : { dependsOn: [`resource:${shared.with}`] }),
        },
      ),
    ),
  ];
}

interface Named {
  readonly name: string;
  readonly title?: string | undefined;
  readonly description?: string | undefined;
}

function entity(
  kind: CatalogEntity["kind"],
  { name, title, description }: Named,
  spec: CatalogEntity["spec"],
): CatalogEntity {
  const said = {
    ...(title === undefined ? {} : { title }),
    ...(description === undefined ? {} : { description }),
  };
  return { apiVersion: "backstage.io/v1alpha1", kind, metadata: { name, ...said }, spec };
}

interface Api {
  readonly name: string;
  readonly title: string;
  readonly type: "asyncapi" | "openapi";
  readonly definition: string;
}

function apisOf(service: Service, lookup: Lookup): readonly Api[] {
  const { http } = service;
  const title = serviceTitle(service.name);
  return [
    ...(service.events.length === 0
      ? []
      : [
          {
            name: eventsApi(service.name),
            title: `Events of ${title}`,
            type: "asyncapi" as const,
            definition: printJson(serviceAsyncApi(service, lookup)),
          },
        ]),
    ...(http === undefined
      ? []
      : [
          {
            name: restApi(service.name),
            title: `REST of ${title}`,
            type: "openapi" as const,
            definition: printJson(openApiDocument(service, http, lookup)),
          },
        ]),
  ];
}

function eventsApi(service: string): string {
  return `${service}-events`;
}

function restApi(service: string): string {
  return `${service}-rest`;
}

function relationsOf(service: Service, lookup: Lookup): CatalogEntity["spec"] {
  const { name, database, consumers } = service;
  const heard = consumers.map(({ publisher }) => publisher).filter((publisher) => publisher !== name);
  const called = lookup.mesh.calls
    .filter(({ caller, callee }) => caller === name && lookup.service(callee).http !== undefined)
    .map(({ callee }) => restApi(callee));
  return {
    providesApis: apisOf(service, lookup).map((api) => api.name),
    consumesApis: [...new Set([...heard.map(eventsApi), ...called])],
    ...(database === undefined ? {} : { dependsOn: [`resource:${database}`] }),
  };
}

/** Letters, digits, dashes, dots and underscores, 63 at most. */
function catalogName(name: string): string {
  return (
    name
      .replaceAll(/[^\w.-]+/g, "-")
      .replaceAll(/^[-_.]+|[-_.]+$/g, "")
      .slice(0, 63) || "mesh"
  );
}
