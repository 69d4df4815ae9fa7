import { deliveryBlocks, resolveDelivery } from "../../language/delivery-settings.js";
import type { Program } from "../../language/program.js";
import { printDuration } from "../../language/words.js";
import { retrySeconds } from "../../model/retry-seconds.js";
import type { Rule } from "../rule.js";
import { forgettingStreams, subscriptionsTo } from "./durations.js";

/**
 * Warns of attempts that take longer than a stream keeps its messages: one that keeps failing is gone before the last
 * of them, and no dead letter tells of it.
 */
export const adviseRetries: Rule = (program, report) => {
  for (const { owner, maxAge, at } of forgettingStreams(program)) {
    for (const { service, seconds } of patience(owner, program)) {
      if (seconds < maxAge) continue;
      report("retries-outlast-stream", at.maxAge, {
        service,
        owner: owner.name,
        takes: printDuration(inWholeUnits(seconds)),
        kept: printDuration(maxAge),
      });
    }
  }
};

/** How long each service tries at a message of the owner, at least. */
function patience(owner: Parameters<typeof subscriptionsTo>[0], program: Program) {
  return subscriptionsTo(owner, program).flatMap(({ service, subscription }) => {
    if (service.external) return [];
    const delivery = resolveDelivery(deliveryBlocks(subscription, service, program));
    return [{ service: service.name, seconds: retrySeconds(delivery) }];
  });
}

/** As long as it says something: of days the hours, of hours the minutes. */
function inWholeUnits(seconds: number): number {
  const unit = seconds >= 86_400 ? 3600 : seconds >= 3600 ? 60 : 1;
  return Math.round(seconds / unit) * unit;
}
