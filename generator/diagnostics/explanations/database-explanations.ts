import { type Explanation, explain } from "./explanation.js";

export const databaseExplanations = {
  "unknown-table": explain(
    "A table is named where it is served, emitted from, referenced or changed by a rule: it stands under the service's database.",
    "resources: { /api/orders: order }",
    "resources: { /api/orders: orders }",
  ),
  "foreign-table": explain(
    "A service reaches its own database alone. What it needs of another's rows it keeps as a copy.",
    "resources: { /api/orders: orders, /api/users: users }",
    "resources: { /api/orders: orders, /api/users: user_cache }",
  ),
  "unknown-column": explain(
    "The table has no such column: an index, a condition or a rule would be refused by PostgreSQL.",
    "indexes: [[buyr_id]]",
    "indexes: [[buyer_id]]",
  ),
  "only-of-existing": explain(
    "Migrations make this table as the file says it. The key describes one that was there before.",
    "table: Orders",
  ),
  "not-of-existing": explain(
    "A table that exists stays as it is: the file says what it is like, and changes nothing of it.",
    "renamed_from: purchases",
  ),
  "not-of-view": explain(
    "A view is a question to the database: no row of it is inserted, deleted or referenced.",
    "orders: { columns: { order_id: { type: nanoid, key: true }, row: { type: text, references: board } } }",
    "orders: { columns: { order_id: { type: nanoid, key: true }, row: text } }",
  ),
  "backfill-of-copy": explain(
    "`backfill` is about rows that an owner's table had before the mesh. A copy takes them as they come.",
    "backfill: hooks",
  ),
  "backfill-without-event": explain(
    "Hooks hear of a row from before through a snapshot, which makes the event from that row. What another row holds is not in it.",
    "buyer: { from: buyer_id.name }",
    "buyer: { from: buyer_id.name, type: string? }",
  ),
  "soft-delete-of-copy": explain(
    "A copy holds what lives: its row goes with the owner's, also where that one only marks it.",
    "soft_delete: removed_at",
  ),
  "invalid-soft-delete": explain(
    "The column has to say of each row whether it lives: a moment that is NULL until then, or a flag that is false.",
    "soft_delete: created_at\ncolumns: { cart_id: { type: nanoid, key: true }, created_at: { type: timestamp, default: now } }",
    "soft_delete: deleted_at\ncolumns: { cart_id: { type: nanoid, key: true }, deleted_at: timestamp? }",
  ),
  "column-name": explain(
    "Names with capitals have to be quoted wherever SQL mentions them. On the wire a name may be camelCase: `naming`.",
    "orders: { columns: { order_id: { type: nanoid, key: true }, personId: text } }",
    "orders: { columns: { order_id: { type: nanoid, key: true }, person_id: text } }",
  ),
  "repeated-column": explain(
    "A set names each of its columns once.",
    "unique: [[buyer_id, buyer_id]]",
    "unique: [[buyer_id, seller_id]]",
  ),
  "repeated-set": explain(
    "A second index over the same columns costs each write and serves no read.",
    "unique: [[buyer_id, seller_id], [buyer_id, seller_id], [number]]",
    "unique: [[buyer_id, seller_id], [number]]",
  ),
  "missing-table-key": explain(
    "Events, copies and REST name a row by its key.",
    "order_id: { type: nanoid }",
    "order_id: { type: nanoid, key: true }",
  ),
  "second-table-key": explain(
    "`key: true` says that the column identifies a row alone. Columns that do so together are listed at the table.",
    "seller_id: { type: text, key: true }",
    "seller_id: { type: text }",
  ),
  "key-of-one-column": explain(
    "One way to say a thing: one column says it itself.",
    "key: [order_id]\ncolumns:\n  order_id: text",
    "columns:\n  order_id: { type: text, key: true }",
  ),
  "unique-part-of-key": explain(
    "If the column alone tells rows apart, the others of the key add nothing.",
    "line_no: { type: integer, unique: true }",
    "line_no: { type: integer }",
  ),
  "invalid-key": explain(
    "The key becomes the id of messages: it is always there, and has one text.",
    "order_id: { type: boolean, key: true, null: true }",
    "order_id: { type: nanoid, key: true }",
  ),
  "made-key": explain(
    "A value that is drawn or counted identifies a row. In any other column it would change with each row for no reader.",
    "number: { type: integer, identity: true }",
    "number: { type: integer }",
  ),
  "invalid-check": explain(
    "The condition stands between the brackets of CHECK: one expression over columns of one row.",
    "qualified: items.starts_on IS NULL",
    "qualified: starts_on IS NULL",
  ),
  "check-of-several": explain(
    "A condition at a column is about that column. One over several has a name, by which it is reported.",
    "ends_on: { type: date, check: starts_on <= ends_on }",
    "ends_on: date",
  ),
  "check-on-copy": explain(
    "A copy takes what its owner sent. A row that broke the condition would become a dead letter, and the copy would lack it.",
    "age: { type: integer, check: age > 17 }",
    "age: integer",
  ),
  "private-key": explain(
    "Every event and every answer names its row by the key.",
    "item_id: { type: nanoid, key: true, private: true }",
    "item_id: { type: nanoid, key: true }",
  ),
  "private-in-event": explain(
    "A private column leaves its service in no message, answer or copy.",
    "payload: { item_id: nanoid, name: string, cost: decimal }",
    "payload: { item_id: nanoid, name: string }",
  ),
  "soft-delete-in-event": explain(
    "Events tell of rows that live, so the field would say the same in every message. That a row was deleted is an event of its own.",
    "payload: { cart_id: nanoid, gone: boolean, personGone: { from: person_id.deleted_at } }",
    "payload: { cart_id: nanoid }",
  ),
  "invalid-default": explain(
    "PostgreSQL would refuse the value, or read another one.",
    "total: { type: integer, default: many }",
    "total: { type: integer, default: 0 }",
  ),
  "default-now-as-text": explain(
    "In a text column `now` is three letters. It is the time of the insertion in columns that hold a time.",
    "placed: { type: text, default: now }",
    "placed: { type: timestamp, default: now }",
  ),
  "default-once": explain(
    "The second row that says nothing would be refused.",
    'number: { type: text, default: "1", unique: true }',
    "number: { type: text, unique: true }",
  ),
  "repeated-value": explain(
    "The list becomes a constraint and a type: each value stands once.",
    "status: { type: text, default: open, one_of: [open, paid, open] }",
    "status: { type: text, default: open, one_of: [open, paid] }",
  ),
  "default-not-allowed": explain(
    "A row that says nothing would break the column's own constraint.",
    "status: { type: text, default: opened, one_of: [open, paid] }",
    "status: { type: text, default: open, one_of: [open, paid] }",
  ),
  "one-of-type": explain(
    "Values of other types have several texts for one value, so a list of them would not say what it seems to.",
    "paid: { type: boolean, one_of: [true] }",
    "paid: { type: boolean }",
  ),
  "invalid-one-of": explain(
    "A value that the column cannot hold is never chosen.",
    'size: { type: integer, one_of: [1, "2", large, 2147483648] }',
    "size: { type: integer, one_of: [1, 2] }",
  ),
  "reference-type": explain(
    "A reference holds the other table's key, and has its type.",
    "parent: { type: uuid, references: orders }",
    "parent: { type: nanoid, null: true, references: orders, on_delete: set_null }",
  ),
  "reference-to-composite-key": explain(
    "One column cannot hold several. The id that events have of such a row, its parts joined by colons, fits into a text.",
    "line_id: { type: text, references: order_lines, on_delete: cascade }",
    "line_id: { type: text }",
  ),
  "reference-to-other-service": explain(
    "Services are tied by events alone, so that each can move to a database of its own. A foreign key between them would let one refuse what the other does.",
    "order_id: { type: text, references: orders, on_delete: cascade }",
    "order_id: text",
  ),
  "table-of-two-databases": explain(
    "A table has one owner, who writes its events. Two entries for it would make two sets of triggers.",
    "invoices:\n  table: orders",
    "invoices:",
  ),
  "on-delete-without-reference": explain(
    "Without a reference there is nothing whose deletion could matter.",
    "seller_id: { type: text, on_delete: cascade }",
    "seller_id: { type: text }",
  ),
  "deletion-restricted": explain(
    "The deletion of the copy's row would be refused by the foreign key each time, until the event is a dead letter.",
    "buyer_id: { type: text, null: true, references: user_cache }",
    "buyer_id: { type: text, null: true, references: user_cache, on_delete: set_null }",
  ),
  "set-null-on-not-null": explain(
    "PostgreSQL would refuse the deletion, for the column has to have a value.",
    "parent: { type: text, references: orders, on_delete: set_null }",
    "parent: { type: text, null: true, references: orders, on_delete: set_null }",
  ),
} satisfies Readonly<Record<string, Explanation>>;
