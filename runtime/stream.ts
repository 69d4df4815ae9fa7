import { streamDefaults } from "./defaults.js";
import type { StreamDefinition } from "./definition/stream-definition.js";

/** A stream as generated code says it: limits as in `streamDefaults` are left out, and tombstones that are kept for ever are 0. */
export type StreamOptions = Pick<StreamDefinition, "name" | "subjects"> & Partial<StreamDefinition>;

/** The stream with all its limits. */
export function streamOf(options: StreamOptions): StreamDefinition {
  const { tombstoneSeconds, ...stream } = { ...streamDefaults, ...options };
  return tombstoneSeconds === 0 ? stream : { ...stream, tombstoneSeconds };
}
