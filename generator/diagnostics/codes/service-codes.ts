import type { Envelope } from "../../vocabulary/envelopes.js";
import { error, misnamed, missingName, warning } from "../definition.js";
import { type Known, namesOf } from "../known.js";

/** What a service has its database for. */
const databaseUses = {
  events: ": its events are written there, in the transaction that they tell of",
  resources: ", and its resources are tables",
  cascades: ", and its cascades change rows",
  use: ", and hears nothing",
} as const;

/** Services, what they own and what they hear. */
export const serviceCodes = {
  "unknown-service": missingName(
    (p: { name: string; known: Known }) => `there is no service "${p.name}"`,
    (p) => `the services are ${namesOf(p.known)}`,
  ),
  "unknown-database": missingName(
    (p: { name: string }) => `there is no database "${p.name}"`,
    (p) => `declare it under "databases: ${p.name}:"`,
  ),
  "unknown-subject": misnamed(
    (p: { service: string; pattern: string }) =>
      `"${p.service}" subscribes to "${p.pattern}", which no service publishes`,
    () => 'a pattern must match at least one subject under "subjects"',
  ),
  "foreign-prefix": error(
    (p: { service: string; pattern: string; prefix: string; isService: boolean }) =>
      p.isService
        ? `"${p.service}" cannot publish "${p.pattern}", which belongs to the service "${p.prefix}"`
        : `"${p.service}" cannot publish "${p.pattern}": its subjects start with "${p.service}."`,
    (p) =>
      p.isService
        ? `the subjects of "${p.service}" start with "${p.service}."`
        : `publish "${p.pattern.replace(p.prefix, p.service)}", or call the service "${p.prefix}"`,
  ),
  "overlapping-patterns": error(
    (p: { pattern: string; other: string }) => `"${p.pattern}" is already covered by "${p.other}"`,
    () => "remove one of them",
  ),
  "several-actions": error(
    (p: { pattern: string; other: string; entity: string }) =>
      `"${p.pattern}" and "${p.other}" are two actions of one entity; a consumer hears one of them, or all`,
    (p) =>
      `write "${p.entity}.*" for both: an action without a hook changes nothing; or "{ to: ${p.pattern}, name: … }" for a consumer of its own`,
  ),
  "plain-subscription": error(
    (p: { pattern: string }) => `this says no more than "${p.pattern}"`,
    (p) => `write "${p.pattern}", or say its "name" or its "delivery"`,
  ),
  "shared-database": error(
    (p: { database: string; first: string; second: string }) =>
      `"${p.first}" and "${p.second}" both use the database "${p.database}"; each service owns its own`,
  ),
  "shares-shared": error(
    (p: { database: string; host: string | undefined }) =>
      p.host === undefined
        ? `"${p.database}" shares this one in turn: neither is a PostgreSQL database`
        : `"${p.database}" is no PostgreSQL database of its own: it shares "${p.host}"`,
    (p) => (p.host === undefined ? 'leave "shares" out of one of them' : `write "shares: ${p.host}"`),
  ),
  "unused-database": error(
    (p: { database: string }) => `no service uses the database "${p.database}"`,
    (p) => `give one "database: ${p.database}", or remove it`,
  ),
  "service-without-database": error(
    (p: { service: string; lacks: "events" | "resources" | "cascades" | "use" }) =>
      `"${p.service}" has no database${databaseUses[p.lacks]}`,
    (p) =>
      p.lacks === "use"
        ? 'add "database", or "subscribes" for a service of hooks alone, or "external: true" if the service is written by hand elsewhere'
        : 'add "database", or "external: true" if the service is written by hand elsewhere',
  ),
  "external-service": error(
    (p: { service: string; key: string }) =>
      `"${p.service}" is external, so nothing is generated that "${p.key}" could configure`,
    (p) => `remove "${p.key}", or "external: true"`,
  ),
  "not-external": error(
    (p: { service: string; key: string }) =>
      `"${p.key}" says what an external service does otherwise, and "${p.service}" is generated`,
    (p) => `remove "${p.key}"`,
  ),
  "envelope-has-it": error(
    (p: { key: "type" | "id" | "event_id"; envelope: Envelope }) =>
      p.key === "type"
        ? `only CloudEvents have a "type", and the envelope of this service is "${p.envelope}"`
        : `the envelope "${p.envelope}" tells the ${p.key === "id" ? "entity's" : "event's"} id, so "${p.key}" would have no effect`,
    (p) =>
      p.key === "type" ? 'say "envelope: cloudevents" at the service, or remove "type"' : `remove "${p.key}"`,
  ),
  "two-entity-ids": error(
    (p: { field: string; subject: string }) =>
      `both "{id}" in "${p.subject}" and the field "${p.field}" would tell the entity's id`,
    () => 'remove "id", or write "*" for the token',
  ),
  "no-entity-id": error(
    (p: { subject: string }) => `nothing in "${p.subject}" or its message tells which entity it is about`,
    () => 'write "{id}" for the token that does, or name the field: "id: <field>"',
  ),
  "id-field": error(
    (p: { field: string; event: string }) =>
      `"${p.event}" has no field "${p.field}" that is a text or a whole number, and always there`,
    () => "name a string, nanoid, uuid, integer or bigint of its payload that is not optional",
  ),
  "same-subject": error(
    (p: { subject: string; other: string }) => `a message of "${p.subject}" could be "${p.other}" as well`,
    () => 'tell them apart by their subjects, or CloudEvents by their "type"',
  ),
  "overlapping-subjects": error(
    (p: { subject: string; owner: string; other: string }) =>
      `"${p.subject}" overlaps with "${p.other}" of "${p.owner}", and no message can be in two streams`,
    () => "write more literal tokens",
  ),
  "duplicate-port": error(
    (p: { port: number; first: string; second: string }) =>
      `"${p.first}" and "${p.second}" both listen on port ${p.port}`,
  ),
  "duplicate-source": error(
    (p: { source: string; first: string; second: string }) =>
      `the events of "${p.first}" and "${p.second}" would carry the same source "${p.source}"`,
  ),
  "call-of-copy": error(
    (p: { verb: string; path: string; service: string; entity: string | undefined }) =>
      `"${p.path}" of "${p.service}" is a ${p.entity === undefined ? "view" : `copy of "${p.entity}"`}, which can only be read: there is no "${p.verb}"`,
    (p) =>
      p.entity === undefined ? "write to the tables that it shows" : "call the service that owns the entity",
  ),
  "overlapping-path": error(
    (p: { path: string; other: string }) => `"${p.path}" would be read as a row of "${p.other}"`,
  ),
  "setting-without-effect": error(
    (p: { key: string; reason: string }) => `"${p.key}" has no effect: ${p.reason}`,
    (p) => `remove "${p.key}"`,
  ),
  "unused-pattern": warning(
    (p: { service: string; pattern: string }) =>
      `"${p.service}" publishes "${p.pattern}", but no subject matches it`,
    () => 'add the subject under "subjects", or remove the pattern',
  ),
  "stream-too-short": error(
    (p: { what: string; is: number; maxAge: number; reason: string }) =>
      `${p.what} is ${p.is} s, but messages are kept for ${p.maxAge} s: ${p.reason}`,
    () => 'raise "max_age", or lower the other',
  ),
  "tombstones-too-short": error(
    (p: { is: number; maxAge: number; owner: string }) =>
      `deletions are remembered for ${p.is} s, but messages of "${p.owner}" are kept ${p.maxAge === 0 ? "for ever" : `for ${p.maxAge} s`}: a late one would bring the deleted back`,
    () => 'let "tombstones" be at least "max_age"; 0 remembers them for ever',
  ),
  "stream-too-small": error(
    (p: { size: string }) => `a stream of ${p.size} has no room for one event`,
    () => 'write at least "1MiB", the largest message that nats-server takes by default',
  ),
  "stream-below-largest-message": warning(
    (p: { size: string }) => `an event of more than ${p.size} would never leave the outbox`,
    () => 'write at least "1MiB", the largest message that nats-server takes by default',
  ),
  "batch-exceeds-pending": error(
    (p: { batch: number; pending: number }) =>
      `a batch of ${p.batch} can never fill: the broker stops at ${p.pending} unacknowledged messages`,
    () => 'let "max_ack_pending" be at least twice the batch for each replica',
  ),
  "retries-outlast-stream": warning(
    (p: { service: string; owner: string; takes: string; kept: string }) =>
      `"${p.service}" tries for ${p.takes} at what "${p.owner}" keeps for ${p.kept}: it is gone before the last attempt, and no dead letter is left`,
    () => 'raise "max_age", or lower "attempts" or "backoff"',
  ),
  "unused-service": warning(
    (p: { service: string }) =>
      `"${p.service}" says, hears, keeps and serves nothing: it has no part in the mesh`,
    () => 'say what it "publishes", "subscribes" to or serves ("http"), or remove it',
  ),
  "idle-subscription": warning(
    (p: {
      service: string;
      pattern: string;
      hook: string | undefined;
      /** Name of the consumer. */
      consumer: string | undefined;
    }) =>
      p.consumer === undefined
        ? `nothing comes of what "${p.service}" hears of "${p.pattern}": no copy, no rule and no hook uses it`
        : `nothing comes of what "${p.consumer}" hears of "${p.pattern}": "${p.service}" has no hook for it`,
    ({ service, consumer, hook = "a hook" }) =>
      consumer === undefined
        ? `write "${hook}" into hooks/${service}.ts, keep a copy, or remove the subscription`
        : `write "${consumer}: { ${hook}(…) { … } }" into hooks/${service}.ts, or remove the subscription`,
  ),
  "short-retention": warning(
    (p: { owner: string; service: string; pattern: string; kept: string }) =>
      `"${p.service}" may be away for no longer than ${p.kept}: what "${p.owner}" says of "${p.pattern}" in the meantime is lost, and no snapshot brings it`,
    () => 'raise "max_age": the default is 7d',
  ),
};
