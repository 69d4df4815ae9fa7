import { type Program, touches } from "../../language/program.js";
import type { ServiceSymbol } from "../../language/symbols.js";
import { printDuration } from "../../language/words.js";
import { callsOf } from "../../model/build/build-call.js";
import { findSource } from "../../model/build/build-consumer.js";
import type { Rule } from "../rule.js";
import { forgettingStreams, type HeardPattern, subscriptionsTo } from "./durations.js";

/** No release, restart or night's outage should take longer; a stream that is kept for less is hardly meant for what nothing heals. */
const SHORTEST_SECONDS = 3_600;

/**
 * Warns of a stream that forgets before somebody who was away for a while is back. Copies, and rules on what the owner serves, are
 * healed by snapshots; what hooks alone hear is lost to them, and what another system hears that calls nothing of the owner.
 */
export const adviseRetention: Rule = (program, report) => {
  for (const { owner, maxAge, at } of forgettingStreams(program)) {
    if (maxAge >= SHORTEST_SECONDS) continue;
    const hearing = subscriptionsTo(owner, program).find((heard) => !isHealed(heard, owner, program));
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
function isHealed({ service, subscription }: HeardPattern, owner: ServiceSymbol, program: Program): boolean {
  const { name, pattern } = subscription;
  if (service.external) return callsOf(service, program).some(({ callee }) => callee === owner.name);
  if (name !== undefined || service.database === undefined || pattern.value.action !== undefined)
    return false;
  const tables = [...service.database.tables.values()];
  return program.entitiesOf(owner.name).every((entity) => {
    const copy = tables.find(({ cacheOf }) => cacheOf?.text === entity.entityName);
    return (
      !touches(pattern.value, entity) ||
      copy?.node?.get.sync !== undefined ||
      findSource(entity, service, program) !== undefined
    );
  });
}
