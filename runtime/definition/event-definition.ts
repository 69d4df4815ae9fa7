import type { Change } from "../vocabulary.js";

/*
 * What an event is: its message, and what its owner and subscribers know of it.
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
