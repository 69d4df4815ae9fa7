import type { ClientBase } from "pg";
import type { ColumnType } from "./values/column-types.js";

/*
 * What generated code says to the runtime: plain descriptions, no behaviour. A generated file builds
 * one of these and hands it over; everything that is the same for every mesh happens behind them.
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

export interface MeshEvent {
  readonly metadata: Metadata;
}

/** The payload of an event: everything but its metadata. */
export type Payload<E extends MeshEvent> = Omit<E, "metadata">;

/** A precompiled ajv validator: false leaves the reasons in `errors`. */
export interface Validator<E> {
  (data: unknown): data is E;
  errors?: readonly ValidationError[] | null;
}

export interface ValidationError {
  readonly instancePath: string;
  readonly keyword: string;
  readonly message?: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** A transaction's connection. What is done through it commits or rolls back with the event. */
export type Tx = Pick<ClientBase, "query">;

export interface HandlerContext<E> {
  readonly event: E;
  readonly tx: Tx;
  readonly subject: string;
  readonly logger: Logger;
  /** `event`: a message. `snapshot`: the event was lost, its outcome was found in its source or shown by a later event. */
  readonly origin: "event" | "snapshot";
}

/**
 * A step of the service's own for one event: runs last, inside the event's transaction, once per
 * fresh event (a duplicate or stale event does not reach it). Throwing, or no answer within a minute, rolls
 * the event back; it is tried again with backoff and becomes a dead letter after its attempts. `tx` ends with
 * the call.
 */
export type Handler<E> = (context: HandlerContext<E>) => Promise<void>;

export interface BeforeContext<Row> {
  readonly row: Row;
  readonly logger: Logger;
  /** Aborted when the service shuts down or the call takes too long. */
  readonly signal: AbortSignal;
}

/**
 * A step before a cascade deletes a row. Called at least once per row, outside any transaction,
 * and tried again with backoff until it succeeds; the row stays until then.
 */
export type BeforeDelete<Row> = (context: BeforeContext<Row>) => Promise<void>;

export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Logger;
}

export type { ColumnType };

export interface ColumnDefinition {
  readonly name: string;
  readonly type: ColumnType;
  /** A whole number that travels as a decimal string, in the whole range of 64 bits. */
  readonly wide?: true;
  readonly nullable?: true;
  /** The database fills it in when it is left out. */
  readonly defaulted?: true;
  readonly unique?: true;
  readonly oneOf?: readonly string[];
}

/** An owned or cache table. `Row` is what reading gives, `New` what create takes, `Patch` what update takes. */
export interface TableDefinition<
  Row extends object = object,
  New extends object = object,
  Patch extends object = object,
> {
  readonly name: string;
  readonly key: string;
  readonly columns: readonly ColumnDefinition[];
  /** `auth.user`: a read-only copy of that entity. */
  readonly cacheOf?: string;
  /** The events that its triggers write, so that a snapshot can be read as events: entity and event names by change. */
  readonly entity?: string;
  /** What the payloads of its events demand of the values that a row is written with. */
  readonly rules?: { readonly create?: Validator<object>; readonly patch?: Validator<object> };
  /** Phantom: carries the types, never set. */
  readonly types?: { readonly row: Row; readonly create: New; readonly patch: Patch };
}

export interface CascadeDefinition {
  readonly action: "set_null" | "delete";
  readonly table: TableDefinition;
  readonly column: string;
  /** Name and function of the hook that precedes each row's deletion. */
  readonly before?: { readonly name: string; readonly call: BeforeDelete<never> };
}

export interface EventDefinition {
  /** `UserCreated` */
  readonly name: string;
  /** `created` */
  readonly action: string;
  readonly change: "create" | "update" | "delete" | "none";
  /** Narrower where it is generated; a list of events of all kinds knows only the envelope. */
  readonly validate: Validator<MeshEvent>;
}

/** An event of the service's own, whose messages are validated. */
export interface PublishedEventDefinition extends Pick<EventDefinition, "name" | "action" | "validate"> {
  readonly entity: string;
}

export interface ConsumedEvent<E extends MeshEvent = MeshEvent> extends EventDefinition {
  /** Columns of the cache that this event carries (payload fields of the same name), the key included. */
  readonly columns?: readonly string[];
  readonly cascades?: readonly CascadeDefinition[];
  readonly handler?: Handler<E> | undefined;
}

