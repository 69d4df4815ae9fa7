import { migrationPath } from "../migrations/lineage.js";
import type { PlannedMigration } from "../migrations/plan.js";
import type { Event, JsonSchema, Mesh, Service } from "../model/mesh.js";
import { ownServices } from "../model/own-services.js";
import { visible } from "../quote/visible.js";
import { openRender, type Render, type Templates } from "../templates.js";
import { planDocument } from "./documents/broker-plan.js";
import { environmentView } from "./documents/env-example.js";
import { type BrokerOptions, brokerView } from "./documents/nats-conf.js";
import { readmeView } from "./documents/readme.js";
import { rolesView } from "./documents/roles.js";
import { type EmittedFile, HEADER } from "./file.js";
import { messageSchema, schemaFileName } from "./json-schema/event.js";
import { type Hashes, LOCK_FILE, printLock } from "./lock.js";
import { type Lookup, openLookup } from "./lookup.js";
import { alertsView } from "./monitoring/alert-rules.js";
import { dashboardDocument } from "./monitoring/dashboard.js";
import { scrapeView } from "./monitoring/scrape-config.js";
import { OPENAPI_FILE, openApiDocument } from "./openapi/document.js";
import { printJson } from "./print/layout.js";
import { printFile } from "./typescript/printer.js";
import { typesSource } from "./typescript/type-interfaces.js";
import { typeScriptSources } from "./typescript/typescript.js";

export interface EmitContext {
  /** All migrations of each service, in order, as they are to stand in its folder. */
  readonly migrations: Readonly<Record<string, readonly PlannedMigration[]>>;
  /** The generator's version. */
  readonly version: string;
  readonly templates: Templates;
  /** JSON Schema of mesh.yaml, for editors: always that of this generator. */
  readonly languageSchema: JsonSchema;
}

/** Printed without making control characters visible: its view quotes each value for the shell. */
const ENVIRONMENT = ".env.example";

/** The whole output for a mesh, the lock last. The same mesh and context give the same bytes. */
export async function emitMesh(mesh: Mesh, context: EmitContext): Promise<readonly EmittedFile[]> {
  const lookup = openLookup(mesh);
  const render = openRender(context.templates);
  // Large documents last: from the first on, V8 takes all that documents are made of for what lasts, and collects it late.
  const files = [
    ...(mesh.types.length === 0
      ? []
      : shown([printFile({ path: "types.ts", source: typesSource(mesh.types) })])),
    ...mesh.services.flatMap((service) => shown(typeScriptSources(service, lookup).map(printFile))),
    ...mesh.services.flatMap((service) => shown(emitOpenApi(service, lookup))),
    ...mesh.events.flatMap((event) => shown([emitEventSchema(event, lookup)])),
    ...shown(emitMeshFiles(lookup, render)),
    ...shown([{ path: "mesh.schema.json", text: printJson(context.languageSchema) }]),
  ];
  const migrations = ownServices(mesh.services).flatMap(({ name }) =>
    (context.migrations[name] ?? []).map((file) => ({
      path: migrationPath(name, file.name),
      text: file.text,
    })),
  );
  const lock = printLock({ mesh, ...context }, files, checksums(mesh, context));
  return [...files, ...migrations, { path: LOCK_FILE, text: lock }];
}

function shown(files: readonly EmittedFile[]): readonly EmittedFile[] {
  return files.map(({ path, text }) => ({ path, text: path === ENVIRONMENT ? text : visible(text) }));
}

function checksums(mesh: Mesh, { migrations }: EmitContext): Hashes {
  const entries = ownServices(mesh.services).flatMap(({ name }) =>
    (migrations[name] ?? []).map((file) => [migrationPath(name, file.name), file.sha256] as const),
  );
  return Object.fromEntries(entries);
}

function emitMeshFiles(lookup: Lookup, render: Render): EmittedFile[] {
  const { mesh } = lookup;
  const roles = rolesView(mesh.databases, HEADER);
  return [
    { path: "README.md", text: render("docs/README.md.hbs", readmeView(lookup, HEADER)) },
    { path: "plan.json", text: printJson(planDocument(lookup)) },
    { path: "nats.conf", text: renderBroker(lookup, render) },
    ...(roles === undefined ? [] : [{ path: "roles.sql", text: render("database/roles.sql.hbs", roles) }]),
    {
      path: ENVIRONMENT,
      text: render("environment/env.hbs", environmentView(mesh, HEADER)),
    },
    ...emitMonitoring(lookup, render),
  ];
}

function emitEventSchema(event: Event, { mesh, service }: Lookup): EmittedFile {
  const schema = messageSchema(event, service(event.service).envelope, mesh.types);
  return { path: `schemas/${schemaFileName(event)}`, text: printJson(schema) };
}

/** A mesh whose services are all written elsewhere has nothing of ours to look at. */
function emitMonitoring(lookup: Lookup, render: Render): EmittedFile[] {
  if (ownServices(lookup.mesh.services).length === 0) return [];
  const alerts = render("monitoring/alerts.yml.hbs", alertsView(lookup, HEADER));
  const scrape = render("monitoring/prometheus.yml.hbs", scrapeView(lookup, HEADER));
  return [
    { path: "monitoring/alerts.yml", text: alerts },
    { path: "monitoring/prometheus.yml", text: scrape },
    { path: "monitoring/dashboard.json", text: printJson(dashboardDocument(lookup)) },
  ];
}

function emitOpenApi(service: Service, lookup: Lookup): EmittedFile[] {
  if (service.http === undefined) return [];
  const text = printJson(openApiDocument(service, service.http, lookup));
  return [{ path: `${service.name}/${OPENAPI_FILE}`, text }];
}

function renderBroker(lookup: Lookup, render: Render, options?: BrokerOptions): string {
  return render("broker/nats.conf.hbs", brokerView(lookup, HEADER, options));
}

/** nats.conf as `mesh dev` runs it: the emitted one, and an account for whoever has no credentials. */
export function emitDevBroker(mesh: Mesh, templates: Templates): string {
  return renderBroker(openLookup(mesh), openRender(templates), { listener: true });
}
