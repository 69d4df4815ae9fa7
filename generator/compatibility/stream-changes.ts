import { printDuration, printSize } from "../language/words.js";
import type { Stream } from "../model/mesh.js";
import type { Change, ChangeKind } from "./change.js";

/** How a stream is called and kept, in the words and units of the file. */
export function compareStream(
  [previous, stream]: readonly (Stream | undefined)[],
  change: (kind: ChangeKind, key: string, says: string) => Change,
): readonly Change[] {
  if (previous === undefined || stream === undefined) return [];
  const said = SETTINGS.flatMap((setting) => {
    const [was, is] = [setting(previous), setting(stream)];
    return was === is ? [] : [`${is}, no longer ${was.slice(was.indexOf(" ") + 1)}`];
  });
  const isShorter = KEEPING.some((key) => limit(stream[key]) < limit(previous[key]));
  return [
    ...(previous.name === stream.name
      ? []
      : [change("stream-renamed", "stream", `sends to stream ${stream.name}, no longer ${previous.name}`)]),
    ...(said.length === 0
      ? []
      : [
          change(
            isShorter ? "retention-shortened" : "stream-changed",
            "stream",
            `has a stream with ${said.join("; ")}`,
          ),
        ]),
  ];
}

const KEEPING = ["maxAgeSeconds", "maxMessages", "maxBytes", "tombstoneSeconds"] as const;

/** An age of 0 keeps messages for ever, as nothing said of deletions does. */
function limit(value: number | undefined): number {
  return value === undefined || value <= 0 ? Number.POSITIVE_INFINITY : value;
}

function time(seconds: number | undefined): string {
  return Number.isFinite(limit(seconds)) ? printDuration(limit(seconds)) : "for ever";
}

const SETTINGS: readonly ((stream: Stream) => string)[] = [
  ({ replicas }) => `replicas: ${replicas ?? "as by default"}`,
  ({ maxAgeSeconds }) => `max_age: ${time(maxAgeSeconds)}`,
  ({ maxMessages }) => `max_messages: ${maxMessages}`,
  ({ maxBytes }) => `max_bytes: ${printSize(maxBytes)}`,
  ({ duplicateWindowSeconds }) => `duplicate_window: ${time(duplicateWindowSeconds)}`,
  ({ tombstoneSeconds }) => `tombstones: ${time(tombstoneSeconds)}`,
  // Of an external owner whose stream is its own: those of the events that are described.
  ({ subjects, external, described }) =>
    external && described !== true ? "subjects as its owner says" : `subjects: ${subjects.join(", ")}`,
  ({ described }) => `provision: ${described === true ? "by the mesh" : "by its owner"}`,
];
