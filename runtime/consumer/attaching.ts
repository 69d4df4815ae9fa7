import { DurablePastEnd } from "../broker/broker.js";
import { retryUntilAnswered } from "../database/retry.js";
import type { Consumer } from "./consumer-parts.js";
import { settledSeq } from "./consumer-parts.js";
import { attached, knownOf, mayMissMessages, passedEnd } from "./consumer-state.js";
import { distrustVersions, type Epoch, enterEpoch, tidy } from "./stream-epoch.js";

/** Ensures the durable before a snapshot is wanted: from then on no message is missed, and the snapshot covers those before. */
export async function attach(consumer: Consumer): Promise<Epoch> {
  const { model, plan, logger, batch, resync, options } = consumer;
  const { broker, pool } = options;
  // Gives undefined where the stream is missing or may not be asked about; ensuring the durable tells which.
  await broker.ensureStream(model.definition.stream);
  const { created, state: durable } = await ensureDurable(consumer);
  const former = consumer.state;
  const isFirst = former.kind === "starting";
  const known = knownOf(former)?.durable;
  // A provisioner may have created it again, where this user may not: then `created` is false.
  const recreated = known !== undefined && known.created !== durable.created;
  const epoch = await retryUntilAnswered(batch, () => enterEpoch(pool, model, { broker, plan }));
  if (epoch === undefined) throw new Error(`stream ${plan.stream} does not exist yet`);
  if (isFirst && (await retryUntilAnswered(batch, () => distrustVersions(pool, model))) > 0)
    logger.warn(
      {},
      "away for longer than its owner remembers deletions: versions that are known here count no more",
    );
  // Messages from before this attachment may be missing.
  const missesMessages = mayMissMessages(consumer.state);
  consumer.state = attached(consumer.state, { epoch, durable, now: Date.now() });
  consumer.receiveError = undefined;
  consumer.pollError = undefined;
  if (epoch.begun)
    logger.warn(
      { offset: epoch.offset },
      "another stream, or a shortened one: its sequences get another offset",
    );
  // At the start too: the service may have been away for longer than the stream keeps its messages.
  if (created || recreated || missesMessages || epoch.begun || isFirst) resync.want();
  await tidy(pool, model, settledSeq(consumer));
  return epoch;
}

/** Rejects with what the broker says. Where the durable is past the end of its stream, wants a snapshot: nothing will be delivered. */
async function ensureDurable(consumer: Consumer) {
  const { options, model, plan, batch, resync } = consumer;
  const { broker, pool } = options;
  try {
    return await broker.ensureConsumer(plan);
  } catch (error) {
    if (error instanceof DurablePastEnd && consumer.state.kind !== "past-end") {
      const epoch = await retryUntilAnswered(batch, () => enterEpoch(pool, model, { broker, plan }));
      consumer.state = passedEnd(consumer.state, epoch);
      resync.want();
    }
    throw error;
  }
}
