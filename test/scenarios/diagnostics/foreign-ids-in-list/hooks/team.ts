import type { TeamHooks } from "../generated/team/hooks.js";

export const teamHooks: TeamHooks = {
  user: {
    async onUserDeleted({ event, tx }) {
      await tx.query("UPDATE teams SET user_ids = array_remove(user_ids, $1)", [event.user_id]);
    },
  },
};
