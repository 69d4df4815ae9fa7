import type { Consumer } from "./consumer-parts.js";
import { knownOf, leave, observed } from "./consumer-state.js";
import type { MonitorFinding } from "./observation.js";
import { holdsPlaceholders } from "./placeholders.js";
import { forgetSettled } from "./retries.js";

/** What follows on a finding of the monitor. */
export async function react(consumer: Consumer, finding: MonitorFinding): Promise<void> {
  const { logger, resync, model, options } = consumer;
  switch (finding.kind) {
    case "retries-counted":
      consumer.pendingRetries = finding.pending;
      return;
    case "other-release-ended":
      if (model.cache === undefined) return;
      logger.info({}, "another release has ended: the source is asked for what it did not write");
      return resync.want();
    case "durable-gone":
      consumer.state = leave(consumer.state, "durable-gone");
      return;
    case "durable-recreated":
      // Quicker than anybody noticed. What the stream still has comes again; what it evicted in between never came.
      logger.warn({}, "the durable was made anew");
      return resync.want();
    case "messages-lost":
      logger.warn({ loss: finding.loss }, "the stream lost messages");
      return await resync.wantFor(finding.loss);
    case "sequence-regressed":
      logger.warn({ loss: finding.loss }, "the stream lost messages");
      await resync.wantFor(finding.loss);
      consumer.state = leave(consumer.state, "sequence-regressed");
      return;
    case "observed":
      consumer.state = observed(consumer.state, {
        durable: finding.seen.durable,
        observation: finding.observation,
      });
      return await forgetRetries(consumer, finding.seen.durable.ackFloor);
    case "broker-changed":
      logger.info(
        {},
        "another broker, or one that was started anew: the source is asked what it may have lost",
      );
      return resync.want();
    case "drained":
      // A snapshot under way may have written the placeholder itself, and be committed or not: it would neither be seen nor healed.
      if (!consumer.mayHoldPlaceholders || resync.underWay()) return;
      consumer.mayHoldPlaceholders = false;
      // Everything has arrived: the event that would have replaced the value was lost.
      if (await holdsPlaceholders(options.pool, model)) resync.want();
      return;
    case "checked":
      return await resync.wantIfDue();
    default:
      return finding satisfies never;
  }
}

/** Retries of messages that are settled by now, by whichever replica. */
async function forgetRetries(
  { pendingRetries, state, options, model }: Consumer,
  ackFloor: number | undefined,
): Promise<void> {
  const offset = knownOf(state)?.epoch.offset ?? 0;
  if (pendingRetries > 0 && ackFloor !== undefined)
    await forgetSettled(options.pool, model, offset + ackFloor);
}
