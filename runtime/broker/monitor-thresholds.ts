/*
 * Thresholds that `nats server check` and the like read from the metadata of streams and durables, by the names of jsm.go. A durable
 * gets no limit of time since its last delivery or acknowledgement: an idle mesh would be an alarm. A stream gets none of
 * messages: that check is one for too few.
 */

type Metadata = Readonly<Record<string, string>>;

const ENABLED: Metadata = { "io.nats.monitor.enabled": "true" };

/** Half of the messages that a stream keeps; undefined where it keeps any number. */
export function nearlyOverrun(maxMessages: number): number | undefined {
  return maxMessages <= 0 ? undefined : Math.floor(maxMessages / 2);
}

/** Of a durable: how many of its messages may wait undelivered. Of an external owner's stream nobody here knows the limits. */
export function unprocessedLimit({
  external,
  maxMessages,
}: {
  readonly external?: boolean;
  readonly maxMessages: number;
}): number | undefined {
  return external ? undefined : nearlyOverrun(maxMessages);
}

/** Metadata of a durable. */
export function consumerThresholds({
  unprocessedLimit,
}: {
  readonly unprocessedLimit?: number | undefined;
}): Metadata {
  if (unprocessedLimit === undefined) return {};
  return { ...ENABLED, "io.nats.monitor.unprocessed-critical": String(unprocessedLimit) };
}

/** Metadata of a stream. One replica needs no cluster, and without one that check fails. */
export function streamThresholds({ replicas = 1 }: { readonly replicas?: number | undefined }): Metadata {
  return replicas === 1 ? {} : { ...ENABLED, "io.nats.monitor.peer-expect": String(replicas) };
}
