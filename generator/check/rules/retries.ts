import { deliveryBlocks, resolveDelivery } from "../../language/delivery-settings.js";
import type { Program } from "../../language/program.js";
import { printDuration } from "../../language/words.js";
import type { Rule } from "../rule.js";
import { resolveStream, subscriptionsTo } from "./durations.js";

/**
 * Warns of attempts that take longer than a stream keeps its messages: one that keeps failing is gone before the last
 * of them, and no dead letter tells of it.
 */
export const adviseRetries: Rule = (program, report) => {
  for (const owner of program.services.values()) {
    const { maxAge, at } = resolveStream(owner, program);
    const isKnown = !owner.external || owner.node?.get.stream !== undefined;
    if (!isKnown || owner.publishes.length === 0 || maxAge === 0) continue;
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
    const { attempts, backoffSeconds } = resolveDelivery(deliveryBlocks(subscription, service, program));
    const waits = Array.from({ length: Math.max(0, attempts - 1) }, (_, index) => backoffSeconds[index]);
    const last = backoffSeconds.at(-1) ?? 0;
    return [{ service: service.name, seconds: waits.reduce((sum: number, wait) => sum + (wait ?? last), 0) }];
  });
}

/** As long as it says something: of days the hours, of hours the minutes. */
function inWholeUnits(seconds: number): number {
  const unit = seconds >= 86_400 ? 3600 : seconds >= 3600 ? 60 : 1;
  return Math.round(seconds / unit) * unit;
}
