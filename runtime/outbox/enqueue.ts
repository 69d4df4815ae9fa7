import { randomUUID } from "node:crypto";
import { hasState } from "../database/database-errors.js";
import { inMeshSchema, MESH } from "../database/mesh-schema.js";
import type { EventDefinition, Metadata, ValidationError } from "../definition/event-definition.js";
import type { Tx } from "../definition/hook-definition.js";
import { subjectOf } from "../subject.js";
import { activeTraceparent } from "../telemetry/active-span.js";
import { inCreateSpan } from "../telemetry/spans.js";
import { printJson } from "../values/json-text.js";
import { describeErrors } from "../values/validation.js";

/** An event for the outbox. */
export interface EventToEnqueue {
  /** `metadata.source`: `auth-service`. */
  readonly source: string;
  readonly service: string;
  readonly event: EventDefinition;
  readonly entityId: string;
  readonly payload: object;
  /** Schema of the mesh's tables of the service. Default `mesh`. */
  readonly meshSchema?: string | undefined;
}

/** The event is larger than the broker accepts. The transaction has failed with it: its row must not commit without it. */
export class EventTooLarge extends Error {
  override readonly name = "EventTooLarge";
}

/** The event breaks its own schema: no subscriber would accept it. Nothing was written. */
export class InvalidEvent extends Error {
  override readonly name = "InvalidEvent";
  constructor(
    message: string,
    readonly errors: readonly ValidationError[],
  ) {
    super(message);
  }
}

/**
 * What the triggers do, in one statement: takes the entity's next version (its counter stays locked until
 * commit, which orders the events of one entity), writes the row, and wakes the relay. What has one row is a subquery: joined, it would
 * count for thousands until it is analyzed, and PostgreSQL would plan the statement anew for each event.
 */
const ENQUEUE = `
WITH next AS MATERIALIZED (
    SELECT mesh.next_version($1, $2) AS version
), event AS MATERIALIZED (
    SELECT next.version, mesh.message($3::uuid, $2, $4, next.version, $5) AS body FROM next
), written AS (
    INSERT INTO mesh.outbox (event_id, subject, entity, entity_id, version, body, headers)
    SELECT $3::uuid, $6, $1, $2, version,
           CASE WHEN pg_catalog.octet_length(body) <= (SELECT max_event_bytes FROM mesh.broker) THEN body
                ELSE mesh.refuse_event($6, pg_catalog.octet_length(body), (SELECT max_event_bytes FROM mesh.broker)) END,
           CASE WHEN $7::text IS NULL THEN mesh.cause()
                ELSE coalesce(mesh.cause(), '{}') || pg_catalog.jsonb_build_object('traceparent', $7::text) END
    FROM event
    RETURNING 1
)
SELECT CASE WHEN (SELECT notify_suppressed FROM mesh.relay) THEN NULL ELSE pg_catalog.pg_notify('mesh_outbox', '') END
FROM written`;

/**
 * Writes one event to the outbox within the caller's transaction: it leaves once that commits, or never.
 * Rejects with `InvalidEvent` for one that breaks its schema, and with `EventTooLarge` for one that the broker would not take.
 */
export async function enqueueEvent(tx: Tx, outgoing: EventToEnqueue): Promise<void> {
  const { source, service, event, entityId, payload, meshSchema = MESH } = outgoing;
  const { entity, action } = event;
  const subject = subjectOf({ service, entity, id: entityId, action });
  const eventId = randomUUID();
  const fields = printPayload(event, payload);
  refuseInvalid(event, { event_id: eventId, entity_id: entityId, timestamp: 0, source }, fields);
  const kind = `${service}.${entity}`;
  const values = [kind, entityId, eventId, source, `{${fields.join(",")}}`, subject];
  const text = inMeshSchema(ENQUEUE, meshSchema);
  // Of several schemas on one connection each has its own. A name has 63 bytes.
  const name = `enqueue ${meshSchema}`.slice(0, 63);
  try {
    await inCreateSpan(`${kind}.{id}.${action}`, undefined, () =>
      tx.query({ name, text, values: [...values, activeTraceparent()] }),
    );
  } catch (cause) {
    // Raised by mesh.refuse_event.
    if (!hasState(cause, "program_limit_exceeded")) throw cause;
    throw new EventTooLarge(`${event.name} of ${JSON.stringify(entityId)}: ${cause.message}`, { cause });
  }
}

/** Validates the event as its subscribers will see it: a date, for one, is a text by then. */
function refuseInvalid(
  { name, validate }: EventDefinition,
  metadata: Metadata,
  fields: readonly string[],
): void {
  const members = [`"metadata":${JSON.stringify(metadata)}`, ...fields];
  const message: unknown = JSON.parse(`{${members.join(",")}}`);
  if (validate(message)) return;
  const reason = describeErrors(validate.errors);
  throw new InvalidEvent(
    `${name} of ${JSON.stringify(metadata.entity_id)}: ${reason}`,
    validate.errors ?? [],
  );
}

/** The members of the payload as JSON, in the order of the wire. */
function printPayload({ name, fields }: EventDefinition, payload: object): readonly string[] {
  const values = new Map<string, unknown>(Object.entries(payload));
  const members: string[] = [];
  for (const field of fields) {
    const value = printJson(values.get(field));
    if (value !== undefined) members.push(`${JSON.stringify(field)}:${value}`);
    values.delete(field);
  }
  const [unknown] = values.keys();
  if (unknown !== undefined) throw new TypeError(`${name} has no field ${JSON.stringify(unknown)}`);
  return members;
}
