import { withoutAction } from "../subject.js";
import type { LeaderLease } from "./leader-lease.js";
import { parseSnapshot, type Snapshot } from "./low-watermark.js";
import type { OutboxRow } from "./per-key-queues.js";

/*
 * The relay's statements. All of them run on the connection that holds the leader lease: a relay that lost the lease has lost
 * the connection too, and can delete nothing.
 */

export interface Page {
  readonly rows: readonly OutboxRow[];
  /** Exactly what the rows were read with: it comes from the same statement. */
  readonly snapshot: Snapshot;
  /** A transaction id that was taken after the rows were read; undefined where there are none. */
  readonly later: number | undefined;
  /** There may be more rows. */
  readonly full: boolean;
}

export interface PageLimits {
  /** Exclusive. */
  readonly after: number;
  /** Inclusive. */
  readonly upTo: number;
  /** Sequences to leave out: they are queued already. */
  readonly known: readonly number[];
  readonly rows: number;
  /** The page ends with the row whose body reaches this sum: large bodies must not fill the memory. */
  readonly bytes: number;
}

/** The part of the broker's max_payload that is left to headers. */
const HEADER_BYTES = 512;
/** What each message has in any case: the line ahead of its headers, Nats-Msg-Id, and the empty line behind them. */
const OWN_HEADER_BYTES = "NATS/1.0\r\n".length + "Nats-Msg-Id: \r\n".length + 36 + "\r\n".length;
/** No headers that fit take more as jsonb: those of a row that do are not even read. */
const STORED_HEADER_BYTES = 4 * HEADER_BYTES;

/**
 * As few columns as can be: each costs the driver as much as all that is done with it. The subquery takes a transaction id with the first
 * row that is found: polls that find nothing use up none.
 */
const READ_PAGE = `
SELECT NULL::text AS head, pg_current_snapshot()::text AS body, NULL::jsonb AS headers, NULL::text AS later
UNION ALL
SELECT seq::text || ' ' || event_id::text || ' ' || subject, body, CASE WHEN pg_catalog.pg_column_size(headers) <= ${STORED_HEADER_BYTES} THEN headers END,
    CASE bytes_before WHEN 0 THEN (SELECT pg_current_xact_id()::text) END
FROM (
    SELECT page.*, pg_catalog.sum(pg_catalog.octet_length(page.body)) OVER (ORDER BY page.seq ROWS UNBOUNDED PRECEDING) - pg_catalog.octet_length(page.body) AS bytes_before
    FROM (
        SELECT seq, event_id, subject, body, headers FROM mesh.outbox
        WHERE seq > $1 AND seq <= $2 AND NOT $3::int8multirange @> seq
        ORDER BY seq LIMIT $4
    ) AS page
) AS measured
WHERE bytes_before < $5`;

type PageRow = readonly [
  /** Sequence, event id and subject; null beside the snapshot. */
  head: string | null,
  body: string,
  headers: Readonly<Record<string, unknown>> | null,
  later: string | null,
];

const UUID_LENGTH = 36;

export async function readPage(lease: LeaderLease, limits: PageLimits): Promise<Page> {
  const { after, upTo, known, rows: max, bytes: maxBytes } = limits;
  const result = await lease.query<PageRow>(
    READ_PAGE,
    [after, upTo, printRanges(known), max, maxBytes],
    "read page",
  );
  const rows: OutboxRow[] = [];
  let bytes = 0;
  let snapshot: Snapshot | undefined;
  let later: number | undefined;
  for (const [head, body, headers, taken] of result) {
    if (head === null) {
      snapshot = parseSnapshot(body);
      continue;
    }
    if (taken !== null) later = Number(taken);
    bytes += Buffer.byteLength(body);
    const idAt = head.indexOf(" ") + 1;
    const subject = head.slice(idAt + UUID_LENGTH + 1);
    rows.push({
      seq: Number(head.slice(0, idAt - 1)),
      eventId: head.slice(idAt, idAt + UUID_LENGTH),
      subject,
      key: withoutAction(subject),
      body,
      headers: headers ? textHeaders(headers) : undefined,
    });
  }
  if (!snapshot) throw new Error("the outbox was read without a snapshot");
  // PostgreSQL does not promise the order of a UNION ALL.
  rows.sort((one, other) => one.seq - other.seq);
  return { rows, snapshot, later, full: rows.length === max || bytes >= maxBytes };
}

/** As a multirange, in which PostgreSQL searches: most sequences are neighbours. `{[1,3],[7,7]}` */
function printRanges(sequences: readonly number[]): string {
  const ranges: string[] = [];
  let [first, last] = [Number.NaN, Number.NaN];
  for (const seq of sequences.toSorted((one, other) => one - other)) {
    if (seq === last + 1) last = seq;
    else {
      if (!Number.isNaN(first)) ranges.push(`[${first},${last}]`);
      [first, last] = [seq, seq];
    }
  }
  if (!Number.isNaN(first)) ranges.push(`[${first},${last}]`);
  return `{${ranges.join(",")}}`;
}

