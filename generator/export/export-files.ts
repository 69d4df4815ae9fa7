import { stringify } from "yaml";
import { claimsDocument } from "../emit/documents/broker-claims.js";
import { schemaFileName } from "../emit/json-schema/event.js";
import { type Lookup, openLookup } from "../emit/lookup.js";
import { openApiDocument } from "../emit/openapi/document.js";
import { type Literal, printJson } from "../emit/print/layout.js";
import type { Event, Mesh, Service } from "../model/mesh.js";
import { visible } from "../quote/visible.js";
import { eventsAt, meshAsyncApi, serviceAsyncApi } from "./asyncapi.js";
import { backstageEntities } from "./backstage.js";
import type { ExportFormat } from "./export-formats.js";
import { eventSchema, schemaBundle } from "./schema-bundle.js";

export interface ExportOptions {
  /** undefined: the whole mesh. */
  readonly service: Service | undefined;
  /** Whom the catalog names as owner. */
  readonly owner?: string | undefined;
  /** Of the project, which its documents are of; undefined: 1.0.0. */
  readonly version?: string | undefined;
}

export interface ExportedFile {
  readonly path: string;
  readonly text: string;
}

/** One document of a mesh, or of a service; undefined where there is none of the whole mesh: each service has an address of its own. */
export function exportDocument(mesh: Mesh, format: ExportFormat, options: ExportOptions): string | undefined {
  const lookup = openLookup(mesh);
  const { service, version } = options;
  switch (format) {
    case "asyncapi":
      return json(
        ofVersion(service === undefined ? meshAsyncApi(lookup) : serviceAsyncApi(service, lookup), version),
      );
    case "openapi": {
      const served = servedOf(mesh, service);
      const [only] = served;
      return only?.http === undefined || served.length > 1
        ? undefined
        : json(ofVersion(openApiDocument(only, only.http, lookup), version));
    }
    case "jsonschema":
      return json(schemaBundle(eventsOf(lookup, service), lookup));
    case "backstage":
      return catalog(lookup, options);
    case "nats-accounts":
      return json(claimsDocument(lookup, service));
    default:
      return format satisfies never;
  }
}

/** The same as files of a folder, one for each service or event. */
export function exportFiles(
  mesh: Mesh,
  format: ExportFormat,
  options: ExportOptions,
): readonly ExportedFile[] {
  const lookup = openLookup(mesh);
  const { service, version } = options;
  const services = service === undefined ? mesh.services : [service];
  switch (format) {
    case "asyncapi":
      return [
        ...(service === undefined
          ? [{ path: "asyncapi.json", text: json(ofVersion(meshAsyncApi(lookup), version)) }]
          : []),
        ...services.map((each) => ({
          path: `${each.name}.asyncapi.json`,
          text: json(ofVersion(serviceAsyncApi(each, lookup), version)),
        })),
      ];
    case "openapi":
      return servedOf(mesh, service).flatMap((each) =>
        each.http === undefined
          ? []
          : [
              {
                path: `${each.name}.openapi.json`,
                text: json(ofVersion(openApiDocument(each, each.http, lookup), version)),
              },
            ],
      );
    case "jsonschema":
      return eventsOf(lookup, service).map((event) => ({
        path: schemaFileName(event),
        text: json(eventSchema(event, lookup)),
      }));
    case "backstage":
      return [{ path: "catalog-info.yaml", text: catalog(lookup, options) }];
    case "nats-accounts":
      return [{ path: "nats-accounts.json", text: json(claimsDocument(lookup, service)) }];
    default:
      return format satisfies never;
  }
}

/** Services that answer over HTTP. */
export function servedOf({ services }: Mesh, only: Service | undefined): readonly Service[] {
  return (only === undefined ? services : [only]).filter(({ http }) => http !== undefined);
}

function eventsOf(lookup: Lookup, service: Service | undefined): readonly Event[] {
  return service === undefined ? lookup.mesh.events : eventsAt(service, lookup);
}

type Document = ReturnType<typeof openApiDocument> | ReturnType<typeof meshAsyncApi>;

function ofVersion(document: Document, version = "1.0.0"): Document {
  const { info } = document;
  return typeof info === "object" && info !== null ? { ...document, info: { ...info, version } } : document;
}

function json(document: Literal): string {
  return visible(printJson(document));
}

function catalog(lookup: Lookup, { service, owner }: ExportOptions): string {
  const entities = backstageEntities(lookup, owner);
  const own =
    service === undefined
      ? entities
      : entities.filter(
          ({ kind, metadata: { name } }) =>
            kind !== "System" &&
            [service.name, `${service.name}-events`, `${service.name}-rest`, service.database].includes(name),
        );
  return own.map((entity) => `---\n${stringify(entity, { lineWidth: 0 })}`).join("");
}
