import type { ConsumerPlan, Delivery, PullSubscription } from "../../runtime/broker/broker.js";
import type { StreamDefinition } from "../../runtime/definition/stream-definition.js";

let made = 0;

/** Names that no other test uses: the server may be shared. */
export function streamPlan(overrides: Partial<StreamDefinition> = {}): StreamDefinition {
  made += 1;
  const name = `T${process.pid}_${Date.now().toString(36)}_${made}`.toUpperCase();
  return {
    name,
    subjects: [`${name.toLowerCase()}.>`],
    maxAgeSeconds: 3_600,
    maxMessages: 1_000_000,
    maxBytes: 64 * 1_024 * 1_024,
    duplicateWindowSeconds: 120,
    ...overrides,
  };
}

export function subjectIn({ name }: StreamDefinition, id: string, action = "created"): string {
  return `${name.toLowerCase()}.user.${id}.${action}`;
}

export function durablePlan(stream: StreamDefinition, overrides: Partial<ConsumerPlan> = {}): ConsumerPlan {
  return {
    stream: stream.name,
    durable: "reader",
    filter: `${stream.name.toLowerCase()}.user.*.*`,
    ackWaitSeconds: 30,
    maxAckPending: 1_000,
    ...overrides,
  };
}

export const bytes = (text: string) => new TextEncoder().encode(text);
export const text = (body: Uint8Array) => new TextDecoder().decode(body);

/** Takes deliveries until there are `count`; fails after a time. */
export async function take(
  subscription: PullSubscription,
  count: number,
  withinMs = 10_000,
): Promise<Delivery[]> {
  const taken: Delivery[] = [];
  const deadline = Date.now() + withinMs;
  while (taken.length < count) {
    if (Date.now() > deadline) throw new Error(`${taken.length} of ${count} messages within ${withinMs} ms`);
    taken.push(...(await subscription.next(count - taken.length, 200)));
  }
  return taken;
}