export interface DeliveryDefinition {
  readonly attempts: number;
  readonly backoffSeconds: readonly number[];
  readonly ackWaitSeconds: number;
  readonly maxAckPending: number;
  readonly batch: number;
}

export interface SyncDefinition {
  /** Environment variable with the source's base URL: `AUTH_SERVICE_URL`. */
  readonly urlVariable: string;
  /** Environment variable with what is shown there: `SFS_TO_AUTH_KEY`. */
  readonly keyVariable: string;
  readonly path: string;
  readonly header: string;
  readonly everySeconds: number;
  /** Of a consumer without a cache: the field of each element that is the entity's id. */
  readonly key?: string;
  /** The variable may be unset: the service runs, and lost deletions stay unnoticed. */
  readonly optional?: true;
}

export interface StreamDefinition {
  readonly name: string;
  readonly subjects: readonly string[];
  readonly replicas?: number;
  readonly maxAgeSeconds: number;
  readonly maxMessages: number;
  readonly maxBytes: number;
  readonly duplicateWindowSeconds: number;
  /** How long its consumers remember a deletion, and its owner twice as long; where it is missing, for ever. */
  readonly tombstoneSeconds?: number | undefined;
  /** An external owner's stream: waited for, never created or changed. */
  readonly external?: true;
}

/** One durable pull consumer and what is done with its events. */
export interface ConsumerDefinition {
  readonly durable: string;
  readonly stream: StreamDefinition;
  readonly filter: string;
  /** `auth.user` */
  readonly entity: string;
  readonly cache?: TableDefinition;
  readonly sync?: SyncDefinition;
  readonly delivery: DeliveryDefinition;
  readonly events: readonly ConsumedEvent<never>[];
}

export interface PublishedEvent {
  readonly name: string;
  readonly entity: string;
  readonly action: string;
  /** Payload fields in the order of the wire. */
  readonly fields: readonly string[];
  readonly validate?: Validator<MeshEvent>;
}

export interface ResourceDefinition {
  readonly path: string;
  readonly table: TableDefinition;
  /** Precompiled validators of the request bodies; absent on a read-only resource. */
  readonly create?: Validator<unknown>;
  readonly patch?: Validator<unknown>;
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
  /** Folder of its migrations; `grants.sql` stands beside it. */
  readonly migrations: URL;
}

/** A whole service, hooks already passed in. */
export interface ServiceDefinition {
  readonly mesh: string;
  readonly name: string;
  readonly source: string;
  readonly database: DatabaseDefinition;
  /** Where its own events go; absent when it publishes none. */
  readonly stream?: StreamDefinition;
  /** Subjects it may publish: `auth.user.*.*`. */
  readonly publishes: readonly string[];
  /** Own events whose schema says more than the owner's tables can: validated before they are published. */
  readonly validated?: readonly PublishedEventDefinition[];
  readonly tables: readonly TableDefinition[];
  readonly consumers: readonly ConsumerDefinition[];
  readonly http?: { readonly port: number; readonly resources: readonly ResourceDefinition[] };
  /** Other services that may call it, and nothing but what is said here. */
  readonly callers?: readonly CallerDefinition[];
  /** What its hooks call, beside the sources of its consumers. */
  readonly calls?: readonly { readonly urlVariable: string; readonly keyVariable: string }[];
  readonly environment: readonly EnvironmentDefinition[];
  /** Steps of the service's own at start-up; throwing refuses the start. */
  readonly start?: StartHook | undefined;
}

export interface CallerDefinition {
  readonly name: string;
  /** Environment variable with what it shows: `SFS_TO_AUTH_KEY`. */
  readonly keyVariable: string;
  readonly grants: readonly GrantDefinition[];
}

export type CallVerb = "get" | "post" | "patch" | "delete";

export interface GrantDefinition {
  /** `/api/users`, and the rows below it. */
  readonly path: string;
  readonly verbs: readonly CallVerb[];
}

export interface EnvironmentDefinition {
  readonly name: string;
  readonly required?: true;
  readonly default?: string;
}

export interface StartContext {
  /** Every variable of mesh.yaml's `environment`, defaults filled in. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
}

/** Runs once before the service takes work: the place to check what the hooks need. */
export type StartHook = (context: StartContext) => Promise<void> | void;

/** What a hooks module exports, and a service is made from: `computeService(hooks)`. */
export type ServiceFactory<Hooks> = (hooks: Hooks) => ServiceDefinition;
