import { plural } from "../diagnostics/plural.js";
import { type HookReads, readsField } from "../flow/hook-reads.js";
import type { Consumer, Event, Mesh, Service, Table } from "../model/mesh.js";
import type { Concern } from "./change.js";
import type { Parties } from "./change-class.js";

/*
 * Who reads what a service sends and serves, by name.
 */

interface Hearing {
  readonly service: Service;
  readonly consumer: Consumer;
}

export function hearingsOf(event: Pick<Event, "name">, mesh: Mesh): readonly Hearing[] {
  return mesh.services.flatMap((service) =>
    service.consumers.flatMap((consumer) =>
      consumer.events.includes(event.name) ? [{ service, consumer }] : [],
    ),
  );
}

/** Those who hear the event as a whole. */
export function subscribersOf(event: Pick<Event, "name">, mesh: Mesh): readonly Concern[] {
  return distinct(
    hearingsOf(event, mesh).map(({ service, consumer }) => ({
      service: service.name,
      ...(consumer.cache !== undefined && { field: consumer.cache }),
      as: hearsAs({ service, consumer }, event),
    })),
  );
}

function hearsAs({ service, consumer }: Hearing, { name }: Pick<Event, "name">): string {
  if (service.external) return "written by hand, hears it";
  const cascades = consumer.cascades.filter(({ event }) => event === name);
  const follows = cascades.map(({ action, table, column }) => `${action} ${table}.${column}`);
  if (follows.length > 0) return `hears it: ${follows.join(", ")}`;
  return consumer.cache === undefined ? "hears it" : "keeps a copy by it";
}

interface FieldOf {
  readonly event: Pick<Event, "name" | "names">;
  readonly field: string;
  /** The field, or a member of it: `address.street`. */
  readonly path: string;
}

/** Those who hear the event, each with the columns of its copy that the field fills, and the hooks that read it. */
export function readersOf(read: FieldOf, mesh: Mesh, hooks: HookReads | undefined): readonly Concern[] {
  return distinct(
    hearingsOf(read.event, mesh).flatMap((hearing): readonly Concern[] => {
      const { service, consumer } = hearing;
      if (service.external) return [{ service: service.name, as: "written by hand, hears it" }];
      const columns = copiedInto(read.field, consumer, mesh);
      const kept = columns.map((column) => ({ service: service.name, field: column, as: "keeps it" }));
      const reading = hooksReading(read, hearing, hooks);
      const concerns = [...kept, ...(reading ?? [])];
      if (concerns.length > 0) return concerns;
      const may =
        reading === undefined ? "its hooks may read the field" : "no hook of it reads the field now";
      return [{ service: service.name, as: `hears it; ${may}` }];
    }),
  );
}

/** undefined: not known. */
function hooksReading(
  { event, path }: FieldOf,
  { service, consumer }: Hearing,
  hooks: HookReads | undefined,
): readonly Concern[] | undefined {
  if (hooks === undefined || hooks.remarks.some((remark) => remark.service === service.name))
    return undefined;
  return [event.names.hook, "onEvent"].flatMap((name) => {
    const read = hooks.find({ service: service.name, consumer: consumer.name, name });
    if (read === undefined || !readsField(read, path)) return [];
    return [{ service: service.name, field: `${name} (${read.at.file}:${read.at.line})`, as: "reads it" }];
  });
}

function copiedInto(field: string, { cache }: Consumer, mesh: Mesh): readonly string[] {
  const copies = mesh.databases
    .flatMap(({ tables }) => tables)
    .filter(({ name, cache: of }) => name === cache && of !== undefined);
  const columns = copies.flatMap(({ name, columns: all }) =>
    all
      .filter((column) => column.local !== true && (column.filledBy?.field ?? column.name) === field)
      .map((column) => `${name}.${column.name}`),
  );
  return [...new Set(columns)];
}

/** Services that read a table over HTTP, and clients that the mesh does not know. */
export function httpReadersOf(table: Pick<Table, "name">, owner: string, mesh: Mesh): readonly Concern[] {
  const service = mesh.services.find(({ name }) => name === owner);
  const paths = (service?.http?.resources ?? []).filter((resource) => resource.table === table.name);
  return paths.flatMap(({ path }) => [...callersOf(owner, path, mesh), clientsOf(owner, path)]);
}

export function callersOf(owner: string, path: string, mesh: Mesh): readonly Concern[] {
  return mesh.calls
    .filter(({ callee, grants }) => callee === owner && grants.some((grant) => grant.path === path))
    .map(({ caller, reasons }) => ({
      service: caller,
      field: path,
      as: reasons.includes("sync") ? "takes snapshots from it" : "calls it",
    }));
}

export function clientsOf(owner: string, path: string): Concern {
  return { service: owner, field: path, as: "HTTP clients that read it" };
}

export function distinct(concerns: readonly Concern[]): readonly Concern[] {
  return [...new Map(concerns.map((concern) => [JSON.stringify(concern), concern])).values()];
}

/** As sentences about deployment call them. */
export function partiesOf(owner: string, concerns: readonly Concern[], mesh: Mesh): Parties {
  const others = [...new Set(concerns.map(({ service }) => service))].filter((name) => name !== owner);
  const stream = mesh.streams.find(({ service }) => service === owner);
  const kept =
    stream === undefined
      ? ""
      : ` (${stream.name} keeps them for ${plural(Math.ceil(stream.maxAgeSeconds / 86_400), "day")})`;
  return { owner, others: others.length === 0 ? "its readers" : others.join(", "), kept };
}
