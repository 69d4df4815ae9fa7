import type { ConsumerDefinition, Handler, MeshEvent, ServiceDefinition } from "../definition.js";

/** The consumers of a service. Where it has a hook for every event, each event's handler is its own one and then that hook. */
export function consumersOf({
  consumers,
  onEvent,
}: Pick<ServiceDefinition, "consumers" | "onEvent">): readonly ConsumerDefinition[] {
  if (onEvent === undefined) return consumers;
  return consumers.map((consumer) => ({
    ...consumer,
    events: consumer.events.map((consumed) => ({ ...consumed, handler: both(consumed.handler, onEvent) })),
  }));
}

function both(own: Handler<never> | undefined, onEvent: Handler<MeshEvent>): Handler<never> {
  return async (context) => {
    await own?.(context);
    await onEvent(context);
  };
}
