import type { Event } from "../model/mesh.js";
import type { Tree } from "./branch.js";
import { heardBy } from "./event-effects.js";
import { eventPart, type Flow } from "./flow.js";
import type { TreeContext } from "./grow.js";
import { originsOf } from "./origins.js";
import { keyOf } from "./part.js";
import { besideDeletion } from "./removal.js";
import { follow } from "./uses.js";

/** Everything that follows from an event: what happens beside it in its owner's database, and at each service that hears it. */
export function explainEvent(flow: Flow, event: Event): Tree {
  const of = eventPart(event);
  const context: TreeContext = { flow, follow, tellsFailures: true, told: new Map(), path: [keyOf(of)] };
  return {
    of,
    from: originsOf(flow, of),
    next: [...besideDeletion(context, event), ...heardBy(context, event)],
  };
}
