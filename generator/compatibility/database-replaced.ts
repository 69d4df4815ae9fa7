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
  const goesOn =
    previous.name === service.name
      ? `${service.name} goes on`
      : `${service.name} goes on in place of ${previous.name},`;
  const database = before.databases.find(({ name }) => name === from);
  const tables = database?.tables ?? [];
  const published = before.events.filter((event) => event.service === previous.name);
  const concerns = distinct([
    replicas(service.name),
    ...tables.flatMap((table) => httpReadersOf(table, previous.name, before)),
    ...published.flatMap((event) => subscribersOf(event, flows.before)),
  ]);
  const isCopied = tables.every(
    ({ cache, columns }) => cache !== undefined && columns.every(({ local }) => local !== true),
  );
  return [
    changeOf("database-replaced", {
      path: ["services", service.name, "database"],
      message: `${goesOn} with ${to}, which is empty: its rows stay behind in ${from}`,
      concerns,
      parties: partiesOf(service.name, concerns, next),
      safe: `keep the name; or stop ${service.name}, move what is there (pg_dump ${from} | psql ${to}), and start its new release then`,
      ...(isCopied && { class: "breaking-consumer" as const }),
    }),
  ];
}

/** Said of the service that goes on with another. */
export function isReplaced({ name, service }: Database, meshes: Meshes): boolean {
  const database = successorOf(service, meshes)?.database;
  return database !== undefined && database !== name;
}

/** The service under its name of now: one that is new, with a new database of the same tables, is one that is gone. */
export function successorOf(service: string, { before, next }: Meshes): Service | undefined {
  const kept = next.services.find(({ name }) => name === service);
  if (kept !== undefined) return kept;
  const tables = tablesOf(service, before);
  return next.services.find(
    ({ name, database }) =>
      tables !== "" &&
      tablesOf(name, next) === tables &&
      !before.services.some((each) => each.name === name) &&
      !before.databases.some((each) => each.name === database),
  );
}

function tablesOf(service: string, { databases }: Mesh): string {
  const tables = databases.filter((database) => database.service === service).flatMap((each) => each.tables);
  return tables.map(({ name }) => name).join(" ");
}
