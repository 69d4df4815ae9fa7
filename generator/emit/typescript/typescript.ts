import type { Service } from "../../model/mesh.js";
import type { Lookup } from "../lookup.js";
import { consumerSource } from "./consumer.js";
import { mainSource } from "./entry-point.js";
import { eventsSource } from "./events.js";
import type { FileSource, SourceText } from "./printer.js";
import { publisherSource } from "./publisher.js";
import { serviceSource } from "./service.js";
import { tablesSource } from "./tables.js";
import { COMPILED, validatorsSource } from "./validators.js";

/** A service's TypeScript. Of an external one: its messages, for those who hear it. */
export function typeScriptSources(service: Service, lookup: Lookup): FileSource[] {
  const placed = ([name, source]: NamedSource): FileSource => ({ path: `${service.name}/${name}`, source });
  const contract = contractSources(service, lookup).map(placed);
  const validators = validatorSources(service, lookup);
  if (service.external) return [...contract, ...validators];
  return [...contract, ...validators, ...ownSources(service, lookup).map(placed)];
}

/** A file of the service's folder. */
type NamedSource = readonly [name: string, source: SourceText];

function contractSources(service: Service, lookup: Lookup): NamedSource[] {
  const events = lookup.events(service);
  const stream = service.stream === undefined ? undefined : lookup.stream(service.stream);
  return events.length === 0 && stream === undefined
    ? []
    : [["events.ts", eventsSource(service, events, stream)]];
}

function validatorSources(service: Service, lookup: Lookup): FileSource[] {
  const events = lookup.events(service);
  const owned = lookup.tables(service);
  const writable = servedTables(service);
  const served = owned.filter((table) => writable.has(table.name));
  if (events.length === 0 && served.length === 0) return [];
  const { head, body } = validatorsSource(events, { served, owned });
  return [{ path: `${service.name}/${COMPILED}.ts`, source: head, below: body }];
}

/** The tables that REST may write. */
function servedTables({ http }: Service): ReadonlySet<string> {
  return new Set(http?.resources.filter((resource) => !resource.readonly).map(({ table }) => table));
}

function ownSources(service: Service, lookup: Lookup): NamedSource[] {
  const events = lookup.events(service);
  const tables = lookup.tables(service);
  const views = lookup.views(service);
  const publisher: NamedSource[] = [["publisher.ts", publisherSource(service, lookup.database(service))]];
  const data: NamedSource[] = [
    ["tables.ts", tablesSource(tables, { events, views, served: servedTables(service) })],
  ];
  const consumers = service.consumers.map(
    (consumer): NamedSource => [
      `consumers/${consumer.names.file}`,
      consumerSource({ service, consumer }, lookup),
    ],
  );
  return [
    ...(events.length === 0 ? [] : publisher),
    ...(tables.length + views.length === 0 ? [] : data),
    ...consumers,
    ["service.ts", serviceSource(service, lookup)],
    ["main.ts", mainSource(service)],
  ];
}
