import { deliveryDefaults } from "@meshwright/runtime/defaults";
import type { Rule } from "../rule.js";

/** A batch is no larger than the number of unacknowledged messages that the broker allows. */
export const checkDelivery: Rule = (program, report) => {
  const shared = program.node.get.delivery;
  const blocks = [shared, ...[...program.services.values()].map((service) => service.node?.get.delivery)];
  for (const block of blocks) {
    const batch = block?.get.batch ?? shared?.get.batch;
    const pending = block?.get.max_ack_pending ?? shared?.get.max_ack_pending;
    const written = block?.get.batch ?? block?.get.max_ack_pending;
    const values = {
      batch: batch?.value ?? deliveryDefaults.batch,
      pending: pending?.value ?? deliveryDefaults.maxAckPending,
    };
    if (written !== undefined && values.batch > values.pending)
      report("batch-exceeds-pending", written.span, values);
  }
};
