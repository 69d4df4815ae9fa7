import type { LendingHooks } from "../generated/lending/service.js";

export const lendingHooks: LendingHooks = {
  /** The moment has come, and the row says so from now on. Who collects the book meanwhile is not overtaken. */
  async onReservationExpired({ event, tx }) {
    await tx.query(
      "UPDATE reservations SET state = 'expired' WHERE reservation_id = $1 AND state = 'waiting'",
      [event.metadata.entity_id],
    );
  },
  /** What the other service could not do is made up for here: the loan ends. */
  async onFineRefused({ event, tx }) {
    await tx.query("UPDATE loans SET state = 'taken_back' WHERE loan_id = $1 AND state = 'lent'", [
      event.loan_id,
    ]);
  },
};
