import type { EventDefinition } from "../../runtime/definition/event-definition.js";

/** An event of the entity `user` whose messages are all valid, unless something else is given. */
export function eventDefinition(given: Partial<EventDefinition> = {}): EventDefinition {
  return {
    name: "UserChanged",
    entity: "user",
    action: "updated",
    change: "update",
    fields: [],
    validate: (data): data is never => data !== undefined,
    ...given,
  };
}
