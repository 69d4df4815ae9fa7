import { plural } from "../text/plural.js";
import type { Incoming } from "./parse.js";

/** Another replica applied an event of the same entity in between: read again and decide again. */
export class Raced extends Error {
  override readonly name = "Raced";
}

/** Events that leave out versions of their entities: nothing was done, for the missing ones may be on their way. */
export class Early extends Error {
  override readonly name = "Early";
  constructor(readonly events: readonly Incoming[]) {
    super(`${plural(events.length, "event")} before which versions are missing`);
  }
}
