import { type Explanation, explain } from "./explanation.js";

export const cascadeExplanations = {
  "unknown-event": explain(
    "A rule follows one event, which it names by its subject without the id. A misspelt one would never set it off.",
    "- { on: auth.user.delted, service: sales, set_null: orders.buyer_id }",
    "- { on: auth.user.deleted, service: sales, set_null: orders.buyer_id }",
  ),
  "cascade-action": explain(
    "Each rule does one thing to one column, so that the order of several, and what each of them does, can be read from the list.",
    "- { on: auth.user.deleted, service: sales, set_null: orders.buyer_id, delete: orders.seller_id }",
    "- { on: auth.user.deleted, service: sales, set_null: orders.buyer_id }",
  ),
  "cascade-not-on-deletion": explain(
    "Rules say what becomes of rows whose entity is gone. After any other event the entity is there, and what its change means for others is a hook's business.",
    "- { on: auth.user.created, service: sales, set_null: orders.buyer_id }",
    "- { on: auth.user.deleted, service: sales, set_null: orders.buyer_id }",
  ),
  "cascade-without-subscription": explain(
    "A rule runs when its service receives the deletion. It also needs the creations, by which it knows an entity that was created anew.",
    "publishes: [sales.*]",
    "publishes: [sales.*]\nsubscribes: [auth.user.*]",
  ),
  "cascade-in-external": explain(
    "Rules become statements in generated code. An external service has none: what it does with a deletion is written there.",
    "- { on: auth.user.deleted, service: billing, set_null: orders.buyer_id }",
    "- { on: auth.user.deleted, service: sales, set_null: orders.buyer_id }",
  ),
  "cascade-on-cache": explain(
    "A copy loses its row with the deletion anyway, after the rules have run.",
    "- { on: auth.user.deleted, service: sales, delete: user_cache.user_id }",
  ),
  "cascade-type": explain(
    "The rule finds its rows by comparing the column with the id of what was deleted. A column of another kind never holds it.",
    "- { on: auth.user.deleted, service: sales, delete: orders.total, before: refundOrder }",
    "- { on: auth.user.deleted, service: sales, delete: orders.seller_id, before: refundOrder }",
  ),
  "duplicate-cascade": explain(
    "Two rules for one column on one event would both have to run, and only one of them could.",
    "- { on: auth.user.deleted, service: sales, delete: orders.buyer_id, before: refundOrder }",
    "- { on: auth.user.deleted, service: sales, delete: orders.seller_id, before: refundOrder }",
  ),
  "before-bypassed": explain(
    "A foreign key removes rows at once, within the database. The hook that has to see each row before it goes would come too late.",
    "seller_id: { type: text, references: user_cache, on_delete: cascade }",
    "seller_id: { type: text }",
  ),
  "before-without-delete": explain(
    "The hook is called for each row that is about to go. A rule that sets a column to NULL keeps its rows.",
    "- { on: auth.user.deleted, service: sales, set_null: orders.buyer_id, before: tellBuyer }",
    "- { on: auth.user.deleted, service: sales, set_null: orders.buyer_id }",
  ),
  "hook-conflict": explain(
    "A hook gets a typed row. Rows of two tables have two types, so each table needs a hook of its own.",
    "- { on: auth.user.deleted, service: sales, delete: orders.seller_id, before: refundOrder }",
    "- { on: auth.user.deleted, service: sales, delete: orders.seller_id, before: cancelOrder }",
  ),
  "deletion-loop": explain(
    "Each of these deletions is told to the next service, and the last one leads back to the first: one deletion may take everything along, and no transaction stops it half way. It may be meant, where rows form no circle.",
    "- { on: auth.user.deleted, service: work, delete: owners.user_id }",
  ),
  "foreign-id-without-rule": explain(
    "Nothing else happens to the row when the entity is deleted: it keeps an id that leads nowhere, and joins find nothing. Say a rule, let the column reference the copy, or ignore it where the row is meant to remember, or where the id is of another system. Columns are known by name and type: user_id, approver_user_id, and owner_id where an owner_id of another table has a rule or such a reference. One that is called otherwise (approver) is not found, nor is the id of an entity whose key has several columns, or of one that is heard by a named consumer only: say their rules unasked.",
    "user_id: text",
    "user_id: { type: text, references: user_cache, on_delete: cascade }",
  ),
  "foreign-ids-in-list": explain(
    "A rule finds the rows whose column holds the id, and a list holds many: nothing takes the deleted one out. A hook of the deletion may, and any handler of it silences this; ignore it where the list is meant to remember. Lists are known by name: user_ids, member_user_ids, and owner_ids where an owner_id has a rule.",
    'room_id: { type: nanoid, key: true }\nuser_ids: "text[]"',
    "room_id: { type: nanoid, key: true }",
  ),
  "cascade-within-service": explain(
    "PostgreSQL keeps a reference in the transaction of the deletion itself. A rule waits for the event, and in the meantime others read, and write, rows that name what is gone. It is right where no reference can be: of rows that are deleted softly, of tables that exist, or with a hook before each row.",
    "- { on: sfs.folder.deleted, service: sfs, delete: files.folder_id }",
  ),
} satisfies Readonly<Record<string, Explanation>>;
