/** `cloudevents`: CloudEvents 1.0, structured or binary. `none`: the payload alone. */
export type Envelope = "cloudevents" | "none";

/** The stream of one service's events. */
export interface StreamDefinition {
  readonly name: string;
  readonly subjects: readonly string[];
  /** Absent: 1 in a new stream, and an existing one keeps its number. */
  readonly replicas?: number;
  /** JetStream evicts messages beyond any of these limits, the oldest first. */
  readonly maxAgeSeconds: number;
  readonly maxMessages: number;
  readonly maxBytes: number;
  /** In which JetStream stores a second message with the same id only once. */
  readonly duplicateWindowSeconds: number;
  /** How long consumers keep a tombstone; the owner keeps its version counter twice as long. Absent: for ever. */
  readonly tombstoneSeconds?: number | undefined;
  /** The stream of an external owner: waited for, never created or changed. */
  readonly external?: true;
  /** Of dead letters: it keeps the last message of each subject, and where it is full it refuses others instead of forgetting. */
  readonly deadLetters?: true;
  /** How an external owner's messages say whose they are. Absent: the documented `metadata`. */
  readonly envelope?: Envelope;
}
