import { type Explanation, explain } from "./explanation.js";

export const languageExplanations = {
  "unknown-key": explain(
    "A key that nobody reads would silently have no effect. docs/language.md lists those that there are.",
    "colums:",
    "columns:",
  ),
  "missing-key": explain(
    "Without it there is nothing to generate from, and no default would be right for everybody.",
    "sales.order.{id}.paid:\n  emit: { table: orders, on: update, when: { status: paid } }",
    "sales.order.{id}.paid:\n  event: OrderPaid\n  emit: { table: orders, on: update, when: { status: paid } }",
  ),
  "wrong-type": explain(
    "Each key takes one kind of value, so that a text is never guessed to be a number, or a list of one a single thing.",
    'port: "8081"',
    "port: 8081",
  ),
  "out-of-range": explain(
    "The value has the right kind, and means nothing beyond these bounds.",
    "port: 80810",
    "port: 8081",
  ),
  "duration-out-of-range": explain(
    "The broker or a timer cannot count a shorter or longer time.",
    "streams: { max_age: 10ms, duplicate_window: 0 }",
    "streams: { max_age: 7d, duplicate_window: 2m }",
  ),
  "unknown-type": explain(
    "Types are those of the tables in docs/language.md. Words of other tools are answered with the one that is meant.",
    "total: intger",
    "total: integer",
  ),
  "unknown-value": explain(
    "The key takes one of a few words, and this is none of them.",
    "emit: { table: users, on: inserted }",
    "emit: { table: users, on: insert }",
  ),
  "invalid-name": explain(
    "Names become identifiers of SQL, TypeScript and NATS. What one of them would have to quote or escape is refused here.",
    "to.tal: integer",
    "total: integer",
  ),
  "malformed-subject": explain(
    "A subject has four tokens: the service, the entity, the place of its id, which is written {id}, and what happened.",
    "sales.order.{order_id}.paid:",
    "sales.order.{id}.paid:",
  ),
  "malformed-template": explain(
    "An external owner's subject is matched token by token, and one token at most tells the id.",
    "subject: m.{id}.c.{id}.description",
    "subject: m.*.c.{id}.description",
  ),
  "malformed-pattern": explain(
    "A pattern names a service, an entity or one action, and leaves the id out. NATS's own wildcards would match something else.",
    'subscribes: ["auth.user.>"]',
    "subscribes: [auth.user.*]",
  ),
  "malformed-reference": explain(
    "A column of a rule is named with its table.",
    "- { on: auth.user.deleted, service: sales, set_null: buyer_id }",
    "- { on: auth.user.deleted, service: sales, set_null: orders.buyer_id }",
  ),
  "malformed-path": explain(
    "A path begins with a slash, and holds nothing that a URL would have to escape.",
    "sync: { from: auth, get: api/users }",
    "sync: { from: auth, get: /api/users }",
  ),
  "malformed-header": explain(
    "HTTP allows letters, digits and hyphens in the name of a header.",
    'sync: { from: auth, get: /api/users, header: "x key" }',
    "sync: { from: auth, get: /api/users }",
  ),
  "invalid-duration": explain(
    "Without its unit a number is a guess: seconds here, milliseconds there.",
    "delivery: { ack_wait: 30 seconds }",
    "delivery: { ack_wait: 30s }",
  ),
  "invalid-size": explain(
    "Sizes are binary: a GB is read as 10^9 bytes by some and as 2^30 by others, and a GiB by all alike.",
    "stream: { max_bytes: 1GB }",
    "stream: { max_bytes: 1GiB }",
  ),
  "too-many": explain("PostgreSQL has a limit here, at which a migration would fail."),
  "reserved-name": explain(
    "The runtime, PostgreSQL or the generated code has the name for something else.",
    'environment: { NATS_URL: "nats://localhost", MIGRATE: "later" }',
    'environment: { OTHER_NATS_URL: "nats://localhost" }',
  ),
  "name-too-long": explain(
    "PostgreSQL cuts names at 63 bytes, without a word: two long ones would become the same.",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:",
    "short_name:",
  ),
  "name-collision": explain(
    "Names that differ only in what other languages do not keep, such as a second underscore, would come out as one and the same.",
    "user__cache:",
    "user_archive:",
  ),
  "malformed-ignore": explain(
    "An ignore says which warning is meant and why it is right as it is, for whoever reads the line next.",
    "auth: { database: auth_db, publishes: [auth.*] }   # mesh-ignore",
    "auth: { database: auth_db, publishes: [auth.*] }",
  ),
  "unknown-code": explain(
    "Only warnings can be ignored, each by its own code. An error is never right as it is.",
    "auth: { database: auth_db, publishes: [auth.*] }   # mesh-ignore invalid-name: it is short",
    "auth: { database: auth_db, publishes: [auth.*] }",
  ),
  "unused-ignore": explain(
    "An ignore that silences nothing would hide a warning that comes later. It counts for its own line, or for the next one where it has its line to itself.",
    "# mesh-ignore default-once: two lines above what it means",
  ),
} satisfies Readonly<Record<string, Explanation>>;
