import type { Database, Mesh, Service } from "../model/mesh.js";
import { type Change, changeOf } from "./change.js";
import { replicas } from "./column-change.js";
import type { Meshes } from "./meshes.js";
import { distinct, httpReadersOf, partiesOf, subscribersOf } from "./readers.js";

/** A service that goes on with another database leaves its rows behind in the old one. */
export function compareDatabaseOf(previous: Service, service: Service, meshes: Meshes): readonly Change[] {
  const [from, to] = [previous.database, service.database];
  if (from === undefined || to === undefined || from === to) return [];
  const { before, next, flows } = meshes;
  const database = before.databases.find(({ name }) => name === from);
  const tables = database?.tables ?? [];
  const published = before.events.filter((event) => event.service === service.name);
  const concerns = distinct([
    replicas(service.name),
    ...tables.flatMap((table) => httpReadersOf(table, service.name, before)),
    ...published.flatMap((event) => subscribersOf(event, flows.before)),
  ]);
  const isCopied = tables.every(
    ({ cache, columns }) => cache !== undefined && columns.every(({ local }) => local !== true),
  );
  return [
    changeOf("database-replaced", {
      path: ["services", service.name, "database"],
      message: `${service.name} goes on with ${to}, which is empty: its rows stay behind in ${from}`,
      concerns,
      parties: partiesOf(service.name, concerns, next),
      safe: `keep the name; or stop ${service.name}, move what is there (pg_dump ${from} | psql ${to}), and start its new release then`,
      ...(isCopied && { class: "breaking-consumer" as const }),
    }),
  ];
}

/** Said of the service that goes on with another. */
export function isReplaced({ name, service }: Database, next: Mesh): boolean {
  const owner = next.services.find((each) => each.name === service);
  return owner?.database !== undefined && owner.database !== name;
}
