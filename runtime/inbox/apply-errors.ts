import { plural } from "../text/plural.js";
import type { Incoming } from "./parse.js";

/** Another replica applied an event of the same entity in between: read again and decide again. */
export class Raced extends Error {
  override readonly name = "Raced";
}

/** Versions are missing before these events. Nothing was written: the missing events may be on their way. */
export class VersionGap extends Error {
  override readonly name = "VersionGap";
  constructor(readonly events: readonly Incoming[]) {
    super(`${plural(events.length, "event")} before which versions are missing`);
  }
}
