import { type AckHeartbeat, startAckHeartbeat } from "../broker/ack-heartbeat.js";
import { ConsumerGone, type Delivery, type PullSubscription } from "../broker/broker.js";
import { retryUntilAnswered, Stopped } from "../database/retry.js";
import { isSuspicious, processBatch, type Received } from "../inbox/batch.js";
import { type PlainBatch, preparePlain } from "../inbox/fast-path.js";
import { parseMessage } from "../inbox/parse.js";
import { type OnLoan, withoutAction } from "../inbox/version-gap.js";
import { pause } from "../pause.js";
import type { Running } from "./consumer.js";
import { readStanding, type Standing } from "./retries.js";
import { readPosition } from "./stream-epoch.js";

/*
 * Taking messages: while one batch is applied the next is received and parsed. Nothing stays
 * stranded: whatever ends it, the batch in hand is finished and the rest handed back.
 */

interface Flow {
  readonly running: Running;
  readonly intake: PullSubscription;
  readonly heartbeat: AckHeartbeat;
  /** Highest message sequence delivered for the first time; a lower one means a stream that started again. */
  highest: number;
  /** The intake is being stopped: it answers at once and for ever with nothing, so nobody may wait for more. */
  ended: boolean;
}

interface Batch {
  readonly received: readonly Received[];
  readonly deliveries: readonly Delivery[];
  readonly release: () => void;
  readonly standing: Promise<Standing>;
  readonly prepared: PlainBatch | undefined;
}

const WAIT_MS = 1_000;

/** Handed back soon, not at once: this replica may be the only one, and just restarting. */
const HAND_BACK_MS = 100;

/** Parsing holds the event loop; in slices, the database's answers get in between. */
const SLICE = 128;

/** Consumes until told to stop. Rejects with `ConsumerGone` when the durable, or the stream as it was, is no more. */
export async function consumeWhile(running: Running): Promise<void> {
  const { model, options, plan, stopping } = running;
  const { delivery } = model.definition;
  const intake = await options.broker.consume(plan, delivery.batch * 2);
  running.intake = intake;
  const heartbeat = startAckHeartbeat(delivery.ackWaitSeconds);
  const flow: Flow = { running, intake, heartbeat, highest: 0, ended: false };
  let next = takeBatch(flow);
  try {
    for (;;) {
      const batch = await next;
      if (stopping.signal.aborted) return;
      if (running.lost !== undefined) throw new ConsumerGone(running.lost);
      next = takeBatch(flow);
      // Awaited in the next turn; until then a failure must not count as unhandled.
      next.catch(() => undefined);
      await apply(flow, batch);
    }
  } finally {
    flow.ended = true;
    running.intake = undefined;
    running.upcoming = [];
    await intake.stop();
    await next.then(handBack, () => undefined);
    heartbeat.stop();
  }
}

async function takeBatch(flow: Flow): Promise<Batch> {
  const { running, intake, heartbeat } = flow;
  const { model, stopping } = running;
  let deliveries: readonly Delivery[] = [];
  running.upcoming = [];
  while (deliveries.length === 0 && !flow.ended && !stopping.signal.aborted && running.lost === undefined) {
    deliveries = await intake.next(model.definition.delivery.batch, WAIT_MS);
  }
  running.upcoming = deliveries;
  const release = heartbeat.hold(deliveries);
  // Asked while the batch before is applied and this one is parsed.
  const standing = retryUntilAnswered(running.batch, () =>
    readStanding(running.options.pool, model.definition.durable),
  );
  standing.catch(() => undefined);
  const base = running.era?.base ?? 0;
  const received: Received[] = [];
  for (const [at, delivery] of deliveries.entries()) {
    if (at % SLICE === SLICE - 1) await new Promise((resolve) => setImmediate(resolve));
    const seq = base + delivery.seq;
    const unread = isSuspicious(running.batch, delivery, seq);
    received.push({ delivery, seq, parsed: unread ? undefined : parseMessage(model, delivery, seq) });
  }
  return { received, deliveries, release, standing, prepared: prepareAll(running, received) };
}

