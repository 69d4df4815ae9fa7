import type { AccountsHooks } from "../generated/accounts/service.js";

const FINE = "2.50";

export const accountsHooks: AccountsHooks = {
  /** Charges the fine, or notes that it could not be charged, which is an event: in one transaction, once. */
  async onLoanOverdue({ event, tx }) {
    const charged = await tx.query(
      "UPDATE readers SET balance = balance - $2::numeric WHERE reader_id = $1 AND balance >= $2::numeric AND left_at IS NULL",
      [event.reader_id, FINE],
    );
    await tx.query("INSERT INTO fines (fine_id, loan_id, amount, state) VALUES ($1, $2, $3, $4)", [
      event.metadata.event_id,
      event.loan_id,
      FINE,
      charged.rowCount === 1 ? "charged" : "refused",
    ]);
  },
};
