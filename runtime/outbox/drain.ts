import { backOff } from "../back-off.js";
import { type Broker, type OutgoingMessage, PublishFailed } from "../broker/broker.js";
import { messageOf as describeError } from "../text/error-message.js";
import { createReader, type ReaderContext } from "./outbox-reader.js";
import { releaseRows } from "./outbox-statements.js";
import { createLanes, type OutboxRow } from "./per-key-queues.js";
import { createAlarm } from "./wake-up.js";

/** Publishes without an ack yet. More buys nothing: the broker is busy long before. */
const IN_FLIGHT = 1_024;
const RELEASE_ROWS = 2_000;
const RELEASE_AFTER_MS = 20;
const RELEASE_AT_LAST_MS = 100;

/** An entity whose event the broker refuses. */
const parkFor = backOff({ from: 1_000, to: 60_000 });

export interface DrainContext extends ReaderContext {
  readonly broker: Broker;
  readonly signal: AbortSignal;
  readonly meter: DrainMeter;
  /** Registers what a notification is to wake; the latest counts. */
  readonly onNotify: (wake: () => void) => void;
}

/** Where the drain says what it does. */
export interface DrainMeter {
  published(): void;
  retried(error: string): void;
  parked(entities: number): void;
}

/**
 * Publishes the outbox for as long as the broker takes it. Resolves with the fault when the broker is in trouble,
 * without one when stopped; rejects when the database connection is lost. Afterwards nothing is under
 * way, and what was not released is to be compared with the stream before it is published again.
 */
export async function drainOutbox(context: DrainContext): Promise<PublishFailed | undefined> {
  const { seat, broker, signal, meter } = context;
  const lanes = createLanes();
  const alarm = createAlarm();
  let fault: PublishFailed | undefined;
  let closed = false;
  /** In the order of sending, without an ack: each was stored, if at all, beyond the stream sequence beside it. */
  const unanswered = new Map<OutboxRow, number>();
  let inFlight = 0;
  let acked: number[] = [];
  let ackedAt = 0;
  let streamSeq = 0;

  const pump = () => {
    while (!closed && !fault && inFlight < IN_FLIGHT && seat.proven()) {
      const row = lanes.next();
      if (!row) return;
      inFlight += 1;
      unanswered.set(row, streamSeq);
      broker.publish(messageOf(row)).then(
        (ack) => succeed(row, ack.seq),
        (error: unknown) => fail(row, error),
      );
    }
    // Full, or a while since the database was heard from: a round of the loop gives new proof.
    if (!seat.proven()) alarm.ring();
  };
  const succeed = (row: OutboxRow, seq: number) => {
    inFlight -= 1;
    unanswered.delete(row);
    meter.published();
    if (acked.length === 0) ackedAt = performance.now();
    acked.push(row.seq);
    if (seq > streamSeq) streamSeq = seq;
    lanes.done(row);
    if (acked.length === 1 || acked.length === RELEASE_ROWS || (closed && inFlight === 0)) alarm.ring();
    pump();
  };
  const fail = (row: OutboxRow, error: unknown) => {
    inFlight -= 1;
    const failure =
      error instanceof PublishFailed
        ? error
        : new PublishFailed(describeError(error), "broker", { cause: error });
    meter.retried(failure.message);
    if (failure.fault === "message") park(row, failure);
    else fault ??= failure;
    alarm.ring();
  };
  const park = (row: OutboxRow, failure: PublishFailed) => {
    const strikes = lanes.strikes(row);
    unanswered.delete(row);
    lanes.park(row, performance.now() + parkFor(strikes));
    meter.parked(lanes.parked());
    const { subject, eventId, seq } = row;
    context.logger.error(
      { subject, eventId, seq, attempts: strikes + 1, error: failure.message },
      "the broker refuses an event: its entity waits, nothing is dropped",
    );
    pump();
  };

  const release = async () => {
    const seqs = acked;
    acked = [];
    const [oldest = streamSeq] = unanswered.values();
    await releaseRows(seat, seqs, oldest);
    lanes.forget(seqs);
  };
  const reader = createReader(context, lanes);
  context.onNotify(() => {
    reader.expect();
    alarm.ring();
  });
  const onAbort = () => alarm.ring();
  signal.addEventListener("abort", onAbort);
  seat.lost.addEventListener("abort", onAbort);

  try {
    while (!fault && !signal.aborted) {
      seat.lost.throwIfAborted();
      const now = performance.now();
      const ackedFor = acked.length === 0 ? 0 : now - ackedAt;
      // New rows go first: who waits for them is a person, who waits for a release is a disk.
      if (acked.length >= RELEASE_ROWS || ackedFor > RELEASE_AT_LAST_MS) await release();
      else if (await reader.step(now)) pump();
      else if (ackedFor > RELEASE_AFTER_MS) await release();
      else
        await alarm.wait(
          acked.length === 0 ? reader.nextAt() : Math.min(reader.nextAt(), ackedAt + RELEASE_AFTER_MS),
        );
      if (!seat.proven()) await seat.query("SELECT 1", []);
      pump();
    }
  } finally {
    closed = true;
    signal.removeEventListener("abort", onAbort);
    seat.lost.removeEventListener("abort", onAbort);
    context.onNotify(() => undefined);
    // Bounded by the broker's own time-out of a publish.
    while (inFlight > 0) await alarm.wait(performance.now() + 1_000);
  }
  if (acked.length > 0) await release();
  return fault;
}

function messageOf({ subject, eventId, body, headers }: OutboxRow): OutgoingMessage {
  const message = { subject, id: eventId, body: Buffer.from(body) };
  return headers ? { ...message, headers } : message;
}