/** Undefined where a message is no event, or the batch is more than one statement. */
function prepareAll({ batch }: Running, received: readonly Received[]): PlainBatch | undefined {
  const events = received.flatMap(({ parsed }) => (parsed?.ok ? [parsed.incoming] : []));
  if (events.length < received.length) return undefined;
  return preparePlain(
    batch,
    events.sort((a, b) => a.seq - b.seq),
  );
}

function handBack({ deliveries, release }: Batch): void {
  for (const delivery of deliveries) delivery.nak(HAND_BACK_MS);
  release();
}

async function apply(flow: Flow, batch: Batch): Promise<void> {
  const { running } = flow;
  if (batch.received.length === 0) return;
  try {
    const standing = await batch.standing;
    await checkEra(flow, batch, standing.base);
    const context = { ...running.batch, prepared: batch.prepared };
    await processBatch(context, batch.received, standing.attempts);
    running.lastProgress = Date.now();
    running.lastSeq = Math.max(running.lastSeq, ...batch.received.map(({ seq }) => seq));
    running.deliveredSeq = Math.max(running.deliveredSeq, ...batch.deliveries.map(({ seq }) => seq));
  } catch (error) {
    // Those that were settled stay settled; the rest comes again.
    handBack(batch);
    if (!(error instanceof Stopped)) throw error;
  } finally {
    batch.release();
  }
}

/**
 * The client follows a stream that was deleted and made anew without a word. First deliveries only
 * rise within one stream; where they do not, or where another replica has begun an era, attach again.
 * In the same stream a broker that was killed has lost what it knew of the durable, or the stream's
 * tail with it, and by now others may stand under its sequences: only the source can tell.
 */
async function checkEra(flow: Flow, { deliveries }: Batch, base: number | undefined): Promise<void> {
  const { era, options, plan } = flow.running;
  const firsts = deliveries.filter((delivery) => delivery.deliveries === 1).map((delivery) => delivery.seq);
  const fellBack = firsts.some((seq) => seq <= flow.highest);
  flow.highest = Math.max(flow.highest, ...firsts);
  if (fellBack) {
    const position = await readPosition(options.broker, plan);
    if (position === undefined || position.created !== era?.streamCreated)
      throw new ConsumerGone(`stream ${plan.stream} was made anew`);
    if (position.lastSeq < flow.highest)
      throw new ConsumerGone(`stream ${plan.stream} has lost its newest messages`);
    const reason = `the durable went back from ${flow.highest}`;
    await retryUntilAnswered(flow.running.batch, () => flow.running.resync.wantFor(reason));
    flow.highest = Math.max(0, ...firsts);
  }
  if (base !== era?.base)
    throw new ConsumerGone(`stream ${plan.stream} was made anew, another replica noticed`);
}

/** Acks that were just sent are not counted yet: looked at a few times before a message is taken to be in other hands. */
const LOOKS = 3;
const LOOK_AGAIN_MS = 15;

export async function countOnLoan(running: Running): Promise<OnLoan> {
  const { options, plan, intake, era, stopping } = running;
  for (let look = 1; ; look += 1) {
    const state = await options.broker.consumerState(plan.stream, plan.durable).catch(() => undefined);
    // The broker is away, so nothing can be said; nor can anything be settled until it is back.
    if (state === undefined) return { floor: undefined, elsewhere: true, next: new Map() };
    const elsewhere = state.ackPending > (intake?.outstanding?.() ?? 0);
    const floor = state.ackFloor === undefined ? undefined : (era?.base ?? 0) + state.ackFloor;
    if (!elsewhere || look === LOOKS) return { floor, elsewhere, next: firstByEntity(running) };
    await pause(LOOK_AGAIN_MS, stopping.signal);
  }
}

/** Of what this process takes next, the lowest effective sequence of each entity, by subject without its action. */
function firstByEntity({ upcoming, intake, era }: Running): ReadonlyMap<string, number> {
  const firsts = new Map<string, number>();
  for (const { subject, seq } of [...upcoming, ...(intake?.buffered() ?? [])]) {
    const entity = withoutAction(subject);
    const known = firsts.get(entity) ?? Number.POSITIVE_INFINITY;
    firsts.set(entity, Math.min(known, (era?.base ?? 0) + seq));
  }
  return firsts;
}
