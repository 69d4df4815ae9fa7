import type { CascadeAction } from "@meshwright/runtime/vocabulary";
import { groupBy } from "../collections/group-by.js";
import type { Consumer, Database, Event, Mesh, Service } from "../model/mesh.js";
import { serviceTitle } from "../model/service-title.js";
import { visible } from "../quote/visible.js";

/**
 * What a picture of the mesh shows, whatever draws it: a box for each service, an arrow for each pair of services of which one hears
 * the other. What is heard, and what comes of it, stands in the box of who hears; so arrows need no labels, and no number of
 * events makes a second arrow between two boxes.
 */
export interface Picture {
  /** Name of the mesh, and the focus. */
  readonly title: string;
  readonly boxes: readonly Box[];
  readonly arrows: readonly Arrow[];
  /** Boxes have their title and the entities of their events alone: there are many of them. */
  readonly brief: boolean;
}

export interface Box {
  /** `service1`: plain, whatever the service is called. */
  readonly id: string;
  readonly title: string;
  /** `auth_db`, `external`, `stateless` */
  readonly kind: string;
  /** Written by hand elsewhere. */
  readonly external: boolean;
  readonly hears: readonly Heard[];
  /** Titles of those whose arrows to this box are not drawn, for so many hear them; and how many hear this one. */
  readonly hearsToo: readonly string[];
  readonly heardWidelyBy: number | undefined;
  readonly owns: readonly Owned[];
}

/** One durable consumer. */
export interface Heard {
  /** `auth.user.*`, or one action: `auth.user.deleted` */
  readonly pattern: string;
  /** Of hooks that hear an entity again. */
  readonly consumer: string | undefined;
  /** Empty: hooks alone. */
  readonly effects: readonly Effect[];
}

export type Effect =
  | { readonly kind: "copy"; readonly table: string }
  | {
      readonly kind: "cascade";
      readonly event: string;
      readonly action: CascadeAction;
      readonly table: string;
      readonly column: string;
    };

/** A table, the events that its rows imply, or both; an entity without a table is published by code. */
export interface Owned {
  readonly table: string | undefined;
  readonly entities: readonly { readonly entity: string; readonly actions: readonly string[] }[];
}

/** The strongest that passes between two services decides how an arrow is drawn. */
export const arrowKinds = ["cascade", "copy", "hooks"] as const;
export type ArrowKind = (typeof arrowKinds)[number];

export interface Arrow {
  /** Ids of boxes: who publishes, who hears. */
  readonly from: string;
  readonly to: string;
  readonly kind: ArrowKind;
  /** `auth.user.*`: all that pass. */
  readonly patterns: readonly string[];
}

/** The part of a mesh that a picture shows. */
export interface Reach {
  /** As it was asked for; undefined: the whole mesh. */
  readonly focus: string | undefined;
  readonly services: ReadonlySet<string>;
  /** By name. */
  readonly events: ReadonlySet<string>;
  /** By durable. */
  readonly consumers: ReadonlySet<string>;
}

export function reachAll(mesh: Mesh): Reach {
  return {
    focus: undefined,
    services: new Set(mesh.services.map(({ name }) => name)),
    events: new Set(mesh.events.map(({ name }) => name)),
    consumers: new Set(mesh.services.flatMap(({ consumers }) => consumers.map(({ durable }) => durable))),
  };
}

/** From so many services on, boxes are brief. */
const MANY_BOXES = 13;
/** And from so many arrows that leave one box on, but at least a quarter of all boxes, words in the boxes stand for them. */
const MANY_ARROWS = 8;

export function drawPicture(mesh: Mesh, reach: Reach): Picture {
  const events = new Map(mesh.events.map((event) => [event.name, event]));
  const services = mesh.services.filter(({ name }) => reach.services.has(name));
  const ids = new Map(services.map(({ name }, at) => [name, `service${at + 1}`]));
  const databases = new Map(mesh.databases.map((database) => [database.name, database]));
  const arrows = arrowsOf(services, ids, reach);
  const boxes = services.map((service) =>
    boxOf(service, {
      id: ids.get(service.name) ?? "",
      events,
      reach,
      database: databases.get(service.database ?? ""),
    }),
  );
  const title = visible(reach.focus === undefined ? mesh.name : `${mesh.name}: ${reach.focus}`);
  if (boxes.length < MANY_BOXES) return { title, boxes, arrows, brief: false };
  return { title, brief: true, ...withoutWidelyHeard(boxes, arrows) };
}