/**
 * Whoever may write rows may write headers: none that the broker acts on, nothing that would end a line of its protocol, and no more
 * than the largest event leaves room for, since the broker would never take it.
 */
function textHeaders(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  let room = HEADER_BYTES - OWN_HEADER_BYTES;
  const entries = Object.entries(headers).filter(([name, value]) => {
    if (!/^(?!nats-)[a-z][\w-]{0,63}$/i.test(name) || typeof value !== "string") return false;
    if (!/^[ -~]{1,256}$/.test(value)) return false;
    const bytes = `${name}: ${value}\r\n`.length;
    if (bytes > room) return false;
    room -= bytes;
    return true;
  });
  return Object.fromEntries(entries) as Record<string, string>;
}

/** How far the relay has come. */
export interface Progress {
  /** Stream sequence up to which every message is known to be acked. */
  readonly streamSeq: number;
  /** Outbox sequence up to which all rows are deleted. */
  readonly releasedTo: number;
}

/** By ranges: most acked rows are neighbours, and PostgreSQL finds a range in half the time of its members. */
const RELEASE = `DELETE FROM mesh.outbox USING pg_catalog.unnest($1::int8multirange) AS acked
  WHERE seq >= pg_catalog.lower(acked) AND seq < pg_catalog.upper(acked)`;

/** Deletes published rows. Where progress is given, it is recorded with them. */
export async function releaseRows(
  lease: LeaderLease,
  seqs: readonly number[],
  progress: Progress | undefined,
): Promise<void> {
  const released = printRanges(seqs);
  if (progress === undefined) await lease.query(RELEASE, [released], "release");
  else
    await lease.query(
      `WITH released AS (${RELEASE})
       UPDATE mesh.relay_progress SET last_seq = greatest(last_seq, $2), released_to = $3`,
      [released, progress.streamSeq, progress.releasedTo],
      "release and record",
    );
}

/** SQL: rows of the outbox that may still be there. Those before are deleted, but read through until vacuum removes them. */
export const IS_WAITING = "seq > (SELECT released_to FROM mesh.relay_progress)";

/** A row that must not be published, and why. */
export interface RefusedRow {
  readonly row: OutboxRow;
  readonly error: string;
}

/** Moves refused rows to the dead letters. */
export async function deadLetterRows(
  lease: LeaderLease,
  refused: readonly RefusedRow[],
  stream: string,
): Promise<void> {
  await lease.query(
    `WITH refused AS (SELECT * FROM unnest($1::bigint[], $3::text[]) AS refused (seq, error)),
     gone AS (DELETE FROM mesh.outbox WHERE seq IN (SELECT seq FROM refused) RETURNING *)
     INSERT INTO mesh.dead_letter (durable, stream, stream_seq, subject, headers, body, error, entity, entity_id)
     SELECT 'outbox', $2, seq, subject, CASE WHEN pg_catalog.jsonb_typeof(headers) = 'object' THEN headers ELSE '{}' END || pg_catalog.jsonb_build_object('Nats-Msg-Id', event_id),
            pg_catalog.convert_to(body, 'UTF8'), error, entity, entity_id
     FROM gone JOIN refused USING (seq)`,
    [refused.map(({ row }) => row.seq), stream, refused.map(({ error }) => error)],
  );
}

/** Tells writers whether they may leave out the notification. */
export async function suppressNotify(lease: LeaderLease, suppressed: boolean): Promise<void> {
  await lease.query("UPDATE mesh.relay SET notify_suppressed = $1 WHERE notify_suppressed <> $1", [
    suppressed,
  ]);
}

/** The table's CHECK refuses a lower limit. */
const SMALLEST_LIMIT = 512;

export async function noteEventLimit(lease: LeaderLease, maxPayload: number): Promise<void> {
  await lease.query("UPDATE mesh.broker SET max_event_bytes = $1 WHERE max_event_bytes <> $1", [
    Math.max(SMALLEST_LIMIT, maxPayload - HEADER_BYTES),
  ]);
}

export interface Backlog {
  /** Counted up to 100,000: counting must stay cheap. */
  readonly rows: number;
  readonly oldestSeconds: number;
}

export const MOST_COUNTED = 100_000;

/** Of the rows above `after`: all before are deleted. */
export async function measureBacklog(lease: LeaderLease, after: number): Promise<Backlog> {
  const [found] = await lease.query<readonly [string, number | null]>(
    `SELECT (SELECT count(*) FROM (SELECT FROM mesh.outbox WHERE seq > $1 LIMIT ${MOST_COUNTED}) AS counted),
            (SELECT extract(epoch FROM clock_timestamp() - created_at)::float8 FROM mesh.outbox WHERE seq > $1 ORDER BY seq LIMIT 1)`,
    [after],
  );
  return { rows: Number(found?.[0] ?? 0), oldestSeconds: Math.max(0, found?.[1] ?? 0) };
}
