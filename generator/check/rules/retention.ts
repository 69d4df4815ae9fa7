import { printDuration } from "../../language/words.js";
import type { Rule } from "../rule.js";
import { type HeardPattern, resolveStream, subscriptionsTo } from "./durations.js";

/** No release, restart or night's outage should take longer; a stream that is kept for less is hardly meant for what nothing heals. */
const SHORTEST_SECONDS = 3_600;

/**
 * Warns of a stream that forgets before somebody who was away for a while is back. Copies are healed by snapshots; what hooks
 * alone hear is lost to them.
 */
export const adviseRetention: Rule = (program, report) => {
  for (const owner of program.services.values()) {
    const { maxAge, at } = resolveStream(owner, program);
    const isKnown = !owner.external || owner.node?.get.stream !== undefined;
    if (!isKnown || owner.publishes.length === 0 || maxAge === 0 || maxAge >= SHORTEST_SECONDS) continue;
    const hearing = subscriptionsTo(owner, program).find(isUnhealed);
    if (hearing !== undefined)
      report("short-retention", at.maxAge, {
        owner: owner.name,
        service: hearing.service.name,
        pattern: hearing.subscription.pattern.text,
        kept: printDuration(maxAge),
      });
  }
};

/** A named consumer, a service without a database, and what hears one action alone have hooks and nothing else. */
function isUnhealed({ service, subscription: { name, pattern } }: HeardPattern): boolean {
  if (service.external) return false;
  return name !== undefined || service.database === undefined || pattern.value.action !== undefined;
}
