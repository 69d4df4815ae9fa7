import {
  createInbox,
  type JetStreamManager,
  type Msg,
  type NatsConnection,
  nanos,
  type Subscription,
} from "nats";
import type { Logger } from "../definition.js";
import { ConsumerGone, type ConsumerPlan, type Delivery, type Intake } from "./broker.js";
import type { Connection } from "./connection.js";
import { PulledMessage } from "./delivery.js";
import { isConsumerMissing, isStreamMissing, messageOf } from "./faults.js";
import { countLoans } from "./loans.js";

/** An idle broker answers a pull this often; more than two missing answers mean that it forgot the pull. */
const HEARTBEAT_MS = 1_000;
const SILENCE_MS = 2_500;
const PULL_EXPIRES_MS = 30_000;
const WATCH_MS = 500;
/** After a refused pull. Doubles up to the longest while refusals last. */
const RETRY_MS = { first: 100, longest: 2_000 } as const;
/** No answer to pulls, and no permission to ask why: after this time the durable is taken for gone. */
const UNEXPLAINED_MS = 5_000;
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
 *
 * Every message and status of a pull comes to one inbox; `asked` is what the broker still owes us.
 * Whenever that may be wrong (a reconnection, silence), the inbox is given up with its pulls, and a
 * new one starts from zero: the broker drops a pull whose inbox nobody listens to.
 */
