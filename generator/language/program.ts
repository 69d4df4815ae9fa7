import { groupBy } from "../collections/group-by.js";
import { bindDatabases } from "./bind/bind-databases.js";
import { bindEvents } from "./bind/bind-events.js";
import { bindServices } from "./bind/bind-services.js";
import { bindTypes } from "./bind/bind-types.js";
import type { CascadeNode, MeshNode } from "./grammar.js";
import { isPoisoned } from "./node.js";
import type { DatabaseSymbol, EntitySymbol, EventSymbol, ServiceSymbol, TypeSymbol } from "./symbols.js";
import type { PatternName } from "./words.js";

/**
 * The file with its names bound: what each part is, where it stands, and which parts it refers to.
 * Binding reports nothing: a part that was misread is `undefined` or `poisoned`, a reference that
 * leads nowhere is `undefined`, and the rules of `check/` say so.
 */
export interface Program {
  readonly node: MeshNode;
  readonly services: ReadonlyMap<string, ServiceSymbol>;
  readonly databases: ReadonlyMap<string, DatabaseSymbol>;
  readonly types: ReadonlyMap<string, TypeSymbol>;
  /** In file order. */
  readonly events: readonly EventSymbol[];
  /** By `auth.user`. */
  readonly entities: ReadonlyMap<string, EntitySymbol>;
  eventsOf(service: string): readonly EventSymbol[];
  /** Also for a name that only subjects begin with. */
  entitiesOf(service: string): readonly EntitySymbol[];
  /** By `auth.user.deleted`. */
  readonly subjects: ReadonlyMap<string, EventSymbol>;
  readonly cascades: readonly CascadeNode[];
  /** Sections in which names were misread: a name that is missing there may be one of them. */
  readonly poisoned: {
    readonly services: boolean;
    readonly databases: boolean;
    readonly subjects: boolean;
    readonly types: boolean;
  };
  /** The rules of one service, on whatever event. */
  rulesOf(service: string): readonly CascadeNode[];
  /** The rules of one service on one event, `auth.user.deleted`. */
  cascadesOf(service: string, event: string): readonly CascadeNode[];
}

export function bindProgram(node: MeshNode): Program {
  const types = bindTypes(node);
  const databases = bindDatabases(node);
  const services = bindServices(node, databases);
  const { events, entities, subjects } = bindEvents(node, services, types);
  const cascades = node.get.cascades?.items ?? [];
  const byService = groupBy(cascades, ({ get }) => get.service?.value);
  const grouped = groupBy(cascades, ({ get }) => `${get.service?.value} ${get.on?.text}`);
  const poisoned = {
    services: isPoisoned(node, "services"),
    databases: isPoisoned(node, "databases"),
    subjects: isPoisoned(node, "subjects") || events.some((event) => event.service === undefined),
    types: isPoisoned(node, "types"),
  };
  const entitiesByService = groupBy(entities.values(), (entity) => entity.service);
  const owned = groupBy(events, (event) => event.subject.value.service);
  return {
    node,
    services,
    databases,
    types,
    events,
    entities,
    subjects,
    cascades,
    poisoned,
    entitiesOf: (service) => entitiesByService.get(service) ?? [],
    eventsOf: (service) => owned.get(service) ?? [],
    rulesOf: (service) => byService.get(service) ?? [],
    cascadesOf: (service, event) => grouped.get(`${service} ${event}`) ?? [],
  };
}

interface EntityName {
  readonly service: string;
  readonly entity: string;
}

/** Every event of the entity matches. */
export function covers(pattern: PatternName, entity: EntityName): boolean {
  return pattern.action === undefined && touches(pattern, entity);
}

/** An event of the entity matches, or all do. */
export function touches(pattern: PatternName, entity: EntityName): boolean {
  return (
    pattern.service === entity.service && (pattern.entity === undefined || pattern.entity === entity.entity)
  );
}
