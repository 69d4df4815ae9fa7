import type { Pool } from "pg";
import {
  describeSettlement,
  type Redriven,
  recordRedrive,
  redriveDeadLetter,
  type Settling,
  showDeadLetter,
} from "../consumer/dead-letters.js";
import { inTransaction } from "../database/transaction.js";
import type { Logger } from "../definition/hook-definition.js";
import type { ServiceDefinition } from "../definition/service-definition.js";
import { consumersOf } from "../inbox/every-event.js";
import { createAdmission } from "../outbox/admission.js";
import { OUTBOX_LETTERS } from "./figures.js";

/** One dead letter, and the service that it is of. */
export interface RedriveLetterOptions {
  /** With its hooks, which run as in the service. */
  readonly definition: ServiceDefinition;
  readonly pool: Pool;
  /** For the start hook, which runs first. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly id: number;
  readonly said?: Settling;
  readonly logger: Logger;
}

/**
 * Puts an event of the service's own back into its outbox, with its id and version. Where a newer event of the entity was published
 * since, subscribers ignore this one as stale.
 */
async function queueAgain({ pool, definition, id, said = {} }: RedriveLetterOptions): Promise<Redriven> {
  const refusalOf = createAdmission(definition);
  return await inTransaction(pool, async (client) => {
    await client.query("SELECT FROM mesh.dead_letter WHERE id = $1 FOR UPDATE", [id]);
    const letter = await showDeadLetter(client, id);
    if (letter === undefined) return { outcome: "refused", reason: `there is no dead letter ${id}` };
    if (letter.settled !== null) return { outcome: "refused", reason: describeSettlement(letter.settled) };
    const error = refusalOf({ subject: letter.subject, body: letter.body.toString("utf8") });
    if (error !== undefined) {
      const reason = `${definition.name} may not publish it: ${error}; discard it, or let the mesh allow it, and redrive then`;
      return { outcome: "refused", reason };
    }
    await client.query(
      `INSERT INTO mesh.outbox (event_id, subject, entity, entity_id, version, body, headers)
SELECT (headers ->> 'Nats-Msg-Id')::uuid, subject, entity, entity_id,
       (pg_catalog.convert_from(body, 'UTF8')::json #>> '{metadata,version}')::bigint, pg_catalog.convert_from(body, 'UTF8'),
       nullif(headers - 'Nats-Msg-Id', '{}')
FROM mesh.dead_letter WHERE id = $1`,
      [id],
    );
    await recordRedrive(client, id, said);
    await client.query("SELECT pg_catalog.pg_notify('mesh_outbox', '')");
    return { outcome: "queued" };
  });
}

/** Applies a dead letter in this process, or puts one of the outbox back. The service may run meanwhile. */
export async function redriveLetter(options: RedriveLetterOptions): Promise<Redriven> {
  const { definition, pool, env, id, logger } = options;
  const letter = await showDeadLetter(pool, id);
  if (letter === undefined) return { outcome: "refused", reason: `there is no dead letter ${id}` };
  if (letter.durable === OUTBOX_LETTERS) return await queueAgain(options);
  const consumer = consumersOf(definition).find(({ durable }) => durable === letter.durable);
  if (consumer === undefined) {
    const reason = `it is of the consumer ${letter.durable}, which ${definition.name} no longer has`;
    return { outcome: "refused", reason };
  }
  await definition.start?.({ env, logger });
  return await redriveDeadLetter({ ...options, definition: consumer });
}
