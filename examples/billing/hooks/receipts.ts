import type { ReceiptsHooks } from "../generated/receipts/service.js";

export const receiptsHooks: ReceiptsHooks = {
  /** Runs once for each invoice that is paid, in the transaction that takes its event. */
  async onInvoicePaid({ event, tx }) {
    await tx.query("INSERT INTO receipts (invoice_id, amount) VALUES ($1, $2) ON CONFLICT DO NOTHING", [
      event.id,
      event.amount,
    ]);
  },
};