/** Whom everybody hears would be all that is seen. */
function withoutWidelyHeard(
  boxes: readonly Box[],
  arrows: readonly Arrow[],
): Pick<Picture, "boxes" | "arrows"> {
  const leaving = groupBy(arrows, ({ from }) => from);
  const isWide = ({ from }: Arrow) =>
    (leaving.get(from)?.length ?? 0) >= Math.max(MANY_ARROWS, boxes.length / 4);
  const wide = arrows.filter(isWide);
  const titles = new Map(boxes.map(({ id, title }) => [id, title]));
  return {
    boxes: boxes.map((box) => ({
      ...box,
      hearsToo: wide.filter(({ to }) => to === box.id).map(({ from }) => titles.get(from) ?? ""),
      heardWidelyBy: wide.some(({ from }) => from === box.id) ? leaving.get(box.id)?.length : undefined,
    })),
    arrows: arrows.filter((arrow) => !isWide(arrow)),
  };
}

interface Parts {
  readonly id: string;
  readonly events: ReadonlyMap<string, Event>;
  readonly database: Database | undefined;
  readonly reach: Reach;
}

function boxOf(service: Service, parts: Parts): Box {
  const { name, external } = service;
  return {
    id: parts.id,
    title: visible(serviceTitle(name)),
    kind: external ? "external" : databaseOf(parts),
    external,
    hears: service.consumers
      .filter(({ durable }) => parts.reach.consumers.has(durable))
      .map((consumer) => heardOf(consumer, parts)),
    hearsToo: [],
    heardWidelyBy: undefined,
    owns: ownedOf(service, parts),
  };
}

function databaseOf({ database }: Parts): string {
  if (database === undefined) return "stateless";
  const { name, shared } = database;
  return shared === undefined ? name : `${name} in ${shared.with}`;
}

function heardOf(consumer: Consumer, { events, reach }: Parts): Heard {
  const { pattern, name, cache, cascades } = consumer;
  const copy: readonly Effect[] = cache === undefined ? [] : [{ kind: "copy", table: cache }];
  const rules = cascades
    .filter(({ event }) => reach.events.has(event))
    .map(({ event, action, table, column }): Effect => {
      return { kind: "cascade", event: events.get(event)?.action ?? event, action, table, column };
    });
  return { pattern, consumer: name, effects: [...copy, ...rules] };
}

function ownedOf(service: Service, { events, database, reach }: Parts): readonly Owned[] {
  const tables = database?.tables ?? [];
  const own = service.events
    .filter((name) => reach.events.has(name))
    .flatMap((name) => events.get(name) ?? []);
  const byTable = groupBy(own, ({ emit }) => emit?.table);
  const owned = tables.filter(
    ({ name, cache }) => byTable.has(name) || (cache === undefined && reach.focus === undefined),
  );
  const entitiesOf = (of: readonly Event[]) =>
    [...groupBy(of, ({ entity }) => entity)].map(([entity, group]) => ({
      entity,
      actions: group.map(({ action }) => action),
    }));
  const withoutTable = entitiesOf(byTable.get(undefined) ?? []);
  return [
    ...owned.map(({ name }) => ({ table: name, entities: entitiesOf(byTable.get(name) ?? []) })),
    ...(withoutTable.length === 0 ? [] : [{ table: undefined, entities: withoutTable }]),
  ];
}

function arrowsOf(
  services: readonly Service[],
  ids: ReadonlyMap<string, string>,
  reach: Reach,
): readonly Arrow[] {
  return services.flatMap((service) => {
    const heard = service.consumers.filter(({ durable }) => reach.consumers.has(durable));
    return [...groupBy(heard, ({ publisher }) => publisher)].flatMap(([publisher, consumers]): Arrow[] => {
      const [from, to] = [ids.get(publisher), ids.get(service.name)];
      if (from === undefined || to === undefined) return [];
      const patterns = [...new Set(consumers.map(({ pattern }) => pattern))];
      return [{ from, to, kind: kindOf(consumers, reach), patterns }];
    });
  });
}

function kindOf(consumers: readonly Consumer[], reach: Reach): ArrowKind {
  const hasCascade = consumers.some(({ cascades }) => cascades.some(({ event }) => reach.events.has(event)));
  if (hasCascade) return "cascade";
  return consumers.some(({ cache }) => cache !== undefined) ? "copy" : "hooks";
}
