import type { Pool } from "pg";
import { SETTLED, type Settlement } from "../consumer/dead-letters.js";
import { isCanonicalId, keyColumns, keyIs, keyParameters } from "../database/key.js";
import { relationOf } from "../database/relation.js";
import { livingRows } from "../database/soft-deletion.js";
import type { ServiceDefinition } from "../definition/service-definition.js";
import type { TableDefinition } from "../definition/table-definition.js";
import { splitId } from "../values/entity-id.js";
import { OUTBOX_LETTERS } from "./figures.js";

/*
 * One entity at its owner: the row, and the events of it that have not left. Times are ISO 8601.
 */

/** Whether a table has a row. `softly deleted`: for SQL alone. */
export type RowStanding = "there" | "softly deleted" | "missing";

/** An event that is committed and not yet published. */
export interface WaitingEvent {
  readonly seq: number;
  readonly eventId: string;
  readonly subject: string;
  readonly version: number;
  readonly ageSeconds: number;
  /** Rows of the outbox before it. */
  readonly behind: number;
  readonly causationId: string | null;
}

/** An event that its relay must not publish. */
export interface RefusedEvent {
  readonly id: number;
  readonly subject: string;
  readonly error: string;
  readonly failedAt: string;
  /** Null while it waits for an operator; else that it was discarded. */
  readonly settled: Settlement | null;
}

/** A moment at which the row will mean an event. */
export interface ComingMoment {
  readonly event: string;
  readonly dueAt: string;
  readonly attempts: number;
  readonly lastError: string | null;
}

/** What the owner's database knows of one entity. */
export interface OwnerTrace {
  /** Undefined where no table of the service is the entity's. */
  readonly table?: string;
  readonly row?: RowStanding;
  /** Of its last event; null where it never had one, or its counter is forgotten. */
  readonly version: number | null;
  readonly waiting: readonly WaitingEvent[];
  readonly refused: readonly RefusedEvent[];
  readonly moments: readonly ComingMoment[];
}

const WAITING = `SELECT seq::double precision AS seq, event_id::text AS "eventId", subject, version::double precision AS version,
  greatest(0, extract(epoch FROM pg_catalog.clock_timestamp() - created_at))::double precision AS "ageSeconds",
  (SELECT count(*) FROM mesh.outbox AS before WHERE before.seq < waiting.seq)::double precision AS behind,
  headers ->> 'Mesh-Causation-Id' AS "causationId"
FROM mesh.outbox AS waiting`;

/** `entity`: `auth.user`. The service need not run. */
export async function traceOwner(
  pool: Pool,
  { tables, moments }: ServiceDefinition,
  { entity, id }: { readonly entity: string; readonly id: string },
): Promise<OwnerTrace> {
  const name = entity.slice(entity.indexOf(".") + 1);
  const table = tables.find((one) => one.entity === name && one.cacheOf === undefined);
  const versions = await pool.query<{ version: number }>(
    "SELECT version::double precision AS version FROM mesh.entity_version WHERE entity = $1 AND entity_id = $2",
    [entity, id],
  );
  const waiting = await pool.query<WaitingEvent>(
    `${WAITING} WHERE entity = $1 AND entity_id = $2 ORDER BY seq LIMIT 20`,
    [entity, id],
  );
  const refused = await pool.query<RefusedEvent>(
    `SELECT id::double precision AS id, subject, error, ${isoTime("failed_at")} AS "failedAt", ${SETTLED} AS settled FROM mesh.dead_letter
WHERE durable = $3 AND entity = $1 AND entity_id = $2 AND settled_as IS DISTINCT FROM 'redriven' ORDER BY id LIMIT 20`,
    [entity, id, OUTBOX_LETTERS],
  );
  return {
    ...(table === undefined ? {} : { table: table.name, row: await rowStanding(pool, table, id) }),
    version: versions.rows[0]?.version ?? null,
    waiting: waiting.rows,
    refused: refused.rows,
    moments: moments === true && table !== undefined ? await momentsOf(pool, table, { entity, id }) : [],
  };
}

/** Events that are committed and not yet published, by the id of the event, or of the one that caused them. */
export async function findWaiting(
  pool: Pool,
  by: { readonly eventId: string } | { readonly causationId: string },
): Promise<readonly WaitingEvent[]> {
  const [condition, value] =
    "eventId" in by
      ? ["event_id::text = $1", by.eventId]
      : ["headers ->> 'Mesh-Causation-Id' = $1", by.causationId];
  return (await pool.query<WaitingEvent>(`${WAITING} WHERE ${condition} ORDER BY seq LIMIT 100`, [value]))
    .rows;
}

/** Whether a table has the row of an entity. */
export async function rowStanding(pool: Pool, table: TableDefinition, id: string): Promise<RowStanding> {
  const key = keyColumns(table);
  if (!isCanonicalId(key, id)) return "missing";
  const lives = livingRows(table, '"$t"');
  const { rows } = await pool.query<{ lives: boolean }>(
    `SELECT ${lives.length === 0 ? "true" : lives.join(" AND ")} AS lives FROM ${relationOf(table)} AS "$t" WHERE ${keyIs(key, '"$t"', 1)}`,
    [...keyParameters(key, id)],
  );
  if (rows[0] === undefined) return "missing";
  return rows[0].lives ? "there" : "softly deleted";
}

async function momentsOf(
  pool: Pool,
  table: TableDefinition,
  { entity, id }: { readonly entity: string; readonly id: string },
): Promise<readonly ComingMoment[]> {
  const { rows } = await pool.query<ComingMoment>(
    `SELECT event, ${isoTime("due_at")} AS "dueAt", attempts, last_error AS "lastError" FROM mesh.moment
WHERE row_key = $1::text[] AND pg_catalog.starts_with(event, $2) ORDER BY due_at LIMIT 20`,
    [splitId(id, keyColumns(table).length) ?? [], `${entity}.`],
  );
  return rows;
}

/** SQL: a moment as ISO 8601. */
export function isoTime(column: string): string {
  return `pg_catalog.to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}
