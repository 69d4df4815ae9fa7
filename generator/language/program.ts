import { groupBy } from "../model/group.js";
import type { Span } from "../source/text.js";
import { bindDatabases } from "./bind/databases.js";
import { bindEvents } from "./bind/events.js";
import { bindServices } from "./bind/services.js";
import type {
  CascadeNode,
  ColumnNode,
  DatabaseNode,
  FieldNode,
  MeshNode,
  ServiceNode,
  SubjectNode,
  TableNode,
} from "./grammar.js";
import { isPoisoned, type TextNode } from "./node.js";
import type { Change, ColumnType, Operation } from "./terms.js";
import type { PatternName, SubjectName } from "./words.js";

/**
 * The file with its names bound: what each part is, where it stands, and which parts it refers to.
 * Binding reports nothing: a part that was misread is `undefined` or `poisoned`, a reference that
 * leads nowhere is `undefined`, and the rules of `check/` say so.
 */
export interface Program {
  readonly node: MeshNode;
  readonly services: ReadonlyMap<string, ServiceSymbol>;
  readonly databases: ReadonlyMap<string, DatabaseSymbol>;
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
  readonly poisoned: { readonly services: boolean; readonly databases: boolean; readonly subjects: boolean };
  /** The rules of one service on one event, `auth.user.deleted`. */
  cascadesOf(service: string, event: string): readonly CascadeNode[];
}

export interface ServiceSymbol {
  readonly name: string;
  readonly span: Span;
  /** undefined: misread, and that has been said. */
  readonly node: ServiceNode | undefined;
  readonly external: boolean;
  readonly source: string;
  readonly database: DatabaseSymbol | undefined;
  readonly publishes: readonly TextNode<PatternName>[];
  readonly subscribes: readonly TextNode<PatternName>[];
  /** Patterns were misread: do not conclude that it does not publish, or subscribe to, something. */
  readonly poisoned: { readonly publishes: boolean; readonly subscribes: boolean };
}

export interface DatabaseSymbol {
  readonly name: string;
  readonly span: Span;
  readonly node: DatabaseNode | undefined;
  /** The services that say it is theirs: one, in a valid mesh. */
  readonly owners: ServiceSymbol[];
  readonly tables: ReadonlyMap<string, TableSymbol>;
  readonly poisoned: boolean;
}

export interface TableSymbol {
  readonly name: string;
  readonly span: Span;
  readonly node: TableNode | undefined;
  readonly columns: ReadonlyMap<string, ColumnSymbol>;
  readonly key: ColumnSymbol | undefined;
  /** `auth.user` */
  readonly cacheOf: TextNode<{ readonly service: string; readonly entity: string }> | undefined;
  /** Some of its columns were misread: do not conclude that a column does not exist. */
  readonly poisoned: boolean;
}

export interface ColumnSymbol {
  readonly name: string;
  readonly span: Span;
  readonly type: ColumnType | undefined;
  readonly nullable: boolean;
  readonly key: boolean;
  /** The full form, where it is written so. */
  readonly node: Extract<ColumnNode, { kind: "mapping" }> | undefined;
  /** Some of its properties were misread. */
  readonly poisoned: boolean;
}

export interface EventSymbol {
  readonly subject: TextNode<SubjectName>;
  /** `auth.user` */
  readonly origin: string;
  readonly node: SubjectNode | undefined;
  /** undefined: misread. */
  readonly name: TextNode<string> | undefined;
  readonly service: ServiceSymbol | undefined;
  /** The owner's table that it is emitted from. */
  readonly table: TableSymbol | undefined;
  /** The column of its table that names the entity, where that is not the key: the rows are something else, and tell of it. */
  readonly id: TextNode<string> | undefined;
  readonly operations: readonly Operation[];
  readonly change: Change;
  readonly fields: ReadonlyMap<string, FieldSymbol>;
  /** Some of its fields were misread: do not conclude that it does not carry one. */
  readonly poisoned: boolean;
}

export interface FieldSymbol {
  readonly name: string;
  readonly span: Span;
  readonly node: FieldNode | undefined;
}

export interface EntitySymbol {
  readonly origin: string;
  readonly service: string;
  readonly entity: string;
  readonly events: EventSymbol[];
}

export function bindProgram(node: MeshNode): Program {
  const databases = bindDatabases(node);
  const services = bindServices(node, databases);
  const { events, entities, subjects } = bindEvents(node, services);
  const cascades = node.get.cascades?.items ?? [];
  const grouped = groupBy(cascades, ({ get }) => `${get.service?.value} ${get.on?.text}`);
  const poisoned = {
    services: isPoisoned(node, "services"),
    databases: isPoisoned(node, "databases"),
    subjects: isPoisoned(node, "subjects") || events.some((event) => event.service === undefined),
  };
  const entitiesByService = groupBy(entities.values(), (entity) => entity.service);
  const owned = groupBy(events, (event) => event.subject.value.service);
  return {
    node,
    services,
    databases,
    events,
    entities,
    subjects,
    cascades,
    poisoned,
    entitiesOf: (service) => entitiesByService.get(service) ?? [],
    eventsOf: (service) => owned.get(service) ?? [],
    cascadesOf: (service, event) => grouped.get(`${service} ${event}`) ?? [],
  };
}

export function covers(
  pattern: PatternName,
  entity: { readonly service: string; readonly entity: string },
): boolean {
  return (
    pattern.service === entity.service && (pattern.entity === undefined || pattern.entity === entity.entity)
  );
}
