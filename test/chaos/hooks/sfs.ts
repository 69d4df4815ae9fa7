import type { Handler } from "@meshwright/runtime";
import type { UserCreated, UserDeleted, UserUpdated } from "../../../generated/auth/events.js";
import type { SfsHooks } from "../../../generated/sfs/service.js";

/** An effect per event that this service handled, in the event's own transaction: what happens twice is there twice. */
function note(action: string): Handler<UserCreated | UserUpdated | UserDeleted> {
  return async ({ event, tx, origin }) => {
    const { event_id, version = null } = event.metadata;
    await tx.query(
      "INSERT INTO effects (event_id, user_id, version, action, origin, process) VALUES ($1, $2, $3, $4, $5, $6)",
      [event_id, event.user_id, version, action, origin, process.pid],
    );
  };
}

export const sfsHooks: SfsHooks = {
  onUserCreated: note("created"),
  onUserUpdated: note("updated"),
  onUserDeleted: note("deleted"),
};