export function openIntake(options: IntakeOptions): Intake {
  const { connection, plan, prefetch, logger } = options;
  const pullSubject = `$JS.API.CONSUMER.MSG.NEXT.${plan.stream}.${plan.durable}`;
  const extendAfterMs = (plan.ackWaitSeconds * 1_000) / 3;
  let buffer: PulledMessage[] = [];
  let asked = 0;
  let inbox: Subscription | undefined;
  let heardAt = performance.now();
  let retryAt = 0;
  let retryMs: number = RETRY_MS.first;
  let unexplainedSince: number | undefined;
  let asking = false;
  let gone: ConsumerGone | undefined;
  let stopped = false;
  let retry: NodeJS.Timeout | undefined;
  const takers = new Set<() => void>();
  const loans = countLoans();

  const wake = () => {
    for (const taker of takers) taker();
    takers.clear();
  };
  const lose = (reason: string, cause?: unknown) => {
    gone = new ConsumerGone(reason, { cause });
    wake();
  };

  const receive = (from: Subscription | undefined, error: Error | null, message: Msg) => {
    if (error) return suspect(messageOf(error));
    heardAt = performance.now();
    const reply = message.reply;
    if (reply) {
      if (from === inbox) asked = Math.max(0, asked - 1);
      retryMs = RETRY_MS.first;
      unexplainedSince = undefined;
      const pulled = new PulledMessage(message, reply, heardAt, loans.begin());
      if (stopped) return pulled.handBack();
      buffer.push(pulled);
      return wake();
    }
    // A status of a pull that was given up with its inbox says nothing about the present ones.
    if (from === inbox) readStatus(message);
  };

  const readStatus = (message: Msg) => {
    const code = message.headers?.code ?? 0;
    if (code === 100) return;
    const reason = message.headers?.description ?? "";
    const owed = Number(message.headers?.get("Nats-Pending-Messages") ?? "");
    // 404 and 408 end one pull, and so does a 409 that counts what it left.
    if (code === 404 || code === 408 || owed > 0) {
      asked = Math.max(0, asked - (owed || asked));
      return code === 409 ? suspect(reason) : pull();
    }
    asked = 0;
    suspect(code === 503 ? "nobody answers pulls" : reason);
  };

  const pull = () => {
    const client = connection.client();
    const room = prefetch - buffer.length - asked;
    if (!client || !inbox || stopped || gone || performance.now() < retryAt) return;
    // Few large requests: at half, so that the next one is there before the last one is used up.
    if (room < Math.max(1, prefetch / 2)) return;
    asked += room;
    if (asked === room) heardAt = performance.now();
    const request = { batch: room, expires: nanos(PULL_EXPIRES_MS), idle_heartbeat: nanos(HEARTBEAT_MS) };
    client.publish(pullSubject, JSON.stringify(request), { reply: inbox.getSubject() });
  };

  const renew = () => {
    const client = connection.client();
    const former = inbox;
    inbox = undefined;
    asked = 0;
    // Drained rather than cut: what is on its way still arrives, instead of after the ack wait.
    if (former && !former.isClosed()) void former.drain().catch(() => undefined);
    if (!client || stopped || gone) return;
    const made: Subscription = client.subscribe(createInbox(options.inboxPrefix), {
      callback: (error, message) => receive(made, error, message),
    });
    inbox = made;
    heardAt = performance.now();
    pull();
  };

  /** A pull failed or the broker is silent: asks whether the durable is still there, and tries again unless it is gone. */
  const suspect = (reason: string) => {
    if (stopped || gone || asking) return;
    retryAt = performance.now() + retryMs;
    retryMs = Math.min(retryMs * 2, RETRY_MS.longest);
    logger.debug({ durable: plan.durable, reason }, "pull interrupted");
    asking = true;
    void inquire(reason).finally(() => {
      asking = false;
      if (stopped) return;
      retry = setTimeout(renew, Math.max(0, retryAt - performance.now()));
    });
  };
  const inquire = async (reason: string) => {
    const client = connection.client();
    if (!client) return;
    try {
      await (await options.manager(client)).consumers.info(plan.stream, plan.durable);
      unexplainedSince = undefined;
    } catch (cause) {
      if (isConsumerMissing(cause) || isStreamMissing(cause)) {
        return lose(`durable ${plan.durable} of stream ${plan.stream} is gone: ${messageOf(cause)}`, cause);
      }
      if (!connection.client()) return;
      unexplainedSince ??= performance.now();
      if (performance.now() - unexplainedSince > UNEXPLAINED_MS) {
        lose(`durable ${plan.durable} of stream ${plan.stream} does not answer: ${reason}`, cause);
      }
    }
  };

  let watchedAt = performance.now();
  const watch = () => {
    const now = performance.now();
    // We were frozen, not the broker: what it said meanwhile is read after this timer.
    if (now - watchedAt > 4 * WATCH_MS) heardAt = now;
    watchedAt = now;
    if (stopped || gone || !connection.client()) return;
    for (const held of buffer) if (now - held.touchedAt > extendAfterMs) held.working();
    if (asked > 0 && now - heardAt > SILENCE_MS) suspect("the broker is silent");
    else pull();
  };
  const watcher = setInterval(watch, WATCH_MS);
  const stopStatus = connection.onStatus((status) => {
    if (status.kind === "connected") renew();
  });
  renew();

  const arrival = (waitMs: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(wake, waitMs);
      takers.add(() => {
        clearTimeout(timer);
        resolve();
      });
    });

  return {
    async next(max, waitMs): Promise<readonly Delivery[]> {
      if (buffer.length === 0 && !gone && !stopped && waitMs > 0) await arrival(waitMs);
      if (buffer.length === 0 && gone) throw gone;
      const taken = buffer.length <= max ? buffer : buffer.slice(0, max);
      buffer = buffer.length <= max ? [] : buffer.slice(max);
      pull();
      return taken;
    },
    held: loans.count,
    async stop() {
      if (stopped) return;
      stopped = true;
      clearInterval(watcher);
      clearTimeout(retry);
      stopStatus();
      wake();
      const client = connection.client();
      // The round trip of the drain brings in what the broker had already sent.
      if (client && inbox && !inbox.isClosed()) await within(inbox.drain(), FLUSH_TIMEOUT_MS);
      for (const held of buffer) held.handBack();
      buffer = [];
      if (client && !client.isClosed()) await within(client.flush(), FLUSH_TIMEOUT_MS);
    },
  };
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
