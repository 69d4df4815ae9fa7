import type {
  EventDefinition,
  EventDefinitions,
  MeshEvent,
  Payload,
} from "../definition/event-definition.js";
import type { Tx } from "../definition/hook-definition.js";
import { enqueueEvent } from "./enqueue.js";

/** The events of a service, published by hand, as one method for each. */
export type Publisher<Events extends EventDefinitions> = {
  readonly [Name in keyof Events]: (
    entityId: string,
    payload: Payload<EventOf<Events[Name]>>,
  ) => Promise<void>;
};

/** The message that a definition is of. */
export type EventOf<Definition> = Definition extends EventDefinition<infer E extends MeshEvent> ? E : never;

/** Who publishes, as subjects and messages name it. */
export interface PublisherOptions {
  readonly service: string;
  /** `metadata.source`: `auth-service`. */
  readonly source: string;
  /** Schema of the mesh's tables of the service. Default `mesh`. */
  readonly meshSchema?: string;
}

/**
 * A publisher for each transaction: what it writes to the outbox leaves once `tx` commits, or never. Its methods reject as `enqueueEvent`
 * does.
 */
export function publisherOf<Events extends EventDefinitions>(
  events: Events,
  { service, source, meshSchema }: PublisherOptions,
): (tx: Tx) => Publisher<Events> {
  return (tx) => {
    const methods = Object.entries(events).map(([name, event]) => [
      name,
      (entityId: string, payload: object) =>
        enqueueEvent(tx, { source, service, event, entityId, payload, meshSchema }),
    ]);
    return Object.fromEntries(methods) as Publisher<Events>;
  };
}
