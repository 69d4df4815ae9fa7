/*
 * Settings that mesh.yaml leaves out, said once: the compiler prints them into plans and documents, and emits only what differs. It
 * imports nothing, so that a compiler may read it.
 */

/** Of `delivery`. Milliseconds are fractions of a second. */
export const deliveryDefaults = {
  attempts: 5,
  backoffSeconds: [1, 5, 30],
  ackWaitSeconds: 30,
  maxAckPending: 10_000,
  batch: 1_000,
} as const;

/** Of `stream`. */
export const streamDefaults = {
  maxAgeSeconds: 7 * 86_400,
  maxMessages: 1_000_000,
  maxBytes: 2 ** 30,
  duplicateWindowSeconds: 120,
  tombstoneSeconds: 90 * 86_400,
} as const;

/** Of `sync`. */
export const syncDefaults = { header: "authorization", everySeconds: 3_600 } as const;
