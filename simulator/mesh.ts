import type {
  ColumnDefinition,
  ConsumerDefinition,
  EventDefinition,
  ServiceDefinition,
  StatelessConsumerDefinition,
  TableDefinition,
} from "@meshwright/runtime";
import type { KeyColumns } from "@meshwright/runtime/simulation";
import type { SimulatedDatabase } from "./postgres/databases.js";

/*
 * The mesh as the simulator needs it: which rows can be written, with which values.
 */

export interface SimulatedMesh extends Pick<MeshFacts, "events" | "untold" | "backfilled" | "unmade"> {
  readonly services: readonly SimulatedService[];
  readonly stateless: readonly StatelessService[];
  /** The tables that writers write to. Those that most others refer to come first. */
  readonly tables: readonly OwnedTable[];
  /** Whose messages external services publish. */
  readonly foreign: readonly ForeignEntity[];
  readonly unimplied: readonly UnimpliedEntity[];
}

export interface SimulatedService {
  readonly definition: ServiceDefinition;
  readonly database: SimulatedDatabase;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A service without a database: it hands messages to hooks. */
export interface StatelessService extends Omit<SimulatedService, "database"> {
  readonly database?: never;
}

export type PlayedService = SimulatedService | StatelessService;

/** What services subscribe to. */
export function subscriptionsOf(
  services: readonly PlayedService[],
): readonly (ConsumerDefinition | StatelessConsumerDefinition)[] {
  return services.flatMap(({ definition: { consumers, stateless } }) => [
    ...consumers,
    ...(stateless?.consumers ?? []),
  ]);
}

/** By service, table and column: texts that PostgreSQL reads as values of the column. */
export type Samples = Readonly<
  Record<string, Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>>
>;

export interface OwnedTable {
  readonly service: SimulatedService;
  readonly table: TableDefinition;
  readonly key: KeyColumns;
  /** The others, without that of soft deletions. */
  readonly columns: readonly ColumnDefinition[];
  /** By column: the table whose keys it holds, through a foreign key or as the column of a cascade. */
  readonly refersTo: ReadonlyMap<string, Owner>;
  /** By column: values that the payload's JSON Schema accepts. */
  readonly samples: ReadonlyMap<string, readonly string[]>;
  /** By column: values by which rows belong to partial copies, or mean an event. */
  readonly wanted: ReadonlyMap<string, readonly (string | null)[]>;
  /** Columns with moments at which rows mean an event. */
  readonly moments: ReadonlySet<string>;
  /** Undefined where its rows meet no CHECK. */
  readonly checked: CheckedColumns | undefined;
}

/** Columns that CHECK constraints name, and values that they take together; no row where none was found. */
export interface CheckedColumns {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | null)[])[];
}

/** What mesh.yaml says of a mesh, and its generated definitions do not. */
export interface MeshFacts {
  /** Values that the payloads' JSON Schemas accept. */
  readonly samples: Samples;
  /** By service, table and column: values by which rows mean an event (`when`); null is one. */
  readonly wanted: Wanted;
  readonly timed: readonly TimedEvent[];
  /** By event that no row implies, as `field.probe.measured`: payloads that it may have. */
  readonly payloads: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>;
  /** Events that rows imply, as `auth.user.created`. */
  readonly events: readonly string[];
  /** By service and copy: what no event tells, so that the copy differs from its owner until a snapshot. */
  readonly untold: Readonly<Record<string, Readonly<Record<string, Untold>>>>;
  /** By service: tables of whose earlier rows creation hooks hear (`backfill: hooks`). */
  readonly backfilled: Readonly<Record<string, readonly string[]>>;
  /** By service: events it hears that no snapshot can make from a row. */
  readonly unmade: Readonly<Record<string, readonly string[]>>;
}

/** Values that rows should hold now and then. */
export type Wanted = Readonly<
  Record<string, Readonly<Record<string, Readonly<Record<string, readonly (string | null)[]>>>>>
>;

/** An event that a row means once the moment in its column has come (`at`). */
export interface TimedEvent {
  /** Of the service. */
  readonly service: string;
  readonly table: string;
  /** `library.reservation.expired` */
  readonly event: string;
  readonly at: string;
  /** What the row holds then, and does not hold. */
  readonly when: readonly Holding[];
  readonly unless: readonly Holding[];
  /** The column in which a row names the entity; undefined: the rows are the entity. */
  readonly id: string | undefined;
}

/** What a column holds: one of the values, or null or not. */
export interface Holding {
  readonly column: string;
  readonly values?: readonly (string | number | boolean)[];
  readonly isNull?: boolean | undefined;
}

/** What no event tells. */
export interface Untold {
  /** Columns of which some update is in no event. */
  readonly columns: readonly string[];
  readonly deletions: boolean;
}

export type Payload = Readonly<Record<string, unknown>>;

export interface ForeignEvent {
  readonly definition: EventDefinition;
  /** Valid by the event's schema, once `idFields` hold one of the ids. */
  readonly payloads: readonly Payload[];
}

/** By payload field: which part of the entity's id it holds, of how many; the whole of it is the first of one. */
export type IdFields = ReadonlyMap<string, { readonly place: number; readonly of: number }>;

export interface ForeignEntity {
  /** `field` */
  readonly service: string;
  /** `field.probe` */
  readonly entity: string;
  readonly envelope: "mesh" | "cloudevents" | "none";
  /** Few, so that writers meet. */
  readonly ids: readonly string[];
  readonly idFields: IdFields;
  readonly events: readonly ForeignEvent[];
}

/** An entity of an own service of which its code tells, beside what rows imply. */
export interface UnimpliedEntity extends Pick<ForeignEntity, "entity" | "ids" | "idFields" | "events"> {
  readonly service: SimulatedService;
}

export type Owner = OwnedTable | ForeignEntity;

export function isForeign(owner: Owner): owner is ForeignEntity {
  return "ids" in owner;
}

/** A consumer whose entity's owner takes part in the simulation, so that the two can be compared. */
export interface Copy {
  readonly service: SimulatedService;
  readonly consumer: ConsumerDefinition;
  readonly owner: Owner;
}

/** It reads the list of its source, which is served: by its owner's process, or by the simulated external service. */
export function isSynced(
  { foreign }: SimulatedMesh,
  { entity, stream, cache, sync }: ConsumerDefinition,
): boolean {
  if (sync === undefined) return false;
  if (stream.external !== true) return true;
  return cache !== undefined && foreign.some((one) => one.entity === entity);
}

/** No snapshot can make the event of a creation of this entity from a row. */
export function isCreationUnmade(
  { unmade }: Pick<SimulatedMesh, "unmade">,
  { service, consumer }: Copy,
): boolean {
  const names = new Map(Object.entries(unmade)).get(service.definition.name) ?? [];
  return consumer.events.some(
    ({ event }) => event.change === "create" && names.includes(`${consumer.entity}.${event.action}`),
  );
}

export function copiesOf({ services, tables, foreign }: SimulatedMesh): readonly Copy[] {
  return services.flatMap((service) =>
    service.definition.consumers.flatMap((consumer): Copy[] => {
      const owner = findOwner({ tables, foreign }, consumer.entity);
      return owner === undefined ? [] : [{ service, consumer, owner }];
    }),
  );
}

export function findOwner(
  { tables, foreign }: Pick<SimulatedMesh, "tables" | "foreign">,
  entity: string,
): Owner | undefined {
  return (
    foreign.find((one) => one.entity === entity) ??
    tables.find(
      ({ service, table }) =>
        `${service.definition.name}.${table.entity}` === entity && table.entity !== undefined,
    )
  );
}
