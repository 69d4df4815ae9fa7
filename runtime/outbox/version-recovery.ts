import type { Broker, StoredMessage, StreamState } from "../broker/broker.js";
import type { Logger } from "../definition/hook-definition.js";
import type { StreamDefinition } from "../definition/stream-definition.js";
import { matcher } from "../subject.js";
import { HIGHEST_VERSION, PLAUSIBLE_VERSION } from "../values/version.js";
import type { LeaderLease } from "./leader-lease.js";
import { noteEventLimit } from "./outbox-statements.js";
import { highestCounted, lockVersions, raiseMinimumVersion, raiseVersions } from "./raise-versions.js";
import { anyAction, type Published, readGap } from "./stream-gap.js";

/*
 * Before it publishes, the relay compares its database with its stream. After a crash the stream holds a few events whose rows
 * were not deleted yet. After the database was restored from a backup, the stream holds events that this database does not
 * know, and every consumer has applied them: what the database published next would carry versions that consumers
 * already have, and be ignored. So the versions are raised above those of the stream.
 *
 * A version in the stream is believed only where counting explains it: a forged or broken event must not raise the versions of
 * everything that follows.
 */

export interface RecoveryContext {
  readonly lease: LeaderLease;
  readonly broker: Broker;
  readonly stream: StreamDefinition;
  /** Patterns of the subjects that the service publishes: only their entities have versions here. */
  readonly publishes: readonly string[];
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Messages that are processed in one transaction. */
const BATCH = 2_000;

/** Creates the stream where it is missing, and brings the database up to what the stream holds. */
export async function recoverVersions(context: RecoveryContext): Promise<void> {
  const { lease, broker, stream, logger } = context;
  const limit = broker.maxPayload();
  if (limit !== undefined) await noteEventLimit(lease, limit);
  const state = await broker.ensureStream(stream);
  if (!state) {
    const hint = `let a provisioner create it (mesh provision), and allow $JS.API.STREAM.INFO.${stream.name} and $JS.API.STREAM.MSG.GET.${stream.name}`;
    logger.warn(
      { stream: stream.name, hint },
      "stream is missing or may not be read: not compared with the outbox",
    );
    return;
  }
  const known = await knownSeq(context, state);
  const counted = await highestCounted(lease);
  if (counted > PLAUSIBLE_VERSION)
    logger.error(
      { version: counted, hint: "mesh lower-versions" },
      "versions are where no counting leads: an event was forged, and more of them may be refused",
    );
  if (state.lastSeq > known.seq) {
    const highest = explainedVersion(counted, state.lastSeq - known.seq, known.same);
    await applyGap(context, state, { known: known.seq, highest });
  }
  await rememberStream(lease, state, state.lastSeq);
}

/** Events that may have gone to a former stream, and that the database may have forgotten too. */
const FORGOTTEN_EVENTS = 2 ** 32;

/**
 * The highest version that events which the database does not know can have. Each event has raised a version by 1, and each
 * recovery of a restored database by 1 more. How many went to a former stream is not known.
 */
function explainedVersion(counted: number, unknown: number, sameStream: boolean): number {
  const explained = counted + 2 * unknown + 1 + (sameStream ? 0 : FORGOTTEN_EVENTS);
  return Math.min(explained, HIGHEST_VERSION);
}

interface Known {
  readonly seq: number;
  /** Whether the stream is the one that the database published to. */
  readonly same: boolean;
}

/** The sequence up to which the database knows what this stream holds. */
async function knownSeq({ lease, logger }: RecoveryContext, state: StreamState): Promise<Known> {
  const [row] = await lease.query<[string | null, string | null, string]>(
    "SELECT stream, stream_created, last_seq FROM mesh.relay CROSS JOIN mesh.relay_progress",
    [],
  );
  const [name, created, last] = row ?? [null, null, "0"];
  const lastSeq = Number(last);
  if (name === null) return { seq: 0, same: false };
  if (name !== state.name || created !== state.created) {
    logger.warn(
      { stream: state.name, created: state.created, formerly: created },
      "the stream was recreated",
    );
    return { seq: 0, same: false };
  }
  if (state.lastSeq < lastSeq) {
    logger.warn(
      { stream: state.name, lastSeq: state.lastSeq, formerly: lastSeq },
      "the stream has lost messages",
    );
  }
  return { seq: Math.min(lastSeq, state.lastSeq), same: true };
}

interface Bounds {
  /** The sequence up to which the database knows the stream. */
  readonly known: number;
  /** Higher versions are not believed. */
  readonly highest: number;
}

async function applyGap(
  context: RecoveryContext,
  state: StreamState,
  { known, highest }: Bounds,
): Promise<void> {
  const { lease, broker, publishes, logger, signal } = context;
  const isOurs = matcher(publishes.map(anyAction));
  logger.info(
    { stream: state.name, from: known + 1, to: state.lastSeq },
    "reading what the stream has and the database may not",
  );
  const summary = { unversioned: 0, raised: 0, released: 0 };
  let batch: StoredMessage[] = [];
  const applyMessages = async () => {
    const last = batch.at(-1);
    if (!last) return;
    const gap = readGap(batch, { isOurs, highest });
    batch = [];
    summary.unversioned += gap.unversioned;
    for (const one of gap.unexplained)
      logger.error(
        { ...one, highest },
        "an event in the stream has a version that its owner cannot have counted: not believed",
      );
    await lease.transaction(async () => {
      await lockVersions(lease);
      summary.released += await releasePublished(lease, gap.published);
      summary.raised += await raiseVersions(lease, gap.newest);
      await rememberStream(lease, state, last.seq);
    });
  };
  for await (const message of broker.replay(state.name, ">", known + 1)) {
    signal.throwIfAborted();
    batch.push(message);
    if (batch.length >= BATCH) await applyMessages();
  }
  await applyMessages();
  const purged = Math.max(0, Math.min(state.firstSeq, state.lastSeq + 1) - known - 1);
  if (purged > 0 || summary.unversioned > 0) {
    const minimumVersion = await raiseMinimumVersion(lease, state.lastSeq - known);
    logger.warn(
      { purged, unversioned: summary.unversioned, minimumVersion },
      "versions go on above everything that may have been published",
    );
  }
  if (summary.raised > 0 || summary.released > 0)
    logger.warn(summary, "the stream was ahead of the database");
}

/** Deletes rows of events that the stream holds: their acks were lost, or a backup brought the rows back. */
async function releasePublished(lease: LeaderLease, published: readonly Published[]): Promise<number> {
  const [gone] = await lease.query<[string]>(
    `WITH gone AS (
       DELETE FROM mesh.outbox AS waiting USING unnest($1::uuid[], $2::text[]) AS published (event_id, subject)
       WHERE waiting.event_id = published.event_id AND waiting.subject = published.subject RETURNING 1)
     SELECT count(*) FROM gone`,
    [published.map(({ eventId }) => eventId), published.map(({ subject }) => subject)],
  );
  return Number(gone?.[0] ?? 0);
}

async function rememberStream(
  lease: LeaderLease,
  { name, created }: StreamState,
  lastSeq: number,
): Promise<void> {
  await lease.query(
    `WITH known AS (UPDATE mesh.relay SET stream = $1, stream_created = $2, notify_suppressed = false)
     UPDATE mesh.relay_progress SET last_seq = $3, released_to = 0`,
    [name, created, lastSeq],
  );
}
