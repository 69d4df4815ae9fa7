import type { ConsumerDefinition } from "../definition/consumer-definition.js";

/**
 * By what the guard's rows, pending retries and dead letters know the entities of a consumer: `orders.order`, and
 * `orders.order/mailer` of a named one. Two consumers of one entity are news to each other: what one has applied is no
 * duplicate to the other.
 */
export function scopeOf({ entity, name }: Pick<ConsumerDefinition, "entity" | "name">): string {
  return name === undefined ? entity : `${entity}/${name}`;
}
