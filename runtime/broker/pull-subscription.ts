import type { JetStreamManager, Msg, NatsConnection } from "nats";
import type { Logger } from "../definition/hook-definition.js";
import { waitAtMost } from "../pause.js";
import type { ConsumerPlan, PullSubscription } from "./broker.js";
import type { Connection } from "./connection.js";
import { type Answer, PulledMessage } from "./delivery.js";
import { trackInFlight } from "./in-flight.js";
import { createLivenessCheck } from "./liveness-check.js";
import { createLostDeliveries } from "./lost-deliveries.js";
import { createPrefetchBuffer } from "./prefetch-buffer.js";
import { openPulls, PULL_EXPIRES_MS } from "./pull-requests.js";
import { createUndelivered } from "./undelivered.js";

const POLL_MS = 500;
const FLUSH_TIMEOUT_MS = 2_000;

export interface PullSubscriptionOptions {
  readonly connection: Connection;
  readonly manager: (client: NatsConnection) => Promise<JetStreamManager>;
  readonly inboxPrefix: string;
  readonly plan: ConsumerPlan;
  /** Messages to have at hand, those in the buffer included. */
  readonly prefetch: number;
  readonly logger: Logger;
}

/**
 * Pulls for one durable. It speaks the pull protocol itself, since the client's `consume()` costs a turn of the event loop per
 * message, cannot be asked for a batch, and waits for ever for a durable that was deleted.
 */
export function openPullSubscription(options: PullSubscriptionOptions): PullSubscription {
  const { connection, plan } = options;
  const buffer = createPrefetchBuffer();
  const inFlight = trackInFlight(plan.ackWaitSeconds * 1_000);
  const lost = createLostDeliveries({ ...options, inFlight, isOver: () => stopped });
  let stopped = false;
  const liveness = createLivenessCheck({ ...options, onRetry: () => pulls.renew(), onGone: buffer.wake });
  const isOver = () => stopped || liveness.gone() !== undefined;
  const receive = (message: Msg, reply: string, now: number, answer: Answer) => {
    liveness.pass();
    const pulled = new PulledMessage(message, reply, now, inFlight.begin, answer);
    lost.received(pulled, reply);
    if (stopped) pulled.handBack();
    else buffer.add(pulled);
    return pulled.body;
  };
  const pulls = openPulls({
    ...options,
    waiting: () => buffer.count,
    isOver,
    isBackingOff: () => liveness.isBackingOff() || lost.isHandingBack(),
    onMessage: receive,
    onTrouble: liveness.start,
    onEnded: (reply) => undelivered.behind(reply),
  });
  const undelivered = createUndelivered({
    ...options,
    pullExpiresMs: PULL_EXPIRES_MS,
    isInFlight: inFlight.has,
  });
  const stopPolling = startPolling((now, frozen) => {
    // This process was frozen, not the broker: what the broker sent meanwhile is read after this timer.
    if (frozen) pulls.excuseSilence(now);
    if (isOver() || !connection.client()) return;
    buffer.extend(now, (plan.ackWaitSeconds * 1_000) / 3);
    pulls.poll(now);
  });
  const stopStatus = connection.onStatus((status) => {
    if (status.kind === "disconnected") pulls.abandon();
    if (status.kind === "connected") void lost.handBack().then(pulls.renew);
  });
  pulls.renew();

  return {
    async next(max, waitMs) {
      if (buffer.count === 0 && !isOver() && waitMs > 0) await buffer.wait(waitMs);
      const gone = liveness.gone();
      if (buffer.count === 0 && gone) throw gone;
      const taken = buffer.take(max);
      pulls.ask();
      return taken;
    },
    outstanding: inFlight.outstanding,
    oldest: inFlight.oldest,
    buffered: () => buffer.all,
    async stop() {
      if (stopped) return;
      stopped = true;
      stopPolling();
      liveness.stop();
      undelivered.stop();
      stopStatus();
      buffer.wake();
      const client = connection.client();
      // Draining takes a round trip, which brings in what the broker had already sent.
      if (client) await attempt(pulls.drain());
      buffer.handBack();
      if (client && !client.isClosed()) await attempt(client.flush());
    },
  };
}

/** Calls `poll` every 500 ms. `frozen`: this process has not run for more than 2 s since the last call. */
function startPolling(poll: (now: number, frozen: boolean) => void): () => void {
  let polledAt = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    const frozen = now - polledAt > 4 * POLL_MS;
    polledAt = now;
    poll(now, frozen);
  }, POLL_MS);
  return () => clearInterval(timer);
}

/** A failure is ignored: messages that were not handed back are redelivered after their ack wait. */
function attempt(work: Promise<void>): Promise<void> {
  return waitAtMost(
    work.catch(() => undefined),
    FLUSH_TIMEOUT_MS,
  );
}
