import { deskPublisher } from "../generated/desk/publisher.js";
import type { DeskHooks } from "../generated/desk/service.js";

export const deskHooks: DeskHooks = {
  onPaymentMade: async ({ tx, id }) => deskPublisher.bellRung(tx, id, {}),
};
