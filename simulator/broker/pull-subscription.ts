import type { ConsumerPlan, Delivery, PullSubscription } from "@meshwright/runtime";
import type { Adversary } from "./adversary.js";
import { ConnectionLost, type SimulatedConnection } from "./connection.js";
import { createDelivery, type Outstanding } from "./delivery.js";
import type { Pulled } from "./durable.js";
import type { ServerPort } from "./port.js";

/** Delay before the next pull for messages that the adversary held back. */
const RETRY_PULL_MS = 50;

export interface PullOptions {
  readonly connection: SimulatedConnection;
  readonly port: ServerPort;
  readonly adversary: Adversary;
  readonly plan: ConsumerPlan;
  readonly prefetch: number;
}

/**
 * Pulls for one durable. A pull that found nothing is repeated only when the server wakes it, as a pending pull of a real
 * client is answered later: an idle consumer sends no requests.
 */
export function openPullSubscription(options: PullOptions): PullSubscription {
  const { connection, port, adversary, plan, prefetch } = options;
  const name = { stream: plan.stream, durable: plan.durable };
  const ackWaitMs = plan.ackWaitSeconds * 1_000;
  let buffer: Outstanding[] = [];
  let pulling = false;
  let idle = false;
  let stopped = false;
  let gone: unknown;
  let retrying: ReturnType<typeof setTimeout> | undefined;
  let extending: ReturnType<typeof setTimeout> | undefined;
  const takers = new Set<() => void>();

  const wakeTakers = () => {
    for (const taker of [...takers]) taker();
  };

  const room = () => prefetch - buffer.length;
  const pull = () => {
    // Pull when half the buffer is free: few large requests, and the next one is answered before the buffer is empty.
    if (pulling || idle || stopped || gone || room() < Math.max(1, prefetch / 2)) return;
    if (!connection.connected()) return;
    pulling = true;
    idle = true;
    let wanted = 0;
    connection
      .cross(`pull ${plan.durable}`, (server) => {
        wanted = stopped ? 0 : room();
        return server.take(name, wanted, adversary);
      })
      .then((pulled) => receive(pulled, wanted), interrupted)
      .finally(() => {
        pulling = false;
        pull();
      });
  };
  const receive = ({ taken, more }: Pulled, wanted: number) => {
    const context = { connection, adversary, name, ackWaitMs };
    const outstanding = taken.map((one) => createDelivery(context, one));
    if (stopped) return handBack(outstanding);
    buffer.push(...outstanding);
    extendAckWaits();
    if (more && taken.length < wanted) retryPull();
    else if (more) idle = false;
    if (taken.length > 0) wakeTakers();
  };
  const interrupted = (cause: unknown) => {
    // Pulled again after the reconnect. Other errors (`ConsumerGone`, or a mistake in the simulator) go to the taker.
    if (cause instanceof ConnectionLost) return;
    gone = cause;
    wakeTakers();
  };
  const retryPull = () => {
    clearTimeout(retrying);
    retrying = setTimeout(pullAgain, RETRY_PULL_MS);
  };
  const pullAgain = () => {
    idle = false;
    pull();
  };

  /** Extends the ack wait of buffered messages before it ends. */
  const extendAckWaits = () => {
    if (extending !== undefined || buffer.length === 0 || stopped) return;
    extending = setTimeout(() => {
      extending = undefined;
      const now = Date.now();
      for (const outstanding of buffer)
        if (now - outstanding.touchedAt() >= ackWaitMs / 3) outstanding.delivery.working();
      extendAckWaits();
    }, ackWaitMs / 3);
  };
  const handBack = (outstanding: readonly Outstanding[]) => {
    for (const { delivery } of outstanding) delivery.nak(0);
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
    clearTimeout(retrying);
    clearTimeout(extending);
    stopListening();
    stopStatus();
    connection.ended.removeEventListener("abort", leave);
  };
  const stopListening = port.listen(name, pullAgain);
  connection.ended.addEventListener("abort", leave);
  const stopStatus = connection.onStatus((status) => {
    if (status.kind === "connected") pullAgain();
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
