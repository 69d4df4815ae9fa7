import { backOff } from "../back-off.js";
import { type Broker, type OutgoingMessage, PublishFailed } from "../broker/broker.js";
import { startSend } from "../telemetry/spans.js";
import { createReader, type ReaderContext } from "./outbox-reader.js";
import { releaseRows } from "./outbox-statements.js";
import { createPerKeyQueues, type OutboxRow } from "./per-key-queues.js";
import { createWakeUp } from "./wake-up.js";

/** Publishes in flight. More would not be faster: the broker is saturated long before. */
const IN_FLIGHT = 1_024;
/** Acked rows that are deleted at once. */
const RELEASE_ROWS = 2_000;
/** Acked rows are deleted after this time where nothing else is to do, and after the longer one in any case. */
const RELEASE_AFTER_MS = 20;
const RELEASE_AT_LAST_MS = 100;

/** The relay's progress is recorded this often: each time leaves a dead row, which a transaction held open elsewhere keeps. */
const RECORD_EVERY_MS = 1_000;

/** An entity whose event the broker refuses waits this long. */
const quarantineFor = backOff({ from: 1_000, to: 60_000 });

export interface DrainContext extends ReaderContext {
  readonly broker: Broker;
  readonly signal: AbortSignal;
  readonly meter: DrainMeter;
  /** Registers what a notification calls, in place of what was registered before. */
  readonly onNotify: (wake: () => void) => void;
}

/** Counts what the drain does. */
export interface DrainMeter {
  published(): void;
  retried(error: string): void;
  /** So many entities have an event that the broker refused and has not taken since. */
  refused(entities: number): void;
}

/**
 * Publishes the outbox for as long as the broker takes it. Resolves to the fault when the broker is in trouble, to undefined
 * when stopped; rejects when the database connection is lost. Afterwards nothing is in flight, and rows that were not
 * released must be compared with the stream before they are published again.
 */
export async function drainOutbox(context: DrainContext): Promise<PublishFailed | undefined> {
  const { lease, broker, signal, meter } = context;
  const queues = createPerKeyQueues();
  const wakeUp = createWakeUp();
  let fault: PublishFailed | undefined;
  let closed = false;
  /** Rows in flight, in the order of sending. Each was stored, if at all, above the stream sequence beside it. */
  const unanswered = new Map<OutboxRow, number>();
  let inFlight = 0;
  let acked: number[] = [];
  let ackedAt = 0;
  let streamSeq = 0;
  let recordedSeq = 0;
  let recordedAt = performance.now();

  const pump = () => {
    while (!closed && !fault && inFlight < IN_FLIGHT) {
      // The loop validates the lease.
      if (!lease.isValid()) return wakeUp.signal();
      const row = queues.next();
      if (!row) return;
      inFlight += 1;
      unanswered.set(row, streamSeq);
      const sent = startSend(row.subject, row.headers);
      broker.send(messageOf(row), (outcome) => {
        if (outcome instanceof PublishFailed) {
          sent?.(outcome);
          fail(row, outcome);
        } else {
          sent?.();
          succeed(row, outcome.seq);
        }
      });
    }
  };
  let pumpIsDue = false;
  /** Once for all acks that have come together, and never within itself. */
  const pumpSoon = () => {
    if (pumpIsDue) return;
    pumpIsDue = true;
    queueMicrotask(() => {
      pumpIsDue = false;
      pump();
    });
  };
  const succeed = (row: OutboxRow, seq: number) => {
    inFlight -= 1;
    unanswered.delete(row);
    meter.published();
    if (acked.length === 0) ackedAt = performance.now();
    acked.push(row.seq);
    if (seq > streamSeq) streamSeq = seq;
    queues.done(row);
    if (context.logger.logsEvents) context.logger.info({ subject: row.subject, seq }, "published");
    if (acked.length === RELEASE_ROWS || (closed && inFlight === 0)) wakeUp.signal();
    pumpSoon();
  };
  const fail = (row: OutboxRow, failure: PublishFailed) => {
    inFlight -= 1;
    meter.retried(failure.message);
    const { fault: at } = failure;
    switch (at) {
      case "message":
        quarantine(row, failure);
        break;
      case "broker":
        fault ??= failure;
        break;
      default:
        at satisfies never;
    }
    wakeUp.signal();
  };
  const quarantine = (row: OutboxRow, failure: PublishFailed) => {
    const failures = queues.failures(row);
    unanswered.delete(row);
    queues.quarantine(row, performance.now() + quarantineFor(failures));
    const { subject, eventId, seq } = row;
    context.logger.error(
      { subject, eventId, seq, attempts: failures + 1, error: failure.message },
      "the broker refuses an event: its entity is quarantined and retried, nothing is dropped",
    );
    pumpSoon();
  };

  const release = async () => {
    const seqs = acked;
    acked = [];
    const [oldest = streamSeq] = unanswered.values();
    // Nothing is read before they are deleted.
    queues.forget(seqs);
    const records = closed || recordAt() <= performance.now();
    await releaseRows(
      lease,
      seqs,
      records ? { streamSeq: oldest, releasedTo: reader.releasedTo() } : undefined,
    );
    if (!records) return;
    recordedSeq = oldest;
    recordedAt = performance.now();
  };
  /** When acked rows are to be deleted; those in flight count as acked now, so that no ack has to wake the loop. */
  const releaseAt = (now: number) => {
    if (acked.length > 0) return ackedAt + RELEASE_AFTER_MS;
    return inFlight > 0 ? now + RELEASE_AFTER_MS : Number.POSITIVE_INFINITY;
  };
  /** When progress is to be recorded that is not. */
  const recordAt = () => (streamSeq > recordedSeq ? recordedAt + RECORD_EVERY_MS : Number.POSITIVE_INFINITY);
  const reader = createReader(context, queues);
  context.onNotify(() => {
    reader.notify();
    wakeUp.signal();
  });
  const onAbort = () => wakeUp.signal();
  signal.addEventListener("abort", onAbort);
  lease.lost.addEventListener("abort", onAbort);

  try {
    while (!fault && !signal.aborted) {
      lease.lost.throwIfAborted();
      const now = performance.now();
      const ackedFor = acked.length === 0 ? 0 : now - ackedAt;
      // Publish before deleting acked rows: latency first.
      if (acked.length >= RELEASE_ROWS || ackedFor > RELEASE_AT_LAST_MS) await release();
      else if (await reader.step(now)) pump();
      else if (ackedFor > RELEASE_AFTER_MS || recordAt() <= now) await release();
      else {
        await wakeUp.wait(Math.min(reader.nextAt(), releaseAt(now), recordAt()));
      }
      if (!lease.isValid()) await lease.query("SELECT 1", []);
      meter.refused(queues.refused());
      pump();
    }
  } finally {
    closed = true;
    signal.removeEventListener("abort", onAbort);
    lease.lost.removeEventListener("abort", onAbort);
    context.onNotify(() => undefined);
    // Ends with the broker's own time-out of a publish.
    while (inFlight > 0) await wakeUp.wait(performance.now() + 1_000);
  }
  if (acked.length > 0 || streamSeq > recordedSeq) await release();
  return fault;
}

function messageOf({ subject, eventId, body, headers }: OutboxRow): OutgoingMessage {
  const message = { subject, id: eventId, body: Buffer.from(body) };
  return headers ? { ...message, headers } : message;
}
