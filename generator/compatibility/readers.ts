import { plural } from "../diagnostics/plural.js";
import { columnsFilledBy } from "../flow/filling.js";
import type { Flow } from "../flow/flow.js";
import { handlersOf, handlersReading } from "../flow/hook-links.js";
import type { Event, Mesh, Subscription, Table } from "../model/mesh.js";
import type { Concern } from "./change.js";
import type { Parties } from "./change-class.js";

/*
 * Who reads what a service sends and serves, by name.
 */

/** Those who hear the event as a whole. */
export function subscribersOf(event: Event, flow: Flow): readonly Concern[] {
  return distinct(
    flow.hearersOf(event.name).map((hearer) => ({
      service: hearer.service.name,
      ...(hearer.consumer.cache !== undefined && { field: hearer.consumer.cache }),
      as: hearsAs(flow, hearer, event),
    })),
  );
}

function hearsAs(flow: Flow, hearer: Subscription, event: Event): string {
  const { service, consumer } = hearer;
  const { name } = event;
  if (service.external) return "written by hand, hears it";
  const cascades = consumer.cascades.filter(({ event }) => event === name);
  const follows = cascades.map(({ action, table, column }) => `${action} ${table}.${column}`);
  if (follows.length > 0) return `hears it: ${follows.join(", ")}`;
  if (consumer.cache !== undefined) return "keeps a copy by it";
  return handlersOf(flow, hearer, event).length === 0 ? "hears it, nothing comes of it" : "hears it";
}

interface FieldOf {
  readonly event: Event;
  readonly field: string;
  /** The field, or a member of it: `address.street`. */
  readonly path: string;
}

/** Those who hear the event, each with the columns of its copy that the field fills, and the hooks that read it. */
export function readersOf({ event, field, path }: FieldOf, flow: Flow): readonly Concern[] {
  return distinct(
    flow.hearersOf(event.name).flatMap((hearer): readonly Concern[] => {
      const service = hearer.service.name;
      if (hearer.service.external) return [{ service, as: "written by hand, hears it" }];
      const kept = columnsFilledBy(flow, hearer, { event: event.name, field }).map(
        ({ column: { table, column } }) => ({ service, field: `${table}.${column}`, as: "keeps it" }),
      );
      const hooks = handlersReading(flow, hearer, { event, field: path }).flatMap(({ to }) =>
        to.kind === "hook" ? [to] : [],
      );
      const reading = hooks.flatMap(({ hook, at }) =>
        at === undefined ? [] : [{ service, field: `${hook} (${at.file}:${at.line})`, as: "reads it" }],
      );
      if (kept.length + reading.length > 0) return [...kept, ...reading];
      const may = hooks.length > 0 ? "its hooks may read the field" : "no hook of it reads the field now";
      return [{ service, as: `hears it; ${may}` }];
    }),
  );
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
    .map(({ caller }) => ({ service: caller, field: path, as: asksAs(caller, { owner, path }, mesh) }));
}

function asksAs(
  caller: string,
  { owner, path }: { readonly owner: string; readonly path: string },
  { services, databases }: Mesh,
): string {
  const isIt = (read: { readonly service: string; readonly path: string } | undefined) =>
    read?.service === owner && read.path === path;
  const { database, consumers = [] } = services.find(({ name }) => name === caller) ?? {};
  const tables = databases.find(({ name }) => name === database)?.tables ?? [];
  if (tables.some(({ cache }) => isIt(cache?.sync))) return "takes snapshots from it";
  return consumers.some(({ source }) => isIt(source)) ? `compares its rows with GET ${path}` : "calls it";
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
