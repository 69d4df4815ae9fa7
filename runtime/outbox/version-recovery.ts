import type { Broker, StoredMessage, StreamState } from "../broker/broker.js";
import type { Logger, StreamDefinition } from "../definition.js";
import { unfitId } from "../resync/unfit-rows.js";
import { isPublishable, matcher, parseSubject } from "../subject.js";
import { HIGHEST_VERSION, PLAUSIBLE_VERSION } from "../values/version.js";
import type { Seat } from "./leader-lease.js";
import { noteEventLimit } from "./outbox-statements.js";
import { highestCounted, type Lift, liftEntities, lockVersions, raiseFloor } from "./versions.js";

/*
 * Before it publishes, the relay compares its database with its stream. After a crash the stream holds a few
 * events whose rows were not released yet. After the database was restored from a backup it holds events that this
 * database never heard of, and every consumer has applied them: what the database would publish next would
 * carry versions that are old news, and go unheard.
 *
 * What the stream says is believed as far as counting explains it: a forged or broken event must not lift the versions
 * of everything that comes after it.
 */

export interface RecoveryContext {
  readonly seat: Seat;
  readonly broker: Broker;
  readonly stream: StreamDefinition;
  /** Patterns of the subjects that the service publishes: only their entities have versions here. */
  readonly publishes: readonly string[];
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
  const counted = await highestCounted(seat);
  if (counted > PLAUSIBLE_VERSION)
    logger.error(
      { version: counted, hint: "mesh lower-versions" },
      "versions are where no counting leads: an event was forged, and more of them may be refused",
    );
  if (state.lastSeq > known.seq) {
    const highest = explainedVersion(counted, state.lastSeq - known.seq, known.same);
    await absorbGap(context, state, { known: known.seq, highest });
  }
  await rememberStream(seat, state, state.lastSeq);
}

/** As many events may have gone to a stream before the one that is there now, which the database has forgotten too. */
const FORGOTTEN_EVENTS = 2 ** 32;

/**
 * The highest version that events which the database does not know can have. Each raised one by 1, and each time that
 * a restored database met the stream before, by 1 more; where it is another stream, how many there were is not known.
 */
function explainedVersion(counted: number, unknown: number, sameStream: boolean): number {
  const explained = counted + 2 * unknown + 1 + (sameStream ? 0 : FORGOTTEN_EVENTS);
  return Math.min(explained, HIGHEST_VERSION);
}

interface Known {
  readonly seq: number;
  /** The stream is the one that the database published to. */
  readonly same: boolean;
}

/** Up to which sequence of this very stream the database knows. */
async function knownSeq({ seat, logger }: RecoveryContext, state: StreamState): Promise<Known> {
  const [row] = await seat.query<[string | null, string | null, string]>(
    "SELECT stream, stream_created, last_seq FROM mesh.relay",
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
  /** Sequence up to which nothing is news. */
  readonly known: number;
  /** Version above which an event is not ours. */
  readonly highest: number;
}

async function absorbGap(
  context: RecoveryContext,
  state: StreamState,
  { known, highest }: Bounds,
): Promise<void> {
  const { seat, broker, publishes, logger, signal } = context;
  const isOurs = matcher(publishes.map(anyAction));
  logger.info(
    { stream: state.name, from: known + 1, to: state.lastSeq },
    "reading what the stream has and the database may not",
  );
  const summary = { unversioned: 0, lifted: 0, released: 0 };
  let batch: StoredMessage[] = [];
  const absorb = async () => {
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
    await seat.transaction(async () => {
      await lockVersions(seat);
      summary.released += await releasePublished(seat, gap.published);
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

interface Published {
  readonly eventId: string;
  readonly subject: string;
}

interface Gap {
  /** The newest version of each entity. */
  readonly lifts: readonly Lift[];
  readonly published: readonly Published[];
  readonly unversioned: number;
  /** The first of those whose versions are not to be believed. */
  readonly unexplained: readonly {
    readonly subject: string;
    readonly seq: number;
    readonly version: number;
  }[];
}

interface Believed {
  readonly isOurs: (subject: string) => boolean;
  readonly highest: number;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const LOGGED = 10;

function readGap(messages: readonly StoredMessage[], { isOurs, highest }: Believed): Gap {
  const lifts = new Map<string, Lift>();
  const published: Published[] = [];
  const unexplained: Gap["unexplained"][number][] = [];
  let unversioned = 0;
  for (const { subject, headers, body, seq } of messages) {
    const parts = parseSubject(subject);
    if (!parts || !isOurs(subject) || !isPublishable(subject) || unfitId(parts.id) !== undefined) continue;
    const eventId = headers["Nats-Msg-Id"];
    if (eventId !== undefined && UUID.test(eventId)) published.push({ eventId, subject });
    const entity = `${parts.service}.${parts.entity}`;
    const version = versionOf(body);
    if (version === undefined) {
      unversioned += 1;
      continue;
    }
    if (version > highest) {
      if (unexplained.length < LOGGED) unexplained.push({ subject: subject.slice(0, 200), seq, version });
      continue;
    }
    const key = `${entity}.${parts.id}`;
    const former = lifts.get(key);
    if (!former || former.version < version) lifts.set(key, { entity, id: parts.id, version });
  }
  return { lifts: [...lifts.values()], published, unversioned, unexplained };
}

/** An action that is published no more has counted all the same. */
function anyAction(pattern: string): string {
  return `${pattern.split(".", 2).join(".")}.*.*`;
}

/** Undefined for a body that is not one of ours: somebody else's, and none of our consumers' versions come from it. */
function versionOf(body: Uint8Array): number | undefined {
  try {
    const event = JSON.parse(Buffer.from(body).toString()) as { metadata?: { version?: unknown } } | null;
    const version = event?.metadata?.version;
    return Number.isInteger(version) && Number(version) > 0 ? Number(version) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Rows of events that the stream already holds: their acks were lost, or a backup brought them back. */
async function releasePublished(seat: Seat, published: readonly Published[]): Promise<number> {
  const [gone] = await seat.query<[string]>(
    `WITH gone AS (
       DELETE FROM mesh.outbox AS waiting USING unnest($1::uuid[], $2::text[]) AS published (event_id, subject)
       WHERE waiting.event_id = published.event_id AND waiting.subject = published.subject RETURNING 1)
     SELECT count(*) FROM gone`,
    [published.map(({ eventId }) => eventId), published.map(({ subject }) => subject)],
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
