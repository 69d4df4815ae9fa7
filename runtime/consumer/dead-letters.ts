import type { Pool } from "pg";
import type { StoredMessage } from "../broker/broker.js";
import { inTransaction } from "../database/transaction.js";
import type { ConsumerDefinition } from "../definition/consumer-definition.js";
import type { Logger, Tx } from "../definition/hook-definition.js";
import { applyEvents } from "../inbox/apply.js";
import { Raced } from "../inbox/apply-errors.js";
import { buildModel, type ConsumerModel } from "../inbox/consumer-model.js";
import { parseMessage } from "../inbox/parse.js";

/*
 * Dead letters: messages that are not tried again, in the consumer's database. Written before the broker is told to forget
 * them; read, redriven and discarded by an operator.
 */

/** Why a message is not tried again. */
export type DeadLetterReason =
  /** It is no valid event. */
  | { readonly kind: "invalid"; readonly error: string }
  /** The database can never store it. */
  | { readonly kind: "unstorable"; readonly error: string; readonly attempts: number }
  | { readonly kind: "attempts-exhausted"; readonly error: string; readonly attempts: number }
  /** Each attempt ended the process. */
  | { readonly kind: "process-ended"; readonly attempts: number };

export interface DeadLetterEntry {
  readonly message: StoredMessage;
  /** Effective sequence. */
  readonly seq: number;
  readonly reason: DeadLetterReason;
  readonly entityId: string | undefined;
}

/** What is stored and logged of a reason. */
export function textOf(reason: DeadLetterReason): { readonly error: string; readonly attempts: number } {
  switch (reason.kind) {
    case "invalid":
      return { error: reason.error, attempts: 0 };
    case "unstorable":
    case "attempts-exhausted":
      return { error: reason.error, attempts: reason.attempts };
    case "process-ended":
      return { error: "the process ended while applying it, each time", attempts: reason.attempts };
    default:
      return reason satisfies never;
  }
}

/** Idempotent, once per message and durable: writing it again, after a crash between here and the broker, changes nothing. */
export async function recordDeadLetter(tx: Tx, model: ConsumerModel, letter: DeadLetterEntry): Promise<void> {
  const { message, seq, reason, entityId } = letter;
  const { error, attempts } = textOf(reason);
  const { durable, stream } = model.definition;
  await tx.query(
    `INSERT INTO mesh.dead_letter
  (durable, stream, stream_seq, subject, headers, body, error, attempts, entity, entity_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (durable, stream, stream_seq) DO NOTHING`,
    [
      durable,
      stream.name,
      seq,
      storable(message.subject),
      JSON.stringify(storableHeaders(message.headers)),
      Buffer.from(message.body),
      storable(error),
      attempts,
      model.scope,
      entityId === undefined ? null : storable(entityId),
    ],
  );
}

/** PostgreSQL holds no NUL in text, and no half of a surrogate pair; the body is kept in bytes, as it came. */
function storable(text: string): string {
  return text.replaceAll("\0", "\\0").toWellFormed();
}

function storableHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [storable(name), storable(value)]),
  );
}

/** What an operator has done with a dead letter. */
export interface Settlement {
  readonly as: "redriven" | "discarded";
  /** ISO 8601. */
  readonly at: string;
  readonly by: string | null;
  readonly why: string | null;
}

/** Who settles a dead letter, and why. Default: not said. */
export type Settling = Partial<Pick<Settlement, "by" | "why">>;

/** SQL: how a dead letter was settled, as `Settlement`; NULL of one that waits. */
export const SETTLED = `CASE WHEN settled_as IS NOT NULL THEN pg_catalog.json_build_object('as', settled_as,
  'at', pg_catalog.to_char(settled_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'by', settled_by, 'why', settled_why) END`;

export async function recordRedrive(tx: Tx, id: number, { by = null, why = null }: Settling): Promise<void> {
  await tx.query(
    "UPDATE mesh.dead_letter SET settled_as = 'redriven', settled_at = now(), settled_by = $2, settled_why = $3 WHERE id = $1",
    [id, by, why],
  );
}

/** `it was discarded by ada@ops at 2026-05-04T10:00:00.000Z: never a user` */
export function describeSettlement({ as, at, by, why }: Settlement): string {
  return `it was ${as}${by === null ? "" : ` by ${by}`} at ${at}${why === null ? "" : `: ${why}`}`;
}

/** An event that was not applied, with the reason. `attempts` counts tries; times are ISO 8601. */
export interface DeadLetter {
  readonly id: number;
  readonly durable: string;
  readonly stream: string;
  readonly seq: number;
  readonly subject: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly error: string;
  readonly attempts: number;
  readonly entityId: string | null;
  readonly failedAt: string;
  /** Null while it waits for an operator. */
  readonly settled: Settlement | null;
  /** 0 of one that was discarded: its body went. */
  readonly bodyBytes: number;
}

