import type { Event, Http, JsonSchema, JsonValue, Service, Table, View } from "../../model/mesh.js";
import { pascalCase } from "../../model/names.js";
import { serviceTitle } from "../../model/service-title.js";
import { createSchema, patchSchema, shownName } from "../json-schema/body.js";
import { type RulesOptions, rulesSchema } from "../json-schema/rules.js";
import type { Lookup } from "../lookup.js";
import { COMMON_SCHEMAS, jsonAnswer, PROBLEM_ANSWERS, problemsOf } from "./answers.js";
import { resourcePaths, type Served } from "./resource-paths.js";
import { rowSchema } from "./row-schema.js";

/** In the service's folder. */
export const OPENAPI_FILE = "openapi.json";

/** Everything that a service answers over HTTP, as OpenAPI 3.1: from the schemas that its validators are compiled from. */
export function openApiDocument(
  service: Service,
  http: Http,
  lookup: Lookup,
): { readonly [key: string]: JsonValue } {
  const served = servedBy(service, http, lookup);
  return {
    openapi: "3.1.0",
    info: {
      title: `${serviceTitle(service.name)} of ${lookup.mesh.name}`,
      version: "1.0.0",
      description:
        service.description ??
        `The ${serviceTitle(service.name)} service: its tables and copies, row by row.`,
    },
    servers: [
      { url: "/", description: "Where this document is served" },
      { url: `http://localhost:${http.port}`, description: "Under `mesh dev`" },
    ],
    security: [{ key: [] }],
    tags: served.map(({ resource, table }) => ({ name: resource.path, description: aboutTable(table) })),
    paths: Object.assign({}, ...served.map(resourcePaths), SERVICE_PATHS),
    components: {
      securitySchemes: {
        key: {
          type: "http",
          scheme: "bearer",
          description:
            "OPERATOR_KEY opens everything; the key of a calling service what mesh.yaml grants it.",
        },
      },
      schemas: {
        ...Object.assign(
          {},
          ...served.map(({ resource, table }) => schemasOf(resource.readonly, table, lookup.events(service))),
        ),
        ...COMMON_SCHEMAS,
      },
      responses: PROBLEM_ANSWERS,
    },
  };
}

function servedBy(service: Service, { resources }: Http, lookup: Lookup): readonly Served[] {
  return resources.map((resource) => ({
    resource,
    table: lookup.tableOrView(service, resource.table),
    suffix: resources.some((other) => other !== resource && other.table === resource.table)
      ? `At${pascalCase(resource.path)}`
      : "",
  }));
}

function aboutTable(table: Table | View): string {
  if (table.description !== undefined) return table.description;
  if (!("cache" in table)) return `The view ${table.name}, which is only read`;
  return table.cache === undefined
    ? `Rows of ${table.name}`
    : `A copy of ${table.cache.entity}, which is only read`;
}

function schemasOf(
  readonly: boolean,
  table: Table | View,
  events: readonly Event[],
): { readonly [name: string]: JsonSchema } {
  const row = { [table.names.row]: rowSchema(table) };
  if (readonly || !("cache" in table)) return row;
  const { create, patch } = table.names;
  return {
    ...row,
    [create]: withRules(createSchema(table), { table, events, writing: "create" }),
    [patch]: withRules(patchSchema(table), { table, events, writing: "patch" }),
  };
}

/** With what the payloads of its events demand, under the names of the body. */
function withRules(body: JsonSchema, rules: RulesOptions): JsonSchema {
  const schema = rulesSchema({ ...rules, called: shownName });
  return schema === undefined ? body : { ...body, allOf: [schema] };
}

const HEALTH = { $ref: "#/components/schemas/Health" };

/** What every service answers. */
const SERVICE_PATHS: { readonly [path: string]: JsonValue } = {
  "/healthz": {
    get: {
      operationId: "isAlive",
      summary: "Whether the process runs",
      security: [],
      responses: {
        200: jsonAnswer("It does", {
          type: "object",
          properties: { status: { const: "ok" } },
          required: ["status"],
        }),
      },
    },
  },
  "/readyz": {
    get: {
      operationId: "isReady",
      summary: "Whether requests should be sent here, and what is degraded",
      security: [],
      responses: { 200: jsonAnswer("They should", HEALTH), 503: jsonAnswer("They should not", HEALTH) },
    },
  },
  "/metrics": {
    get: {
      operationId: "getMetrics",
      summary: "Figures in Prometheus' text format; for operators, and for whoever has the METRICS_KEY",
      responses: {
        200: {
          description: "The figures of now",
          content: { "text/plain": { schema: { type: "string" } } },
        },
        ...problemsOf(401, 403),
      },
    },
  },
  "/openapi.json": {
    get: {
      operationId: "getOpenApi",
      summary: "This document",
      responses: { 200: jsonAnswer("OpenAPI 3.1", { type: "object" }), ...problemsOf(401) },
    },
  },
  "/operate/resync": {
    post: {
      operationId: "resync",
      summary: "Compare copies with their sources and repair them; takes the OPERATOR_KEY",
      parameters: [
        { name: "durable", in: "query", description: "Of this consumer alone", schema: { type: "string" } },
        {
          name: "trust",
          in: "query",
          description: "The source's state replaces later versions",
          schema: { const: "source" },
        },
      ],
      responses: {
        200: jsonAnswer("What was done, consumer by consumer", {
          type: "object",
          properties: {
            consumers: {
              type: "array",
              items: { type: "object", properties: { durable: { type: "string" } }, required: ["durable"] },
            },
          },
          required: ["consumers"],
        }),
        ...problemsOf(400, 401, 403, 404),
      },
    },
  },
};
