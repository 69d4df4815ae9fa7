import type { ClientBase } from "pg";
import type { ColumnType } from "./values/column-types.js";
import type { CascadeAction, Change, ReferenceAction } from "./vocabulary.js";

/*
 * The definitions that generated code passes to the runtime: plain data, and the functions of a mesh. What is the same for every
 * mesh is the runtime's. What may be left out says its default.
 */

/** The documented `metadata` of every event. */
export interface Metadata {
  /** uuid v4; also the `Nats-Msg-Id` header. */
  readonly event_id: string;
  readonly entity_id: string;
  /** Unix seconds. */
  readonly timestamp: number;
  /** The publishing service's `source`: `auth-service`. */
  readonly source: string;
  /** The entity's version: 1 at creation, plus one per event. Two of the documented messages omit it. */
  readonly version?: number;
}

/** Every event: its metadata, and fields beside it. */
export interface MeshEvent {
  readonly metadata: Metadata;
}

/** The payload of an event: everything but its metadata. */
export type Payload<E extends MeshEvent> = Omit<E, "metadata">;

/** A precompiled ajv validator. Where it returns false, `errors` has the reasons. */
export interface Validator<E> {
  (data: unknown): data is E;
  errors?: readonly ValidationError[] | null;
}

/** What ajv says of one violation; `instancePath` is a JSON pointer into the event. */
export interface ValidationError {
  readonly instancePath: string;
  readonly keyword: string;
  readonly message?: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** The connection of a transaction. What is written through it commits or rolls back with the event. */
export type Tx = Pick<ClientBase, "query">;

/** What a handler gets: the event, and the transaction that applies it. */
export interface HandlerContext<E> {
  readonly event: E;
  readonly tx: Tx;
  readonly subject: string;
  readonly logger: Logger;
  /** `event`: a message was received. `snapshot`: the event was lost, and its outcome was found in the source or follows from a later event. */
  readonly origin: "event" | "snapshot";
}

/**
 * A hook of the service for one event. It runs last in the event's transaction, not for a duplicate or stale event. Where it throws,
 * or takes longer than 60 s, the transaction is rolled back; the event is retried with back-off, and becomes a dead letter
 * after its attempts. `tx` must not be used after the call.
 */
export type Handler<E> = (context: HandlerContext<E>) => Promise<void>;

/** What a handler gets in a service without a database: the event, and nothing that could be written to. */
export interface MessageContext<E> {
  readonly event: E;
  readonly subject: string;
  readonly logger: Logger;
  /** Which attempt at the message this is, from 1. */
  readonly attempt: number;
  /** Aborted when the service stops, or after 60 s. */
  readonly signal: AbortSignal;
}

/**
 * A hook of a service without a database, for one event: stateless, and called at least once. It runs again for a message that is
 * delivered again, as after a crash, so it should do the same the second time. Where it throws, or takes longer than 60 s, the
 * event is retried with back-off, and becomes a dead letter after its attempts; later events of its entity wait meanwhile in this
 * replica.
 */
export type MessageHandler<E> = (context: MessageContext<E>) => Promise<void>;

/** What a hook before a deletion gets: the row that is to go. */
export interface BeforeContext<Row> {
  readonly row: Row;
  readonly logger: Logger;
  /** Aborted when the service stops, or after 60 s. */
  readonly signal: AbortSignal;
}

/**
 * A hook before a cascade deletes a row. It is called at least once per row, outside any transaction, and retried with back-off until it
 * succeeds; the row stays until then.
 */
export type BeforeDelete<Row> = (context: BeforeContext<Row>) => Promise<void>;

/** Where hooks log: JSON lines on standard output. An `error` among the fields is written with its stack and cause. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Logger;
}

export type { ColumnType } from "./values/column-types.js";

/** A column of a table, as mesh.yaml declares it. */
export interface ColumnDefinition {
  readonly name: string;
  readonly type: ColumnType;
  /** A whole number of 64 bits, which is a decimal string on the wire. */
  readonly wide?: true;
  readonly nullable?: true;
  /** The database has a default for it. */
  readonly defaulted?: true;
  readonly unique?: true;
  /** Shown to nobody but the service itself: REST takes it and never gives it. */
  readonly private?: true;
  /** Of a cache: only hooks fill it. Events and snapshots leave it alone, and it is not compared. */
  readonly local?: true;
  /** What REST calls it, and so snapshots. Absent: its name. */
  readonly shown?: string;
  /** Of a cache: the field of its events that fills it. Absent: that of its name. */
  readonly field?: string;
  /** Of a cache: the member of its owner's rows that fills it. Absent: called as the field. */
  readonly member?: string;
  /** In their form on the wire. */
  readonly oneOf?: readonly (string | number)[];
}

/** What is compared with the catalogue before a migration. */
export interface ExistingDefinition {
  /** Sets of columns whose values together are unique. */
  readonly unique: readonly (readonly string[])[];
  readonly references: readonly ReferenceDefinition[];
}

/** A foreign key of one column, to the key of a table that this service has too, by its name in mesh.yaml. */
export interface ReferenceDefinition {
  readonly column: string;
  readonly table: string;
  readonly target: string;
  readonly onDelete: ReferenceAction;
}

/**
 * An owned table, a cache or a view. `Row` is what reading returns, `New` what create accepts, `Patch` what update accepts. `Key` says which row,
 * where its key has several columns.
 */
export interface TableDefinition<
  Row extends object = object,
  New extends object = object,
  Patch extends object = object,
  Key = unknown,
> {
  readonly name: string;
  /** Where mesh.yaml says its schema. Absent: under `name`, in the schema where migrations make tables. */
  readonly at?: { readonly schema: string; readonly table: string };
  /** Its key column, or several in the order in which they make the entity's id. */
  readonly key: string | readonly string[];
  readonly columns: readonly ColumnDefinition[];
  /** It was there before the mesh: what mesh.yaml says of it beside its columns. */
  readonly existing?: ExistingDefinition;
  /** The entity of which it is a read-only cache: `auth.user`. Absent for an owned table. */
  readonly cacheOf?: string;
  /** It is a view: PostgreSQL makes its rows from others', and it is only read. */
  readonly view?: true;
  /** Of a partial cache: it has the rows that meet all of these. */
  readonly where?: readonly ConditionDefinition[];
  /** Column by which its rows are deleted without going. A row in which it is set does not exist for anybody but SQL. */
  readonly softDelete?: string;
  /** The events that its triggers write, so that a snapshot can be read as events: entity and event names by change. */
  readonly entity?: string;
  /** Compiled validators of what REST takes for it. Absent where it is not served, or served for reading alone. */
  readonly validate?: { readonly create: Validator<object>; readonly patch: Validator<object> };
  /** Rules of its events' payloads for the values that a row is written with. */
  readonly rules?: { readonly create?: Validator<object>; readonly patch?: Validator<object> };
  /** Never set: carries the types only. */
  readonly types?: { readonly row: Row; readonly create: New; readonly patch: Patch; readonly key: Key };
}

/** What creates a row: every column, of which those in `Optional` may be left out. */
export type NewRow<Row, Optional extends keyof Row = never> = Expand<
  Omit<Row, Optional> & Partial<Pick<Row, Optional>>
>;

/** What changes a row: any of its columns but the key. */
export type RowPatch<Row, Key extends keyof Row> = Expand<Partial<Omit<Row, Key>>>;

/** What says which row, where the key has several columns. */
export type RowKey<Row, Key extends keyof Row> = Expand<Pick<Row, Key>>;

/** The members themselves, where an editor would show how they came about. */
type Expand<T> = { [Name in keyof T]: T[Name] };

/** A column's part of a partial cache's condition. */
export interface ConditionDefinition {
  readonly column: string;
  /** It holds one of these; absent with `isNull`. */
  readonly values?: readonly (string | number | boolean)[];
  /** It is null, or is not. */
  readonly isNull?: boolean;
  /** A field that is left out meets it: so does the column's default, or null where it has none. */
  readonly absent?: true;
}

/** What happens to rows that name a deleted entity in `column`. */
export interface CascadeDefinition {
  readonly action: CascadeAction;
  readonly table: TableDefinition;
  readonly column: string;
  /** The hook that is called before each row's deletion. */
  readonly before?: { readonly name: string; readonly call: BeforeDelete<never> };
}

/** The message of an event, as `schemas/UserCreated.schema.json` says it: compiled. */
export interface MessageSchema<E extends MeshEvent = MeshEvent> {
  /** `UserCreated` */
  readonly name: string;
  /** Payload fields in the order of the wire. */
  readonly fields: readonly string[];
  /** Of the whole event, its metadata included. */
  readonly validate: Validator<E>;
}

/** An event, as its owner and its subscribers know it. `change` says what it does to the entity; `none`: only handlers hear of it. */
export interface EventDefinition<E extends MeshEvent = MeshEvent> extends MessageSchema<E> {
  /** `user` */
  readonly entity: string;
  /** `created` */
  readonly action: string;
  readonly change: Change;
  /** Of an external service that has other subjects than the documented: `m.*.c.{id}.>`. Absent: found by its action. */
  readonly subject?: string;
  /** CloudEvents `type`, of an event that shares its subject with others. */
  readonly type?: string;
  /** Fields of the payload that hold the entity's id, and the event's, where its envelope has none. */
  readonly idField?: string;
  readonly eventIdField?: string;
  /** Fields that the owner's rows, and so snapshots, do not show under their own name: `{ restaurantId: "restaurant_id" }`. */
  readonly members?: Readonly<Record<string, MemberDefinition>>;
}

/** How a field follows from a row: a member of it, the same in each event, or an object of such. */
export type MemberDefinition =
  | string
  | { readonly constant: unknown }
  | { readonly members: Readonly<Record<string, MemberDefinition>> };

/** The events of one service, by the names of its publisher's methods. */
export type EventDefinitions = Readonly<Record<string, EventDefinition>>;

/** An event of a subscription, with what this service does for it. A cache's columns are filled from the fields of the same names, where they say no other. */
export interface ConsumedEvent<E extends MeshEvent = MeshEvent> {
  readonly event: EventDefinition;
  readonly cascades?: readonly CascadeDefinition[];
  readonly handler?: Handler<E> | undefined;
}

/** Pace and retries of one consumer: `delivery` in mesh.yaml. */
export interface DeliveryDefinition {
  /** Failed attempts after which an event becomes a dead letter. */
  readonly attempts: number;
  /** Delay before each retry; the last one holds for all further retries. */
  readonly backoffSeconds: readonly number[];
  /** After which JetStream redelivers a message that is neither acked nor extended. */
  readonly ackWaitSeconds: number;
  /** Most messages that JetStream has outstanding, over all replicas. */
  readonly maxAckPending: number;
  /** Most messages that are applied in one transaction. */
  readonly batch: number;
}

/** Where the snapshots of a cache are read. */
export interface SyncDefinition {
  /** Environment variable with the source's base URL: `AUTH_SERVICE_URL`. */
  readonly urlVariable: string;
  /** Environment variable with the key to send there: `SFS_TO_AUTH_KEY`. */
  readonly keyVariable: string;
  /** Path of the list: `/api/users`. */
  readonly path: string;
  /** Name of the header that carries the key. Default: that of `syncDefaults`. */
  readonly header?: string;
  /** Age after which a snapshot is taken again; 0: never for its age. Default: that of `syncDefaults`. */
  readonly everySeconds?: number;
  /** The field of each element that is the entity's id, or those that make it; for a consumer without a cache. */
  readonly key?: string | readonly string[];
  /** The variables may be unset: then no snapshots are taken, and missed deletions are not found. */
  readonly optional?: true;
}

/** `cloudevents`: CloudEvents 1.0, structured or binary. `none`: the payload alone. */
export type Envelope = "cloudevents" | "none";

/** The stream of one service's events. */
export interface StreamDefinition {
  readonly name: string;
  readonly subjects: readonly string[];
  /** Absent: 1 in a new stream, and an existing one keeps its number. */
  readonly replicas?: number;
  /** JetStream evicts messages beyond any of these limits, the oldest first. */
  readonly maxAgeSeconds: number;
  readonly maxMessages: number;
  readonly maxBytes: number;
  /** In which JetStream stores a second message with the same id only once. */
  readonly duplicateWindowSeconds: number;
  /** How long consumers keep a tombstone; the owner keeps its version counter twice as long. Absent: for ever. */
  readonly tombstoneSeconds?: number | undefined;
  /** The stream of an external owner: waited for, never created or changed. */
  readonly external?: true;
  /** Of dead letters: it keeps the last message of each subject, and where it is full it refuses others instead of forgetting. */
  readonly deadLetters?: true;
  /** How an external owner's messages say whose they are. Absent: the documented `metadata`. */
  readonly envelope?: Envelope;
}

/** One durable pull consumer, and what is done with its events. */
export interface ConsumerDefinition {
  readonly durable: string;
  readonly stream: StreamDefinition;
  readonly filter: string;
  /** `auth.user` */
  readonly entity: string;
  /** Of a consumer beside the one that keeps copies: its hooks alone, with order, duplicates, attempts and dead letters of its own. */
  readonly name?: string;
  readonly cache?: TableDefinition;
  readonly sync?: SyncDefinition;
  /** Default: `deliveryDefaults`, each setting by itself. */
  readonly delivery?: Partial<DeliveryDefinition>;
  readonly events: readonly ConsumedEvent<never>[];
  /** Of a named consumer: the handler of each of its events, beside those of single events. */
  readonly onEvent?: Handler<MeshEvent> | undefined;
}

/** A table under REST at `path`. */
export interface ResourceDefinition {
  readonly path: string;
  readonly table: TableDefinition;
}

/** The database of a service. */
export interface DatabaseDefinition {
  readonly name: string;
  /** Environment variable with the URL that the service connects with: `AUTH_DB_URL`. */
  readonly urlVariable: string;
  /** Environment variable with the URL of who migrates: `AUTH_DB_OWNER_URL`. */
  readonly ownerUrlVariable: string;
  /** Roles that roles.sql makes: `auth_owner` and `auth_service`. */
  readonly roles: { readonly owner: string; readonly service: string };
  /** Folder of its migrations. */
  readonly migrations: URL;
  /** Folder of SQL of its own, beside mesh.yaml. Absent: none. */
  readonly sql?: string;
}

/** An event that a service without a database hears. */
export interface HeardEvent<E extends MeshEvent = MeshEvent> {
  readonly event: EventDefinition;
  readonly handler?: MessageHandler<E> | undefined;
}

/** One durable of a service without a database: hooks alone. */
export interface StatelessConsumerDefinition {
  readonly durable: string;
  readonly stream: StreamDefinition;
  readonly filter: string;
  /** `auth.user` */
  readonly entity: string;
  readonly name?: string;
  /** Default: `deliveryDefaults`, each setting by itself. */
  readonly delivery?: Partial<DeliveryDefinition>;
  readonly events: readonly HeardEvent<never>[];
  /** Of a named consumer: the handler of each of its events, beside those of single events. */
  readonly onEvent?: MessageHandler<MeshEvent> | undefined;
}

/** What a service without a database does: it hands messages to hooks, at least once each. */
export interface StatelessDefinition {
  /** The stream of its dead letters, see `deadLetterStreamOf`. */
  readonly deadLetters: StreamDefinition;
  readonly consumers: readonly StatelessConsumerDefinition[];
  /** The handler of every event that its unnamed consumers hear, beside those of single events. */
  readonly onEvent?: MessageHandler<MeshEvent> | undefined;
}

/** A whole service, with its hooks. */
export interface ServiceDefinition {
  readonly mesh: string;
  readonly name: string;
  readonly source: string;
  /** Absent for one that only hands messages to hooks, as `stateless` says. */
  readonly database?: DatabaseDefinition;
  readonly stateless?: StatelessDefinition;
  /** The stream of its own events; absent where it publishes none. */
  readonly stream?: StreamDefinition;
  /** Subjects it may publish: `auth.user.*.*`. */
  readonly publishes: readonly string[];
  /** Own events that are validated before they are published: their schemas demand more than PostgreSQL can check. */
  readonly validated?: readonly EventDefinition[];
  /** Rows of its tables mean events at a time: it looks for moments that have come. */
  readonly moments?: true;
  readonly tables: readonly TableDefinition[];
  /** Its views; none of them is among its tables. */
  readonly views?: readonly TableDefinition[];
  readonly consumers: readonly ConsumerDefinition[];
  readonly http?: { readonly port: number; readonly resources: readonly ResourceDefinition[] };
  /** Other services that may call it, with what each may do. */
  readonly callers?: readonly CallerDefinition[];
  /** Services that its hooks call, beside the sources of its consumers. */
  readonly calls?: readonly { readonly urlVariable: string; readonly keyVariable: string }[];
  /** Variables that mesh.yaml gives it beside those that the runtime reads of itself. */
  readonly environment?: readonly EnvironmentDefinition[];
  /** The handler of every event that its unnamed consumers hear, beside those of single events. */
  readonly onEvent?: Handler<MeshEvent> | undefined;
  /** The hook at start-up; where it throws, the service does not start. */
  readonly start?: StartHook | undefined;
}

/** Another service that may call this one. */
export interface CallerDefinition {
  readonly name: string;
  /** Environment variable with the key that it sends: `SFS_TO_AUTH_KEY`. */
  readonly keyVariable: string;
  /** The key may be unset: then the caller is not let in, and can do without. */
  readonly optional?: true;
  readonly grants: readonly GrantDefinition[];
}

/** HTTP methods that a grant names, in lower case. */
export type CallVerb = "get" | "post" | "patch" | "delete";

/** What a caller may do with one resource. */
export interface GrantDefinition {
  /** `/api/users`, and the rows below it. */
  readonly path: string;
  readonly verbs: readonly CallVerb[];
}

/** A variable that the service reads. Without one that is `required` it does not start. */
export interface EnvironmentDefinition {
  readonly name: string;
  readonly required?: true;
  readonly default?: string;
}

/** What the start hook gets. */
export interface StartContext {
  /** Every variable of mesh.yaml's `environment`, defaults filled in. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
}

/** Runs once before the service takes work: the place to check what the hooks need. */
export type StartHook = (context: StartContext) => Promise<void> | void;

/** The hooks that every service may have. */
export interface ServiceHooks {
  /** Runs once before the service takes work; throwing refuses the start. */
  readonly start?: StartHook;
}

/** The hooks that a consumer may have, whatever it hears. */
export interface ConsumerHooks {
  /**
   * Runs for every event that is heard, of whichever owner: after the event's own handler, in the same transaction and within
   * its time. `subject` says which event it is. Those of a named consumer are its own alone.
   */
  readonly onEvent?: Handler<MeshEvent>;
}

/** The hooks that a consumer may have in a service without a database. */
export interface MessageHooks {
  /** Runs for every event that is heard, of whichever owner, after the event's own handler. Those of a named consumer are its own alone. */
  readonly onEvent?: MessageHandler<MeshEvent>;
}

/** The hooks that every service without a database may have. */
export interface StatelessHooks extends ServiceHooks, MessageHooks {}

/** The hooks that every service may have which subscribes to something. */
export interface SubscriberHooks extends ServiceHooks, ConsumerHooks {}

/** What a hooks module exports, and a service is made from: `computeService(hooks)`. */
export type ServiceFactory<Hooks> = (hooks: Hooks) => ServiceDefinition;
