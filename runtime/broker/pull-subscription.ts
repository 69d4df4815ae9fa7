import type { JetStreamManager, Msg, NatsConnection } from "nats";
import type { Logger } from "../definition.js";
import type { ConsumerPlan, Intake } from "./broker.js";
import type { Connection } from "./connection.js";
import { PulledMessage } from "./delivery.js";
import { countLoans } from "./in-flight.js";
import { createSuspicion } from "./liveness-check.js";
import { collectArrivals } from "./prefetch-buffer.js";
import { openPulls, PULL_EXPIRES_MS } from "./pull-requests.js";
import { createUndelivered } from "./undelivered.js";

const WATCH_MS = 500;
const FLUSH_TIMEOUT_MS = 2_000;

export interface IntakeOptions {
  readonly connection: Connection;
  readonly manager: (client: NatsConnection) => Promise<JetStreamManager>;
  readonly inboxPrefix: string;
  readonly plan: ConsumerPlan;
  readonly prefetch: number;
  readonly logger: Logger;
}

/**
 * Pulls for one durable. Speaks the pull protocol itself rather than through the client's `consume()`,
 * whose iterator costs a turn of the event loop per message, cannot be asked for a batch, and waits
 * for ever for a durable that was deleted.
 */
export function openIntake(options: IntakeOptions): Intake {
  const { connection, plan } = options;
  const arrivals = collectArrivals();
  const loans = countLoans();
  let stopped = false;
  const suspicion = createSuspicion({ ...options, onRetry: () => pulls.renew(), onGone: arrivals.wake });
  const over = () => stopped || suspicion.gone() !== undefined;
  const receive = (message: Msg, reply: string, now: number) => {
    suspicion.lift();
    const pulled = new PulledMessage(message, reply, now, loans.begin);
    if (stopped) pulled.handBack();
    else arrivals.add(pulled);
  };
  const pulls = openPulls({
    ...options,
    waiting: () => arrivals.count,
    over,
    holdsOff: suspicion.holdsOff,
    onMessage: receive,
    onTrouble: suspicion.raise,
    onEnded: (reply) => undelivered.behind(reply),
  });
  const undelivered = createUndelivered({
    ...options,
    pullExpiresMs: PULL_EXPIRES_MS,
    holds: loans.holds,
  });
  const stopWatching = watch((now, frozen) => {
    // We were frozen, not the broker: what it said meanwhile is read after this timer.
    if (frozen) pulls.excuse(now);
    if (over() || !connection.client()) return;
    arrivals.extend(now, (plan.ackWaitSeconds * 1_000) / 3);
    pulls.check(now);
  });
  const stopStatus = connection.onStatus((status) => {
    if (status.kind === "connected") pulls.renew();
  });
  pulls.renew();

  return {
    async next(max, waitMs) {
      if (arrivals.count === 0 && !over() && waitMs > 0) await arrivals.wait(waitMs);
      const gone = suspicion.gone();
      if (arrivals.count === 0 && gone) throw gone;
      const taken = arrivals.take(max);
      pulls.ask();
      return taken;
    },
    held: loans.count,
    buffered: () => arrivals.all,
    async stop() {
      if (stopped) return;
      stopped = true;
      stopWatching();
      suspicion.stop();
      undelivered.stop();
      stopStatus();
      arrivals.wake();
      const client = connection.client();
      // The round trip of the drain brings in what the broker had already sent.
      if (client) await within(pulls.drain(), FLUSH_TIMEOUT_MS);
      arrivals.handBack();
      if (client && !client.isClosed()) await within(client.flush(), FLUSH_TIMEOUT_MS);
    },
  };
}

/** Looks again and again. `frozen`: this process did not run for a good part of the time since the last look. */
function watch(look: (now: number, frozen: boolean) => void): () => void {
  let lookedAt = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    const frozen = now - lookedAt > 4 * WATCH_MS;
    lookedAt = now;
    look(now, frozen);
  }, WATCH_MS);
  return () => clearInterval(timer);
}

/** Waits no longer than that. Whether the broker heard us before the connection went makes no difference here. */
async function within(work: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work.catch(() => undefined), late]);
  clearTimeout(timer);
}
