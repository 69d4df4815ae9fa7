import type { SfsHooks } from "../../../generated/sfs/service.js";

/** Counts effects: a row per registration that this process handled, in the event's own transaction. */
export const sfsHooks: SfsHooks = {
  async onUserCreated({ event, tx }) {
    if (event.username.startsWith("poison")) throw new Error("this handler refuses poison");
    await tx.query("INSERT INTO handled VALUES ($1, $2)", [event.user_id, process.pid]);
  },
};
