import type { Delivery } from "../broker/broker.js";
import { pause } from "../pause.js";
import { messageOf } from "../text/error-message.js";
import { isInfrastructureFailure } from "./error-classes.js";

/** The consumer is stopping: what is in hand goes back to the broker. */
export class Stopped extends Error {
  override readonly name = "Stopped";
}

export interface Persistence {
  readonly signal: AbortSignal;
  /** Called with what is wrong, and with undefined once it is over. */
  readonly onTrouble: (error: string | undefined) => void;
}

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5_000;

/**
 * Does it until the infrastructure lets it be done, in place, so that order is kept and nothing is
 * counted. Rejects with what is not the infrastructure's fault, and with `Stopped` when told to stop.
 */
export async function persistently<T>(persistence: Persistence, work: () => Promise<T>): Promise<T> {
  for (let wait = FIRST_WAIT_MS, troubled = false; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
    try {
      const result = await work();
      if (troubled) persistence.onTrouble(undefined);
      return result;
    } catch (error) {
      if (!isInfrastructureFailure(error)) {
        // The infrastructure answered, which is what was waited for.
        if (troubled) persistence.onTrouble(undefined);
        throw error;
      }
      if (persistence.signal.aborted) throw new Stopped("stopped", { cause: error });
      troubled = true;
      persistence.onTrouble(messageOf(error));
      await pause(wait * (0.75 + Math.random() / 2), persistence.signal);
    }
  }
}

export interface Heartbeat {
  /** Keeps the broker from delivering these to others until the returned function is called. */
  hold(deliveries: readonly Delivery[]): () => void;
  stop(): void;
}

/** Says `working` for everything in hand, three times per ack wait: half of it is too late under load. */
export function startHeartbeat(ackWaitSeconds: number): Heartbeat {
  const held = new Set<readonly Delivery[]>();
  const beat = () => {
    for (const deliveries of held) for (const delivery of deliveries) delivery.working();
  };
  const timer = setInterval(beat, (ackWaitSeconds * 1000) / 3);
  return {
    hold(deliveries) {
      held.add(deliveries);
      return () => held.delete(deliveries);
    },
    stop: () => clearInterval(timer),
  };
}
