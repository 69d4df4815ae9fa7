import type { JetStreamManager, NatsConnection } from "nats";
import { backOff } from "../back-off.js";
import type { Logger } from "../definition.js";
import { messageOf } from "../text/error-message.js";
import { ConsumerGone, type ConsumerPlan } from "./broker.js";
import { isConsumerMissing, isStreamMissing } from "./broker-errors.js";
import type { Connection } from "./connection.js";

/** After a refused pull. */
const retryAfter = backOff({ from: 100, to: 2_000 });
/** No answer to pulls, and no permission to ask why: after this time the durable is taken for gone. */
const UNEXPLAINED_MS = 5_000;

export interface SuspicionOptions {
  readonly connection: Connection;
  readonly manager: (client: NatsConnection) => Promise<JetStreamManager>;
  readonly plan: ConsumerPlan;
  readonly logger: Logger;
  /** It is time to pull anew. */
  readonly onRetry: () => void;
  readonly onGone: () => void;
}

/** Whether a durable that does not answer is still there. */
export interface Suspicion {
  /** A pull failed or the broker is silent: asks whether the durable is still there, and tries again unless it is gone. */
  raise(reason: string): void;
  /** The durable delivers. */
  lift(): void;
  /** A pull that was just refused is not to be repeated yet. */
  holdsOff(): boolean;
  gone(): ConsumerGone | undefined;
  /** Nothing comes of it any more. */
  stop(): void;
}

export function createSuspicion(options: SuspicionOptions): Suspicion {
  const { plan, logger, onRetry, onGone } = options;
  let retryAt = 0;
  let failures = 0;
  let retry: NodeJS.Timeout | undefined;
  let asking = false;
  let gone: ConsumerGone | undefined;
  let stopped = false;
  const inquiry = createInquiry(options, (reason, cause) => {
    gone = new ConsumerGone(reason, { cause });
    onGone();
  });
  return {
    raise(reason) {
      if (stopped || gone || asking) return;
      retryAt = performance.now() + retryAfter(failures);
      failures += 1;
      logger.debug({ durable: plan.durable, reason }, "pull interrupted");
      asking = true;
      void inquiry.ask(reason).finally(() => {
        asking = false;
        if (stopped) return;
        retry = setTimeout(onRetry, Math.max(0, retryAt - performance.now()));
      });
    },
    lift() {
      failures = 0;
      inquiry.explain();
    },
    holdsOff: () => performance.now() < retryAt,
    gone: () => gone,
    stop() {
      stopped = true;
      clearTimeout(retry);
    },
  };
}

interface Inquiry {
  ask(reason: string): Promise<void>;
  /** The durable has shown that it is there. */
  explain(): void;
}

function createInquiry(
  { connection, manager, plan }: SuspicionOptions,
  lose: (reason: string, cause: unknown) => void,
): Inquiry {
  const durable = `durable ${plan.durable} of stream ${plan.stream}`;
  let unexplainedSince: number | undefined;
  const explain = () => {
    unexplainedSince = undefined;
  };
  return {
    explain,
    async ask(reason) {
      const client = connection.client();
      if (!client) return;
      try {
        await (await manager(client)).consumers.info(plan.stream, plan.durable);
        explain();
      } catch (cause) {
        if (isConsumerMissing(cause) || isStreamMissing(cause)) {
          return lose(`${durable} is gone: ${messageOf(cause)}`, cause);
        }
        if (!connection.client()) return;
        unexplainedSince ??= performance.now();
        if (performance.now() - unexplainedSince > UNEXPLAINED_MS) {
          lose(`${durable} does not answer: ${reason}`, cause);
        }
      }
    },
  };
}
