import { headers } from "nats";
import type { FaultContext, FaultKind } from "./fault.js";

const TARGETS = [
  { stream: "AUTH", subject: "auth.user", durables: ["sfs_auth_user", "compute_auth_user"] },
  { stream: "COMPUTE", subject: "compute.container", durables: ["gateway_compute_container"] },
] as const;

/** Bodies that can never be applied: each becomes a dead letter at once. */
const BODIES: readonly { readonly action: string; readonly body: (id: string) => string | Uint8Array }[] = [
  { action: "created", body: () => "" },
  { action: "created", body: () => "not JSON" },
  { action: "deleted", body: () => "{" },
  { action: "created", body: () => Uint8Array.of(0xff, 0xfe, 0x00) },
  { action: "created", body: (id) => JSON.stringify({ user_id: id }) },
  { action: "deleted", body: (id) => JSON.stringify({ metadata: { entity_id: id }, user_id: 7 }) },
  { action: "created", body: () => "[]" },
  { action: "deleted", body: () => `{"metadata":null,"filler":"${"x".repeat(200_000)}"}` },
  { action: "exploded", body: (id) => JSON.stringify({ metadata: { entity_id: id } }) },
];

let made = 0;

export const poisonFaults: readonly FaultKind[] = [
  {
    kind: "poison",
    weight: 8,
    plan(random) {
      const target = random.pick(TARGETS);
      const chosen = Array.from({ length: random.between(1, 4) }, () => random.pick(BODIES));
      return {
        what: `${chosen.length} poisonous messages on ${target.subject}`,
        holds: ["poison"],
        async begin(context) {
          for (const { action, body } of chosen) {
            made += 1;
            const id = `poison-${process.pid}-${made}`;
            await publish(context, {
              ...target,
              subject: `${target.subject}.${id}.${action}`,
              id,
              body: body(id),
            });
          }
          return async () => undefined;
        },
      };
    },
  },
];

interface PoisonMessage {
  readonly stream: string;
  readonly durables: readonly string[];
  readonly subject: string;
  readonly id: string;
  readonly body: string | Uint8Array;
}

/** Publishes with retries under one message id, so that it is stored at most once within the dedupe window. */
async function publish({ mesh, facts, wait }: FaultContext, poison: PoisonMessage): Promise<void> {
  const body = typeof poison.body === "string" ? new TextEncoder().encode(poison.body) : poison.body;
  for (let tries = 0; tries < 20; tries += 1) {
    try {
      await mesh.broker.js.publish(poison.subject, body, {
        msgID: poison.id,
        headers: headers(),
        timeout: 1_000,
      });
      facts.poison.set(poison.subject, { stream: poison.stream, durables: poison.durables });
      return;
    } catch {
      await wait(250);
    }
  }
}
