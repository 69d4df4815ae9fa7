import type { CascadeAction } from "../vocabulary.js";
import type { EventDefinition, MeshEvent } from "./event-definition.js";
import type { BeforeDelete, Handler, MessageHandler } from "./hook-definition.js";
import type { StreamDefinition } from "./stream-definition.js";
import type { TableDefinition } from "./table-definition.js";

/*
 * What a service does with the events that it hears.
 */

/** What happens to rows that name a deleted entity in `column`. */
export interface CascadeDefinition {
  readonly action: CascadeAction;
  readonly table: TableDefinition;
  readonly column: string;
  /** The hook that is called before each row's deletion. */
  readonly before?: { readonly name: string; readonly call: BeforeDelete<never> };
}

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