interface LetterRow {
  readonly id: string;
  readonly durable: string;
  readonly stream: string;
  readonly stream_seq: string;
  readonly subject: string;
  readonly headers: Record<string, string>;
  readonly error: string;
  readonly attempts: number;
  readonly entity_id: string | null;
  readonly failed_at: Date;
  readonly settled: Settlement | null;
  readonly body_bytes: number;
}

const COLUMNS = `id, durable, stream, stream_seq, subject, headers, error, attempts, entity_id, failed_at,
  ${SETTLED} AS settled, pg_catalog.octet_length(body) AS body_bytes`;

/** Which dead letters to list. Default: the newest 100 that wait for an operator, of every durable. */
export interface DeadLetterFilter {
  readonly durable?: string;
  /** Those that were redriven or discarded instead. */
  readonly settled?: boolean;
  readonly limit?: number;
}

/** Newest first. */
export async function listDeadLetters(tx: Tx, filter: DeadLetterFilter = {}): Promise<readonly DeadLetter[]> {
  const { rows } = await tx.query<LetterRow>(
    `SELECT ${COLUMNS} FROM mesh.dead_letter
WHERE ($1::text IS NULL OR durable = $1) AND (settled_as IS NOT NULL) = $2 ORDER BY id DESC LIMIT $3`,
    [filter.durable ?? null, filter.settled ?? false, filter.limit ?? 100],
  );
  return rows.map(toLetter);
}

/** With the body as it came; undefined when there is none of this id. */
export async function showDeadLetter(
  tx: Tx,
  id: number,
): Promise<(DeadLetter & { readonly body: Buffer }) | undefined> {
  const { rows } = await tx.query<LetterRow & { readonly body: Buffer }>(
    `SELECT ${COLUMNS}, body FROM mesh.dead_letter WHERE id = $1`,
    [id],
  );
  const row = rows[0];
  return row === undefined ? undefined : { ...toLetter(row), body: row.body };
}

/** Keeps the letter as a record, without its body. False when none of this id waits. */
export async function discardDeadLetter(tx: Tx, id: number, said: Settling = {}): Promise<boolean> {
  const { rows } = await tx.query<{ found: boolean }>("SELECT mesh.discard_letter($1, $2, $3) AS found", [
    id,
    said.by ?? null,
    said.why ?? null,
  ]);
  return rows[0]?.found === true;
}

function toLetter(row: LetterRow): DeadLetter {
  return {
    id: Number(row.id),
    durable: row.durable,
    stream: row.stream,
    seq: Number(row.stream_seq),
    subject: row.subject,
    headers: row.headers,
    error: row.error,
    attempts: row.attempts,
    entityId: row.entity_id,
    failedAt: row.failed_at.toISOString(),
    settled: row.settled,
    bodyBytes: row.body_bytes,
  };
}

/**
 * `queued`: an event of the service's own, back in its outbox. `stale`: newer events of the entity were applied since, so it changed nothing, and its hooks did
 * not run; of one that hooks still had to hear of they did, and it is `applied`. `refused`: it is still not a valid event; the letter stays as it was.
 */
export type Redriven =
  | { readonly outcome: "applied" | "stale" | "queued" }
  | { readonly outcome: "refused"; readonly reason: string };

/** One dead letter, and what applies it. */
export interface RedriveOptions {
  readonly pool: Pool;
  /** Of the letter's durable, hooks passed in. */
  readonly definition: ConsumerDefinition;
  readonly id: number;
  readonly said?: Settling;
  readonly logger: Logger;
}

/** Applies a stored event by the same path as a delivered one, under its own place in the stream. Rejects with what a hook throws; the letter stays. */
export async function redriveDeadLetter(options: RedriveOptions): Promise<Redriven> {
  for (;;) {
    try {
      return await redriveOnce(options);
    } catch (error) {
      if (!(error instanceof Raced)) throw error;
    }
  }
}

async function redriveOnce({ pool, definition, id, said = {}, logger }: RedriveOptions): Promise<Redriven> {
  const model = buildModel(definition);
  return await inTransaction(pool, async (client) => {
    await client.query("SELECT FROM mesh.dead_letter WHERE id = $1 FOR UPDATE", [id]);
    const letter = await showDeadLetter(client, id);
    if (letter === undefined) return { outcome: "refused", reason: `there is no dead letter ${id}` };
    if (letter.durable !== definition.durable) {
      return {
        outcome: "refused",
        reason: `it is a dead letter of ${letter.durable}, not of ${definition.durable}`,
      };
    }
    if (letter.settled?.as === "discarded")
      return { outcome: "refused", reason: describeSettlement(letter.settled) };
    const message = { ...letter, time: new Date(letter.failedAt) };
    const parsed = parseMessage(model, message, letter.seq);
    if (!parsed.ok) return { outcome: "refused", reason: parsed.rejected.reason };
    const context = { pool, model, logger, origin: "event", settleConflicts: true } as const;
    const applied = await applyEvents(client, context, [parsed.incoming]);
    await recordRedrive(client, id, said);
    return { outcome: applied.fresh > 0 ? "applied" : "stale" };
  });
}
