import { compareNames } from "../../collections/compare-names.js";
import type { Program } from "../../language/program.js";
import type { ServiceSymbol } from "../../language/symbols.js";
import type { Call, Http, Resource, Service } from "../mesh.js";
import { deadLetterStreamName, pascalCase, streamName, valueName } from "../names.js";
import { buildConsumers, isStateless } from "./build-consumer.js";
import { buildEnvironment } from "./build-environment.js";
import { buildPatterns } from "./build-pattern.js";
import type { EventIndex } from "./event-index.js";
import { required } from "./invariant.js";

export interface ServiceParts {
  readonly events: EventIndex;
  /** Of the whole mesh. */
  readonly calls: readonly Call[];
  readonly program: Program;
}

export function buildService(service: ServiceSymbol, { events, calls, program }: ServiceParts): Service {
  const own = events.ofService(service.name).map((event) => event.name);
  const consumers = buildConsumers(service, events, program);
  return {
    name: service.name,
    description: service.node?.get.description?.value,
    source: service.source,
    external: service.external,
    envelope: service.envelope === "mesh" ? undefined : service.envelope,
    naming: service.naming,
    database: service.database?.name,
    deadLetters: isStateless(service)
      ? {
          stream: deadLetterStreamName(service.name),
          replicas: program.node.get.streams?.get.replicas?.value,
        }
      : undefined,
    publishes: buildPatterns(service.publishes),
    subscribes: buildPatterns(service.subscribes),
    stream: own.length === 0 ? undefined : streamName(service),
    events: own,
    consumers,
    http: buildHttp(service),
    environment: buildEnvironment(service, { calls, usesBroker: own.length > 0 || consumers.length > 0 }),
    names: { type: pascalCase(service.name), value: valueName(service.name) },
  };
}

function buildHttp({ name, node, database }: ServiceSymbol): Http | undefined {
  const http = node?.get.http?.get;
  if (http === undefined) return undefined;
  const resources = (http.resources?.entries ?? []).map(({ name: path, node: table }): Resource => {
    const view = table && database?.views.get(table.value);
    if (view !== undefined) return { path: path.value, table: view.name, readonly: true };
    const served = required(table && database?.tables.get(table.value), `the table behind ${path.text}`);
    return { path: path.value, table: served.name, readonly: served.cacheOf !== undefined };
  });
  return {
    port: required(http.port, `the port of ${name}`).value,
    resources: resources.sort((a, b) => compareNames(a.path, b.path)),
  };
}
