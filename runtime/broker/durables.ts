import {
  AckPolicy,
  type ConsumerConfig,
  type ConsumerInfo,
  DeliverPolicy,
  type JetStreamManager,
  nanos,
  ReplayPolicy,
} from "nats";
import type { Logger } from "../definition/hook-definition.js";
import { messageOf } from "../text/error-message.js";
import { ConsumerGone, type ConsumerPlan, type ConsumerState } from "./broker.js";
import { isConsumerMissing, isConsumerTaken, isDenied, isStreamMissing } from "./broker-errors.js";
import { consumerThresholds } from "./monitor-thresholds.js";
import { endIfPassed, removePastEnd } from "./past-end.js";
import { addIdentified, identityOf, withThresholds } from "./streams.js";

/** Undefined where the durable or its stream does not exist, or where this user may not ask about it. */
export async function readConsumer(
  manager: JetStreamManager,
  stream: string,
  durable: string,
): Promise<ConsumerInfo | undefined> {
  try {
    return await manager.consumers.info(stream, durable);
  } catch (error) {
    if (isConsumerMissing(error) || isStreamMissing(error) || isDenied(error)) return undefined;
    throw error;
  }
}

export function consumerStateOf(info: ConsumerInfo): ConsumerState {
  return {
    pending: info.num_pending,
    ackPending: info.num_ack_pending,
    redelivered: info.num_redelivered,
    created: identityOf(info.config.metadata, info.created),
    lastDelivered: info.delivered.stream_seq,
    ackFloor: info.ack_floor.stream_seq,
    ackFloorConsumerSeq: info.ack_floor.consumer_seq,
  };
}

export async function ensureConsumer(
  manager: JetStreamManager,
  plan: ConsumerPlan,
  logger: Logger,
): Promise<{ readonly created: boolean; readonly state: ConsumerState }> {
  let present = await readConsumer(manager, plan.stream, plan.durable);
  if (!present) {
    const made = await createConsumer(manager, plan);
    if (made) {
      logger.info({ stream: plan.stream, durable: plan.durable, filter: plan.filter }, "durable created");
      return { created: true, state: consumerStateOf(made) };
    }
    present = await manager.consumers.info(plan.stream, plan.durable);
  }
  refuseForeign(present.config, plan);
  const end = await endIfPassed(manager, present);
  if (end !== undefined) {
    await removePastEnd(manager, present, { end, logger });
    return ensureConsumer(manager, plan, logger);
  }
  return { created: false, state: consumerStateOf(await adjustConsumer(manager, { present, plan, logger })) };
}

/** Undefined where somebody else has created it first, with other settings. */
async function createConsumer(
  manager: JetStreamManager,
  plan: ConsumerPlan,
): Promise<ConsumerInfo | undefined> {
  try {
    return await addIdentified(configOf(plan), consumerThresholds(plan), (config) =>
      manager.consumers.add(plan.stream, config),
    );
  } catch (cause) {
    if (isConsumerTaken(cause)) return undefined;
    if (isStreamMissing(cause)) throw new ConsumerGone(`there is no stream ${plan.stream}`, { cause });
    if (!isDenied(cause)) throw cause;
    throw new Error(
      `durable ${plan.durable} of stream ${plan.stream} does not exist or may not be read, and this user ` +
        "may not create it: let a provisioner do so",
      { cause },
    );
  }
}

function configOf(plan: ConsumerPlan): Partial<ConsumerConfig> {
  return {
    durable_name: plan.durable,
    name: plan.durable,
    filter_subject: plan.filter,
    deliver_policy: DeliverPolicy.All,
    ack_policy: AckPolicy.Explicit,
    replay_policy: ReplayPolicy.Instant,
    // Unlimited: the runtime counts failures and dead-letters. At a limit the broker would stop redelivering, silently.
    max_deliver: -1,
    ...adjustable(plan),
  };
}

function adjustable(plan: ConsumerPlan): Pick<ConsumerConfig, "ack_wait" | "max_ack_pending"> {
  return { ack_wait: nanos(plan.ackWaitSeconds * 1_000), max_ack_pending: plan.maxAckPending };
}

/**
 * Throws for a durable of our name that reads something else. The broker would accept the new filter, and nats-server 2.9 would
 * then starve the consumer. A new filter needs a new durable; deleting the old one is a person's decision.
 */
function refuseForeign(config: ConsumerConfig, plan: ConsumerPlan): void {
  const filter = config.filter_subject ?? config.filter_subjects?.join(", ") ?? ">";
  const found =
    filter !== plan.filter
      ? `reads "${filter}", not "${plan.filter}"`
      : config.deliver_subject !== undefined
        ? "is a push consumer"
        : config.ack_policy !== AckPolicy.Explicit
          ? `has ack policy ${config.ack_policy}`
          : undefined;
  if (found === undefined) return;
  throw new Error(
    `durable ${plan.durable} of stream ${plan.stream} ${found}: delete it (its snapshot will be read anew) or rename the service's durable`,
  );
}

interface Adjustment {
  readonly present: ConsumerInfo;
  readonly plan: ConsumerPlan;
  readonly logger: Logger;
}

async function adjustConsumer(manager: JetStreamManager, adjustment: Adjustment): Promise<ConsumerInfo> {
  const { present, plan, logger } = adjustment;
  const is = present.config;
  const metadata = withThresholds(is.metadata, consumerThresholds(plan));
  const wanted = { ...adjustable(plan), max_deliver: -1, ...(metadata && { metadata }) };
  if (
    metadata === undefined &&
    is.ack_wait === wanted.ack_wait &&
    is.max_ack_pending === wanted.max_ack_pending &&
    is.max_deliver === wanted.max_deliver
  ) {
    return present;
  }
  const durable = { stream: plan.stream, durable: plan.durable };
  try {
    const updated = await manager.consumers.update(plan.stream, plan.durable, wanted);
    logger.warn({ ...durable, wanted }, "durable differed from the plan and was updated");
    return updated;
  } catch (error) {
    logger.warn(
      { ...durable, wanted, error: messageOf(error) },
      "durable differs from the plan and stays as it is",
    );
    return present;
  }
}
