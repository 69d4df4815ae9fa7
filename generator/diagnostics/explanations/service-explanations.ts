import { type Explanation, explain } from "./explanation.js";

export const serviceExplanations = {
  "unknown-service": explain(
    "The first token of a subject, and whoever a rule or a call names, is a service of this file.",
    "slaes.order.{id}.paid:",
    "sales.order.{id}.paid:",
  ),
  "unknown-database": explain(
    "A service names its database, which is described under `databases`.",
    "database: sale_db",
    "database: sales_db",
  ),
  "unknown-subject": explain(
    "A subscription that matches nothing would receive nothing, and say nothing of it.",
    "subscribes: [auth.usr.*]",
    "subscribes: [auth.user.*]",
  ),
  "foreign-prefix": explain(
    "A service owns the subjects that begin with its name: so it is known, and enforced on the broker, who may publish what.",
    "publishes: [sales.*, auth.session.*]",
    "publishes: [sales.*]",
  ),
  "overlapping-patterns": explain(
    "The wider pattern has everything that the narrower one would add.",
    "publishes: [sales.*, sales.order.*]",
    "publishes: [sales.*]",
  ),
  "several-actions": explain(
    "A consumer is one durable with one filter, so that events of an entity stay in their order. Two filters would be two durables.",
    "subscribes: [sales.order.paid, sales.order.deleted]",
    "subscribes: [sales.order.*]",
  ),
  "plain-subscription": explain(
    "The long form is for a name or for settings. There is one way to say a thing.",
    "- { to: sales.order.paid }",
    "- sales.order.paid",
  ),
  "shared-database": explain(
    "A service owns its database: with two of them nobody could say who may change a table, or whose events its rows tell.",
    "database: auth_db\npublishes: [sales.*]",
    "database: sales_db\npublishes: [sales.*]",
  ),
  "shares-shared": explain(
    "Of the services on one PostgreSQL database one has it, and the others say that they share it.",
    "billing_db:\n  shares: shop_db",
    "billing_db:",
  ),
  "unused-database": explain("Nobody would migrate it, or run on it.", "attic_db: {}"),
  "service-without-database": explain(
    "Events are written in the transaction of the rows that they tell of, resources are tables, and rules change rows: each needs a database. A service of hooks alone needs none, and says what it `subscribes` to.",
    "auth:\n  publishes: [auth.user.*]\n  http:",
    "auth:\n  database: auth_db\n  publishes: [auth.user.*]\n  http:",
  ),
  "external-service": explain(
    "Nothing is generated for an external service but its messages, so there is nothing that the setting could change.",
    "http: { port: 8090 }",
  ),
  "not-external": explain(
    "A generated service speaks the documented protocol. The key says what somebody else's messages do otherwise.",
    "monitor:\n  envelope: none",
    "monitor:",
  ),
  "envelope-has-it": explain(
    "Each envelope tells some of these by itself. Saying it again would have no effect, or a second meaning.",
    "type: described",
  ),
  "two-entity-ids": explain("A message is about one entity. Two places for its id could differ.", "id: name"),
  "no-entity-id": explain(
    "The order of events, copies and rules all go by the entity's id. A message that tells none could not be put into any order.",
    "subject: gateways.seen",
    "subject: gateways.{id}.seen",
  ),
  "id-field": explain(
    "The id is read from every message, so the field has to be there, and be a value that can be compared as a text.",
    "event_id: readin",
    "event_id: reading",
  ),
  "same-subject": explain(
    "A message arrives with its subject alone. Where two events could have it, nobody knows which schema it has to meet.",
    "subject: m.greenhouse.c.{id}.>",
    "subject: m.greenhouse.c.{id}.telemetry.>",
  ),
  "overlapping-subjects": explain(
    "JetStream stores a message in one stream. Streams with subjects in common are refused by the broker.",
    "subject: shop.events.gateways",
    "subject: gateways.seen",
  ),
  "duplicate-port": explain(
    "`mesh dev` runs all services on one machine, where one port is one service's.",
    "port: 8081\nresources: { /api/orders: orders }",
    "port: 8082\nresources: { /api/orders: orders }",
  ),
  "duplicate-source": explain(
    "`metadata.source` tells readers of a message who sent it.",
    "source: auth-service",
    "source: sales-service",
  ),
  "call-of-copy": explain(
    "A copy follows its owner, and a view its tables: what somebody wrote into it would be lost or overwritten.",
    "sales: { /api/people: [get, patch] }",
    "sales: { /api/people: [get] }",
  ),
  "overlapping-path": explain(
    "Below a resource's path stand the keys of its rows: the last part would be taken for one.",
    "resources: { /api/users: users, /api/users/vip: users }",
    "resources: { /api/users: users, /api/vip-users: users }",
  ),
  "setting-without-effect": explain(
    "A setting that changes nothing hides that what it seems to say does not hold.",
    "delivery: { attempts: 3 }",
  ),
  "unused-pattern": explain(
    "Nothing is published under it yet. A misspelt pattern looks the same.",
    "publishes: [sales.order.*, sales.invoice.*]",
    "publishes: [sales.order.*]",
  ),
  "stream-too-short": explain(
    "A message has to be there for as long as it may still be tried, or known as a duplicate.",
    "streams: { max_age: 20s, duplicate_window: 1m }",
    "streams: { max_age: 7d, duplicate_window: 1m }",
  ),
  "tombstones-too-short": explain(
    "A deletion is remembered so that a late message cannot bring the entity back. It has to be remembered for as long as messages are kept.",
    "streams: { max_age: 7d, tombstones: 2d }",
    "streams: { max_age: 7d, tombstones: 90d }",
  ),
  "stream-too-small": explain(
    "The stream would refuse, or drop at once, whatever is published.",
    "streams: { max_bytes: 100B }",
    "streams: { max_bytes: 64MiB }",
  ),
  "stream-below-largest-message": explain(
    "The broker takes larger messages than the stream has room for: such an event would be tried for ever, and those of its entity wait behind it.",
    "streams: { max_bytes: 64KiB }",
    "streams: { max_bytes: 64MiB }",
  ),
  "batch-exceeds-pending": explain(
    "The broker hands out no more messages while so many wait for their acks. A larger batch would wait for its time-out each time.",
    "delivery: { batch: 500, max_ack_pending: 100 }",
    "delivery: { batch: 50, max_ack_pending: 100 }",
  ),
  "short-retention": explain(
    'Hooks alone hear these events, and no snapshot brings what they miss: a service that is away for longer than the stream keeps its messages has lost them. A service that keeps a copy with "sync" is not warned of: when it is back, a snapshot fills its copy, applies its rules and calls its hooks for what was missed; several updates of one row come as one. Nor is one whose entity the owner serves: a snapshot tells its rules and hooks what exists. Of an external service it is not known what it does when it is back; where it calls the owner ("calls"), it can read what it missed.',
    "stream: { max_age: 10m }",
    "stream: { max_age: 7d }",
  ),
  "retries-outlast-stream": explain(
    "What is tried for longer than its stream keeps it is gone before the last attempt: no dead letter tells of it.",
    "mail: { subscribes: [auth.user.*], delivery: { attempts: 30, backoff: [1m, 1h] } }",
    "mail: { subscribes: [auth.user.*], delivery: { attempts: 5, backoff: [1m, 1h] } }",
  ),
  "unused-service": explain(
    "It was forgotten, or is still to come: nothing in the file joins it to the others.",
    "bank: { external: true }",
  ),
  "idle-subscription": explain(
    "Messages are delivered and acknowledged for nothing. A copy, a rule or a hook was meant to be there.",
    "copies: { database: copies_db, subscribes: [auth.user.*, auth.role.*] }",
    "copies: { database: copies_db, subscribes: [auth.user.*] }",
  ),
} satisfies Readonly<Record<string, Explanation>>;
