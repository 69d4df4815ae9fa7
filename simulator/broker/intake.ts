import type { ConsumerPlan, Delivery, Intake } from "../../runtime/broker/broker.js";
import type { Adversary } from "./adversary.js";
import { ConnectionLost, type SimulatedConnection } from "./connection.js";
import { createDelivery, type Held } from "./delivery.js";
import type { Pulled } from "./durable.js";
import type { ServerPort } from "./port.js";

/** How soon to ask again for what the adversary kept back. */
const ASK_AGAIN_MS = 50;

export interface IntakeOptions {
  readonly connection: SimulatedConnection;
  readonly port: ServerPort;
  readonly adversary: Adversary;
  readonly plan: ConsumerPlan;
  readonly prefetch: number;
}

/**
 * Pulls for one durable. A pull that found nothing is not repeated until the server wakes it: so it stands
 * there, as a real one does, and an idle consumer crosses nothing.
 */
export function openSimulatedIntake(options: IntakeOptions): Intake {
  const { connection, port, adversary, plan, prefetch } = options;
  const place = { stream: plan.stream, durable: plan.durable };
  const ackWaitMs = plan.ackWaitSeconds * 1_000;
  let buffer: Held[] = [];
  let pulling = false;
  let idle = false;
  let stopped = false;
  let gone: unknown;
  let asking: ReturnType<typeof setTimeout> | undefined;
  let keeping: ReturnType<typeof setTimeout> | undefined;
  const takers = new Set<() => void>();

  const wakeTakers = () => {
    for (const taker of [...takers]) taker();
  };

  const room = () => prefetch - buffer.length;
  const pull = () => {
    // Few large requests: at half, so that the next one is there before the last one is used up.
    if (pulling || idle || stopped || gone || room() < Math.max(1, prefetch / 2)) return;
    if (!connection.connected()) return;
    pulling = true;
    idle = true;
    let wanted = 0;
    connection
      .cross(`pull ${plan.durable}`, (server) => {
        wanted = stopped ? 0 : room();
        return server.take(place, wanted, adversary);
      })
      .then((pulled) => receive(pulled, wanted), interrupted)
      .finally(() => {
        pulling = false;
        pull();
      });
  };
  const receive = ({ taken, more }: Pulled, wanted: number) => {
    const lender = { connection, adversary, place, ackWaitMs };
    const held = taken.map((one) => createDelivery(lender, one));
    if (stopped) return handBack(held);
    buffer.push(...held);
    keep();
    if (more && taken.length < wanted) askAgain();
    else if (more) idle = false;
    if (taken.length > 0) wakeTakers();
  };
  const interrupted = (cause: unknown) => {
    // Asked again at the next connection. Whatever else is not `ConsumerGone` is a mistake of the simulator's, to be seen.
    if (cause instanceof ConnectionLost) return;
    gone = cause;
    wakeTakers();
  };
  const askAgain = () => {
    clearTimeout(asking);
    asking = setTimeout(rouse, ASK_AGAIN_MS);
  };
  const rouse = () => {
    idle = false;
    pull();
  };

  /** Starts the ack wait of what nobody took yet anew, in time. */
  const keep = () => {
    if (keeping !== undefined || buffer.length === 0 || stopped) return;
    keeping = setTimeout(() => {
      keeping = undefined;
      const now = Date.now();
      for (const held of buffer) if (now - held.touchedAt() >= ackWaitMs / 3) held.delivery.working();
      keep();
    }, ackWaitMs / 3);
  };
  const handBack = (held: readonly Held[]) => {
    for (const { delivery } of held) delivery.nak(0);
  };
  const arrival = (waitMs: number) =>
    new Promise<void>((resolve) => {
      const taker = () => {
        clearTimeout(timer);
        takers.delete(taker);
        resolve();
      };
      const timer = setTimeout(taker, waitMs);
      takers.add(taker);
    });

  const leave = () => {
    clearTimeout(asking);
    clearTimeout(keeping);
    stopListening();
    stopStatus();
    connection.ended.removeEventListener("abort", leave);
  };
  const stopListening = port.listen(place, rouse);
  connection.ended.addEventListener("abort", leave);
  const stopStatus = connection.onStatus((status) => {
    if (status.kind === "connected") rouse();
  });
  pull();

  return {
    async next(max, waitMs): Promise<readonly Delivery[]> {
      pull();
      if (buffer.length === 0 && !gone && !stopped && waitMs > 0) await arrival(waitMs);
      if (buffer.length === 0 && gone) throw gone;
      const taken = buffer.slice(0, max);
      buffer = buffer.slice(max);
      if (taken.length > 0) pull();
      return taken.map(({ delivery }) => delivery);
    },
    buffered: () => buffer.map(({ delivery }) => delivery),
    async stop() {
      if (stopped) return;
      stopped = true;
      leave();
      wakeTakers();
      handBack(buffer);
      buffer = [];
      await connection.flush();
    },
  };
}
