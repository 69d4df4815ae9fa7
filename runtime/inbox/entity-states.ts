import type { PoolClient } from "pg";
import type { Tx } from "../definition/hook-definition.js";
import { NO_CAUSE } from "../telemetry/transaction-cause.js";
import { compareBytes } from "../text/byte-order.js";
import { arrayLiteral } from "../values/array-literal.js";
import { Raced } from "./apply-errors.js";
import type { EntityState } from "./order.js";

/*
 * The rows of `mesh.applied`: what is known of each entity, read, locked and written.
 */

const READ_STATES = `SELECT entity_id, version, versioned, deleted, stream_seq FROM mesh.applied
WHERE entity = $1 AND entity_id = ANY ($2::text[]) ORDER BY entity_id`;

/** Existing states, locked in order of id, so that two replicas cannot lock each other out. */
const LOCK_STATES = `${READ_STATES} FOR UPDATE`;

/**
 * Writes states, $1 the entity. Counts the rows that did not exist before, by xmax, which is
 * 0 in a row that was inserted and our own transaction's id in one that was locked for the update.
 */
const WRITE_STATES = `WITH written AS (
  INSERT INTO mesh.applied AS state (entity, entity_id, version, versioned, deleted, stream_seq)
  SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::boolean[], $5::boolean[], $6::bigint[])
  ON CONFLICT (entity, entity_id) DO UPDATE SET version = excluded.version, versioned = excluded.versioned,
    deleted = excluded.deleted, stream_seq = excluded.stream_seq
  RETURNING (state.xmax = 0) AS added
) SELECT count(*) FILTER (WHERE added)::integer AS added, mesh.set_cause($7) FROM written`;

export async function lockStates(
  client: PoolClient,
  entity: string,
  ids: readonly string[],
): Promise<Map<string, EntityState>> {
  return await selectStates(client, LOCK_STATES, [entity, arrayLiteral(ids)]);
}

/** Without a lock: another replica may change them at any moment. */
export async function readStates(
  tx: Tx,
  entity: string,
  ids: readonly string[],
): Promise<Map<string, EntityState>> {
  return await selectStates(tx, READ_STATES, [entity, arrayLiteral(ids)]);
}

type StateRow = [
  id: string,
  version: string | null,
  versioned: boolean,
  deleted: boolean,
  seq: string | null,
];

async function selectStates(tx: Tx, text: string, values: string[]): Promise<Map<string, EntityState>> {
  const { rows } = await tx.query<StateRow>({ text, values, rowMode: "array" });
  return new Map(
    rows.map(([id, version, versioned, deleted, seq]) => [
      id,
      { version: toNumber(version), versioned, deleted, seq: toNumber(seq) },
    ]),
  );
}

function toNumber(text: string | null): number | null {
  return text === null ? null : Number(text);
}

/**
 * Writes rows of `mesh.applied`, in the transaction of the effects that they stand for. So the table promises: an event
 * that is not newer than its entity's row has had its effect, or never may; and a deleted entity stays deleted for as long
 * as its row is kept.
 *
 * Writes states in order of id. Call it alone and first: it waits for transactions that attach rows to these entities, and the
 * statements of the cascades then see those rows. Sets the cause of the transaction by the way. Rejects with `Raced` when another transaction wrote a new state first.
 */
export async function writeStates(
  client: PoolClient,
  entity: string,
  states: ReadonlyMap<string, EntityState>,
  { known, cause = NO_CAUSE }: { readonly known: Map<string, EntityState>; readonly cause?: string },
): Promise<void> {
  const ids = [...states.keys()].sort(compareBytes);
  const column = (pick: (state: EntityState) => unknown) =>
    arrayLiteral(
      ids.map((id) => {
        const state = states.get(id);
        return state === undefined ? null : pick(state);
      }),
    );
  const { rows } = await client.query<{ added: number }>(WRITE_STATES, [
    entity,
    arrayLiteral(ids),
    column((state) => state.version),
    column((state) => state.versioned),
    column((state) => state.deleted),
    column((state) => state.seq),
    cause,
  ]);
  const expected = ids.filter((id) => !known.has(id)).length;
  if (rows[0]?.added !== expected)
    throw new Raced("two transactions wrote the first state of an entity at once");
  for (const [id, state] of states) known.set(id, state);
}
