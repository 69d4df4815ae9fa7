import type { JetStreamManager, NatsConnection } from "nats";
import { backOff } from "../back-off.js";
import type { Logger } from "../definition/hook-definition.js";
import { messageOf } from "../text/error-message.js";
import { ConsumerGone, type ConsumerPlan } from "./broker.js";
import { isConsumerMissing, isStreamMissing } from "./broker-errors.js";
import type { Connection } from "./connection.js";

/** After a refused pull. */
const retryAfter = backOff({ from: 100, to: 2_000 });
/** A durable that answers no pull, and that we may not ask about, counts as gone after this time. */
const UNEXPLAINED_MS = 5_000;

export interface LivenessCheckOptions {
  readonly connection: Connection;
  readonly manager: (client: NatsConnection) => Promise<JetStreamManager>;
  readonly plan: ConsumerPlan;
  readonly logger: Logger;
  /** It is time to pull again. */
  readonly onRetry: () => void;
  readonly onGone: () => void;
}

/** Whether a durable whose pulls fail still exists. */
export interface LivenessCheck {
  /** A pull failed, or the broker is silent: asks the broker whether the durable exists, and retries unless it is gone. */
  start(reason: string): void;
  /** The durable has delivered a message: it exists. */
  pass(): void;
  /** A pull was refused a moment ago: no other may be sent yet. */
  isBackingOff(): boolean;
  gone(): ConsumerGone | undefined;
  /** Neither `onRetry` nor `onGone` is called after this. */
  stop(): void;
}

export function createLivenessCheck(options: LivenessCheckOptions): LivenessCheck {
  const { plan, logger, onRetry, onGone } = options;
  let retryAt = 0;
  let failures = 0;
  let retry: NodeJS.Timeout | undefined;
  let probing = false;
  let gone: ConsumerGone | undefined;
  let stopped = false;
  const probe = createProbe(options, (reason, cause) => {
    gone = new ConsumerGone(reason, { cause });
    onGone();
  });
  return {
    start(reason) {
      if (stopped || gone || probing) return;
      retryAt = performance.now() + retryAfter(failures);
      failures += 1;
      logger.debug({ durable: plan.durable, reason }, "pull interrupted");
      probing = true;
      void probe.send(reason).finally(() => {
        probing = false;
        if (stopped) return;
        retry = setTimeout(onRetry, Math.max(0, retryAt - performance.now()));
      });
    },
    pass() {
      failures = 0;
      probe.answered();
    },
    isBackingOff: () => performance.now() < retryAt,
    gone: () => gone,
    stop() {
      stopped = true;
      clearTimeout(retry);
    },
  };
}

interface Probe {
  send(reason: string): Promise<void>;
  /** The durable has shown that it exists. */
  answered(): void;
}

function createProbe(
  { connection, manager, plan }: LivenessCheckOptions,
  lose: (reason: string, cause: unknown) => void,
): Probe {
  const durable = `durable ${plan.durable} of stream ${plan.stream}`;
  let unexplainedSince: number | undefined;
  const answered = () => {
    unexplainedSince = undefined;
  };
  return {
    answered,
    async send(reason) {
      const client = connection.client();
      if (!client) return;
      try {
        await (await manager(client)).consumers.info(plan.stream, plan.durable);
        answered();
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
