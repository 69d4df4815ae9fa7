import type { ConsumerDefinition } from "../definition/consumer-definition.js";
import type { MeshEvent } from "../definition/event-definition.js";
import type { Handler } from "../definition/hook-definition.js";
import type { ServiceDefinition } from "../definition/service-definition.js";

/** The consumers of a service. Where a consumer has a hook for every event, each event's handler is its own one and then that hook. */
export function consumersOf({
  consumers,
  onEvent,
}: Pick<ServiceDefinition, "consumers" | "onEvent">): readonly ConsumerDefinition[] {
  const hooked = consumers.some((consumer) => (consumer.name === undefined ? onEvent : consumer.onEvent));
  if (!hooked) return consumers;
  return consumers.map((consumer) => {
    const every = consumer.name === undefined ? onEvent : consumer.onEvent;
    if (every === undefined) return consumer;
    const events = consumer.events.map((consumed) => ({
      ...consumed,
      handler: both(consumed.handler, every),
    }));
    return { ...consumer, events };
  });
}

function both(own: Handler<never> | undefined, onEvent: Handler<MeshEvent>): Handler<never> {
  return async (context) => {
    await own?.(context);
    await onEvent(context);
  };
}
