import type { Broker, StoredMessage, StreamState } from "../broker/broker.js";
import type { Logger, StreamDefinition } from "../definition.js";
import { parseSubject } from "../subject.js";
import type { Seat } from "./seat.js";
import { noteEventLimit } from "./statements.js";
import { type Lift, liftEntities, lockVersions, raiseFloor } from "./versions.js";

/*
 * Before it publishes, the relay compares its database with its stream. After a crash the stream holds a few
 * events whose rows were not released yet. After the database was restored from a backup it holds events that this
 * database never heard of, and every consumer has applied them: what the database would publish next would
 * carry versions that are old news, and go unheard.
 */

export interface RecoveryContext {
  readonly seat: Seat;
  readonly broker: Broker;
  readonly stream: StreamDefinition;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Messages taken into one transaction. */
const BATCH = 2_000;

/** Creates the stream where it is missing, and brings the database up to what the stream holds. */
export async function reconcile(context: RecoveryContext): Promise<void> {
  const { seat, broker, stream, logger } = context;
  const limit = broker.maxPayload();
  if (limit !== undefined) await noteEventLimit(seat, limit);
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
  if (state.lastSeq > known) await absorbGap(context, state, known);
  await rememberStream(seat, state, state.lastSeq);
}

/** Up to which sequence of this very stream the database knows. */
async function knownSeq({ seat, logger }: RecoveryContext, state: StreamState): Promise<number> {
  const [row] = await seat.query<[string | null, string | null, string]>(
    "SELECT stream, stream_created, last_seq FROM mesh.relay",
    [],
  );
  const [name, created, last] = row ?? [null, null, "0"];
  const lastSeq = Number(last);
  if (name === null) return 0;
  if (name !== state.name || created !== state.created) {
    logger.warn(
      { stream: state.name, created: state.created, formerly: created },
      "the stream was recreated",
    );
    return 0;
  }
  if (state.lastSeq < lastSeq) {
    logger.warn(
      { stream: state.name, lastSeq: state.lastSeq, formerly: lastSeq },
      "the stream has lost messages",
    );
  }
  return Math.min(lastSeq, state.lastSeq);
}

async function absorbGap(context: RecoveryContext, state: StreamState, known: number): Promise<void> {
  const { seat, broker, logger, signal } = context;
  logger.info(
    { stream: state.name, from: known + 1, to: state.lastSeq },
    "reading what the stream has and the database may not",
  );
  const summary = { unversioned: 0, lifted: 0, released: 0 };
  let batch: StoredMessage[] = [];
  const absorb = async () => {
    const last = batch.at(-1);
    if (!last) return;
    const gap = readGap(batch);
    batch = [];
    summary.unversioned += gap.unversioned;
    await seat.transaction(async () => {
      await lockVersions(seat);
      summary.released += await releasePublished(seat, gap.eventIds);
      summary.lifted += await liftEntities(seat, gap.lifts);
      await rememberStream(seat, state, last.seq);
    });
  };
  for await (const message of broker.replay(state.name, ">", known + 1)) {
    signal.throwIfAborted();
    batch.push(message);
    if (batch.length >= BATCH) await absorb();
  }
  await absorb();
  const purged = Math.max(0, Math.min(state.firstSeq, state.lastSeq + 1) - known - 1);
  if (purged > 0 || summary.unversioned > 0) {
    const floor = await raiseFloor(seat, state.lastSeq - known);
    logger.warn(
      { purged, unversioned: summary.unversioned, floor },
      "versions go on above everything that may have been published",
    );
  }
  if (summary.lifted > 0 || summary.released > 0)
    logger.warn(summary, "the stream was ahead of the database");
}

interface Gap {
  /** The newest version of each entity. */
  readonly lifts: readonly Lift[];
  readonly eventIds: readonly string[];
  readonly unversioned: number;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

function readGap(messages: readonly StoredMessage[]): Gap {
  const lifts = new Map<string, Lift>();
  const eventIds: string[] = [];
  let unversioned = 0;
  for (const { subject, headers, body } of messages) {
    const id = headers["Nats-Msg-Id"];
    if (id !== undefined && UUID.test(id)) eventIds.push(id);
    const parts = parseSubject(subject);
    if (!parts) continue;
    const version = versionOf(body);
    if (version === undefined) {
      unversioned += 1;
      continue;
    }
    const entity = `${parts.service}.${parts.entity}`;
    const key = `${entity}.${parts.id}`;
    const former = lifts.get(key);
    if (!former || former.version < version) lifts.set(key, { entity, id: parts.id, version });
  }
  return { lifts: [...lifts.values()], eventIds, unversioned };
}

/** Undefined for a body that is not one of ours: somebody else's, and none of our consumers' versions come from it. */
function versionOf(body: Uint8Array): number | undefined {
  try {
    const event = JSON.parse(Buffer.from(body).toString()) as { metadata?: { version?: unknown } } | null;
    const version = event?.metadata?.version;
    return Number.isSafeInteger(version) ? (version as number) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Rows of events that the stream already holds: their acks were lost, or a backup brought them back. */
async function releasePublished(seat: Seat, eventIds: readonly string[]): Promise<number> {
  const [gone] = await seat.query<[string]>(
    `WITH gone AS (DELETE FROM mesh.outbox WHERE event_id = ANY ($1::uuid[]) RETURNING 1)
     SELECT count(*) FROM gone`,
    [eventIds],
  );
  return Number(gone?.[0] ?? 0);
}

async function rememberStream(seat: Seat, { name, created }: StreamState, lastSeq: number): Promise<void> {
  await seat.query("UPDATE mesh.relay SET stream = $1, stream_created = $2, last_seq = $3, busy = false", [
    name,
    created,
    lastSeq,
  ]);
}
