import { deliveryDefaults } from "@meshwright/runtime/defaults";
import type { DeliveryNode } from "./grammar.js";
import type { Program } from "./program.js";
import type { ServiceSymbol, SubscriptionSymbol } from "./symbols.js";

type Blocks = readonly (DeliveryNode | undefined)[];

/** What may be said of the delivery of one subscription, the nearest first: of itself, of its service, of the mesh. */
export function deliveryBlocks(
  subscription: SubscriptionSymbol,
  { node }: ServiceSymbol,
  program: Program,
): Blocks {
  return [subscription.delivery, node?.get.delivery, program.node.get.delivery];
}

/** Each setting by itself: as the nearest block says it, else its default. */
export function resolveDelivery(blocks: Blocks) {
  const said = <T>(read: (block: DeliveryNode["get"]) => T | undefined): T | undefined =>
    blocks.map((block) => block && read(block.get)).find((value) => value !== undefined);
  return {
    attempts: said(({ attempts }) => attempts?.value) ?? deliveryDefaults.attempts,
    backoffSeconds:
      said(({ backoff }) => backoff?.items.map(({ value }) => value)) ?? deliveryDefaults.backoffSeconds,
    ackWaitSeconds: said(({ ack_wait }) => ack_wait?.value) ?? deliveryDefaults.ackWaitSeconds,
    maxAckPending: said(({ max_ack_pending }) => max_ack_pending?.value) ?? deliveryDefaults.maxAckPending,
    batch: said(({ batch }) => batch?.value) ?? deliveryDefaults.batch,
  };
}
