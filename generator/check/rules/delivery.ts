import { deliveryBlocks, resolveDelivery } from "../../language/delivery-settings.js";
import type { Rule } from "../rule.js";

/** A batch is no larger than the number of unacknowledged messages that the broker allows. */
export const checkDelivery: Rule = (program, report) => {
  const shared = program.node.get.delivery;
  const services = [...program.services.values()];
  const chains = [
    [shared],
    ...services.map(({ node }) => [node?.get.delivery, shared]),
    ...services.flatMap((service) =>
      service.subscriptions.map((subscription) => deliveryBlocks(subscription, service, program)),
    ),
  ];
  for (const chain of chains) {
    const { batch, maxAckPending: pending } = resolveDelivery(chain);
    const written = chain[0]?.get.batch ?? chain[0]?.get.max_ack_pending;
    if (written !== undefined && batch > pending)
      report("batch-exceeds-pending", written.span, { batch, pending });
  }
};
