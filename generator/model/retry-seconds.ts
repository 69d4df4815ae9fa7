import type { Delivery } from "./mesh.js";

/** All waits between the attempts at one event. */
export function retrySeconds({
  attempts,
  backoffSeconds,
}: Pick<Delivery, "attempts" | "backoffSeconds">): number {
  const last = backoffSeconds.at(-1) ?? 0;
  const waits = Array.from({ length: Math.max(0, attempts - 1) }, (_, at) => backoffSeconds[at] ?? last);
  return waits.reduce((sum, seconds) => sum + seconds, 0);
}
