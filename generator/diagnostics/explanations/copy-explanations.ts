import { type Explanation, explain } from "./explanation.js";

/** Copies of other services' entities. */
export const copyExplanations = {
  "unknown-entity": explain(
    "A copy is of an entity that some subject speaks of.",
    "cache: auth.users",
    "cache: auth.user",
  ),
  "cache-of-own-entity": explain(
    "The service has the rows themselves.",
    "order_cache:\n  cache: sales.order\n  columns: { order_id: { type: text, key: true } }",
  ),
  "cache-without-subscription": explain(
    "A copy is kept by events, creations, updates and deletions alike.",
    "publishes: [sales.*]",
    "publishes: [sales.*]\nsubscribes: [auth.user.*]",
  ),
  "duplicate-cache": explain(
    "One consumer keeps one copy. What two copies were for is usually a view, or more columns.",
    "people:\n  cache: auth.user\n  columns: { user_id: { type: text, key: true } }",
  ),
  "cache-column-not-carried": explain(
    "The row of the copy is written when the creation arrives: a column that has to have a value has none then.",
    "email: text",
    "email: text?",
  ),
  "cache-column-type": explain(
    "What the message carries would not fit into the column, and the event would become a dead letter.",
    "username: integer",
    "username: text",
  ),
  "from-outside-copy": explain(
    "`from` names the field that fills a column of a copy. Rows of other tables are written by whoever inserts them.",
    "restaurant_id: { type: text, from: restaurantId }",
    "restaurant_id: { type: text }",
  ),
  "unknown-field": explain(
    "No event of the entity has such a field, so the column would stay empty.",
    "columns: { order_id: { type: text, key: true }, place: { type: text, from: restaurantid, null: true } }",
    "columns: { order_id: { type: text, key: true }, place: { type: text, from: restaurantId, null: true } }",
  ),
  "field-not-in-snapshot": explain(
    "A snapshot lists the owner's rows as they are. What an event computes, or showed before, is not among them: after a snapshot the copy would lack it.",
    "before: integer?",
  ),
  "field-of-two-columns": explain(
    "A copy's column is filled by one field, under one meaning in all events.",
    "payload: { order_id: nanoid, party: { from: buyer_id } }",
    "payload: { order_id: nanoid, buyer: { from: buyer_id } }",
  ),
  "cache-key": explain(
    "Rows of a copy are found by the entity's id, which is the owner's key.",
    "username: { type: text, key: true }\nuser_id: text",
    "username: text\nuser_id: { type: text, key: true }",
  ),
  "cache-column-narrower": explain(
    "Whatever the owner may hold will arrive one day. The copy would refuse it, and lack the row.",
    "nickname: { type: text, null: true, unique: true }",
    "nickname: { type: text, null: true }",
  ),
  "cache-reference": explain(
    "A copy follows its owner: a foreign key of its own could refuse a row, or take one along that is there.",
    "manager_id: { type: text, null: true, references: user_cache }",
    "manager_id: { type: text, null: true }",
  ),
  "cache-without-sync": explain(
    "Events tell what happens from now on. What was there before, or was lost, comes with a snapshot of the owner's rows.",
    "user_cache:\n  cache: auth.user",
    "user_cache:\n  cache: auth.user\n  sync: { from: auth, get: /api/users }",
  ),
  "cache-misses-changes": explain(
    "The copy keeps what nothing tells it to change, until a snapshot comes. An event with `when` tells of some rows alone: enough where the copy keeps no others (`where`), or where there is one event for each value.",
    "auth.user.{id}.deleted:\n  event: UserDeleted",
    "auth.user.{id}.updated:\n  event: UserUpdated\n  emit: { table: users, on: update }\n  payload: { user_id: nanoid, username: string }\nauth.user.{id}.deleted:\n  event: UserDeleted",
  ),
  "cache-column-stale": explain(
    "The creation fills the column, and no update does: the copy shows the first value, until a snapshot comes.",
    "event: UserUpdated\nemit: { table: users, on: update }\npayload: { user_id: nanoid, username: string }",
    "event: UserUpdated\nemit: { table: users, on: update }\npayload: { user_id: nanoid, username: string, nickname: string? }",
  ),
  "unsettled-unique": explain(
    "Two entities may swap a unique value, and their events arrive one by one. Until both are there, one row gives way with a placeholder, or NULL. Here neither can, and the event fails until the other one comes.",
    "unique: [[floor, room], [shelf, box]]",
    "indexes: [[floor, room], [shelf, box]]",
  ),
  "cache-column-without-source": explain(
    "Nothing fills the column. It is misspelt, or only a hook is meant to fill it: then it is `local`.",
    "nicknam: { type: text, null: true }",
    "nickname: { type: text, null: true }",
  ),
  "where-without-cache": explain(
    "`where` says which part of an owner's rows a copy keeps. A table of one's own has what is inserted.",
    "where: { status: open }",
  ),
  "invalid-where": explain(
    "Whether a row belongs to the copy is decided from each event, so the column has to be one that events carry, compared as the owner compares it.",
    'where: { user_id: u1, synced_at: "2026-01-01T00:00:00Z", username: 5, nicname: x }',
    "where: { username: a }",
  ),
  "where-not-carried": explain(
    "An event that carries a part of the condition, or none, does not tell whether the row belongs here.",
    "where: { username: a, nickname: b }",
    "where: { username: a }",
  ),
  "reference-to-partial-copy": explain(
    "A row leaves the copy while its entity lives on. The foreign key would take that for a deletion.",
    "buyer_id: { type: text, null: true, references: user_cache, on_delete: set_null }",
    "buyer_id: { type: text, null: true }",
  ),
  "local-outside-copy": explain(
    "`local` marks, in a copy, what no event fills. All columns of another table are such.",
    "total: { type: integer, default: 0, local: true }",
    "total: { type: integer, default: 0 }",
  ),
  "local-key": explain(
    "The key says whose copy the row is.",
    "user_id: { type: text, key: true, local: true }",
    "user_id: { type: text, key: true }",
  ),
  "local-column-carried": explain(
    "An event carries a field of that name: whether it fills the column or not should not have to be guessed.",
    "nickname: { type: text, null: true, local: true }",
    "nickname: { type: text, null: true }",
  ),
  "local-column-required": explain(
    "The event makes the row, and the hook comes after it.",
    "colour: { type: text, local: true }",
    "colour: { type: text, null: true, local: true }",
  ),
  "sync-without-cache": explain(
    "A snapshot fills a copy. Of whom it is one, the table does not say.",
    "user_cache:\n  sync: { from: auth, get: /api/users }",
    "user_cache:\n  cache: auth.user\n  sync: { from: auth, get: /api/users }",
  ),
  "sync-source": explain(
    "Only the owner knows which rows there are.",
    "sync: { from: sales, get: /api/orders }",
    "sync: { from: auth, get: /api/users }",
  ),
  "unknown-resource": explain(
    "A snapshot, or a call, asks for a path that the other service serves.",
    "sync: { from: auth, get: /api/user }",
    "sync: { from: auth, get: /api/users }",
  ),
  "sync-table": explain(
    "The snapshot has to list the rows that the events tell of. Others would be taken for them, and the true ones for deleted.",
    "sync: { from: auth, get: /api/teams }",
    "sync: { from: auth, get: /api/users }",
  ),
} satisfies Readonly<Record<string, Explanation>>;
