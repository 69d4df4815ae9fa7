import { type Explanation, explain } from "./explanation.js";

export const eventExplanations = {
  "unpublished-subject": explain(
    "A service publishes what its patterns match, and the broker lets it publish no more.",
    "publishes: [auth.users.*]",
    "publishes: [auth.user.*]",
  ),
  "duplicate-event": explain(
    "An event's name is its type, its schema's file and its handler: two of one name would be one.",
    "event: UserCreated\nemit: { table: orders, on: update, when: { status: paid } }",
    "event: OrderPaid\nemit: { table: orders, on: update, when: { status: paid } }",
  ),
  "emit-by-external": explain(
    "Triggers write events in generated databases. An external service sends its own; the file says what they mean (`change`).",
    "emit: { table: users, on: insert }",
  ),
  "emit-on-cache": explain(
    "The rows of a copy are somebody else's, whose own events tell of them. Telling again would be an echo.",
    "emit: { table: user_cache, on: update }",
    "emit: { table: orders, on: update }",
  ),
  "table-of-two-entities": explain(
    "A row is one entity: its id and its version belong to that. Rows that are about another entity name it in a column (`id`).",
    "sales.invoice.{id}.created:",
    "sales.order.{id}.invoiced:",
  ),
  "entity-of-two-keys": explain(
    "All events of an entity carry its id. Rows of a second table have keys of their own, and name the entity in a column.",
    "emit: { table: reports, on: insert }",
    "emit: { table: reports, on: insert, id: comment }",
  ),
  "invalid-entity-id": explain(
    "The id is one token of the subject, and compared as a text: it has to have one text, the same in each table of the entity.",
    "comment_number: integer",
    "comment_number: nanoid",
  ),
  "conflicting-change": explain(
    "Who hears an event has to know whether the entity is there afterwards. One event says one thing.",
    "change: create\nemit: { table: orders, on: [update, delete] }",
    "emit: { table: orders, on: update }",
  ),
  "invalid-condition": explain(
    "No row ever holds the value, so the event would never be told.",
    "emit: { table: orders, on: update, when: { status: payed } }",
    "emit: { table: orders, on: update, when: { status: paid } }",
  ),
  "uncomparable-condition": explain(
    "Values of this type have many texts for one value, or none: an equality would depend on how it was written.",
    'emit: { table: orders, on: update, when: { status: paid, tags: a, photo: [AA==], extras: "{}" } }',
    "emit: { table: orders, on: update, when: { status: paid } }",
  ),
  "constant-never-held": explain(
    "The field is called as a column, so a row of the table has to be able to hold what it says: the schema would refuse every row.",
    "payload: { booking_id: nanoid, state: { const: PAID }, beds: { const: two }, kind: { const: booking } }",
    "payload: { booking_id: nanoid, status: { const: PAID }, kind: { const: booking } }",
  ),
  "idle-condition": explain(
    "A condition that always holds says nothing, and with one that never holds the event is never told.",
    "emit: { table: loans, on: delete, when: { gone_at: { null: true } } }",
    "emit: { table: loans, on: delete }",
  ),
  "condition-not-nullable": explain(
    "The condition always holds, or never does.",
    "emit: { table: orders, on: update, when: { status: { null: false } } }",
    "emit: { table: orders, on: update }",
  ),
  "emit-without-time": explain(
    "An event needs a moment: a change of the row, or a time that one of its columns holds.",
    "emit: { table: loans, unless: { state: back } }",
    "emit: { table: loans, at: due_at, unless: { state: back } }",
  ),
  "on-and-at": explain(
    "An event follows from a change, or from a moment that comes. Where both mean something, they are two events.",
    "emit: { table: loans, on: insert, at: due_at }",
    "emit: { table: loans, at: due_at }",
  ),
  "invalid-moment": explain(
    "The column has to hold a point in time.",
    "emit: { table: loans, at: pages, unless: { state: gone, shelf: a } }",
    "emit: { table: loans, at: due_at, unless: { state: back } }",
  ),
  "unless-without-at": explain(
    "`unless` is asked when a moment comes. Of a change, `when` says what the row must have come to hold.",
    "emit: { table: loans, on: update, unless: { state: back } }",
    "emit: { table: loans, at: due_at, unless: { state: back } }",
  ),
  "change-at-moment": explain(
    "When a moment comes nothing has changed: the row is as it was. What should follow is written by a hook.",
    "change: delete\nemit: { table: loans, at: due_at }",
    "emit: { table: loans, at: due_at }",
  ),
  "of-without-update": explain(
    "`of` narrows which updates are told. An insertion or a deletion concerns the whole row.",
    "emit: { table: orders, on: insert, of: [total] }",
    "emit: { table: orders, on: update, of: [total] }",
  ),
  "when-never-met": explain(
    "An update is told when a row comes to hold the value. A key never changes, and what deletes or restores a row softly is no update.",
    "emit: { table: orders, on: update, when: { order_id: o1 } }",
    "emit: { table: orders, on: update, when: { status: paid } }",
  ),
  "field-type": explain(
    "The trigger writes the column's value as the field, and subscribers check it: a value of another type would be refused with its row.",
    "payload: { order_id: nanoid, total: string }",
    "payload: { order_id: nanoid, total: integer }",
  ),
  "field-nullable": explain(
    "A row whose column is NULL would make a message that breaks its own schema, and be refused.",
    "payload: { order_id: nanoid, buyer_id: string }",
    "payload: { order_id: nanoid, buyer_id: string? }",
  ),
  "not-of-type": explain(
    "A named type is one type in TypeScript and one definition in the schemas: what says that it is one has its fields, no others, and of the same types.",
    "buyer: { type: Buyer, fields: { id: { from: buyer_id, type: uuid }, nam: { from: buyer_name }, age: { from: years } } }",
    "buyer: { type: Buyer, fields: { id: { from: buyer_id }, name: { from: buyer_name }, age: { from: years } } }",
  ),
  "field-naming": explain(
    "A service that names its fields in camelCase does so in messages, REST and snapshots alike, so that a field is found under one name.",
    "payload: { orderId: nanoid, restaurant_id: string, byerId: string }",
    "payload: { orderId: nanoid, restaurantId: string }",
  ),
  "old-without-update": explain(
    "Only an update has a row before it.",
    "food.order.{id}.placed: { event: OrderPlaced, emit: { table: orders, on: insert }, payload: { order_id: nanoid, before: { from: old.price } } }",
    "food.order.{id}.placed: { event: OrderPlaced, emit: { table: orders, on: insert }, payload: { order_id: nanoid } }",
  ),
  "no-reference": explain(
    "A field may show a column of the row that another column references: that one has to reference a table.",
    "street: { from: place.street }",
  ),
  "referenced-on-delete": explain(
    "The row that is referenced may go in the same statement: then there is nothing left to show.",
    "food.order.{id}.deleted: { event: OrderDeleted, emit: { table: orders, on: delete }, payload: { order_id: nanoid, buyer: { from: buyer_id.name } } }",
    "food.order.{id}.deleted: { event: OrderDeleted, emit: { table: orders, on: delete }, payload: { order_id: nanoid } }",
  ),
  "from-without-emit": explain(
    "`from` names a column of the row that implies the event. Who publishes an event by hand fills its fields himself.",
    "payload: { restaurantId: { from: restaurant_id }, score: integer }",
    "payload: { restaurantId: string, score: integer }",
  ),
  "mixed-whole-numbers": explain(
    "A column travels in one form: as a number within what JSON holds exactly, or as a decimal text. A copy could not tell the two apart.",
    "payload: { order_id: nanoid, total: bigint }",
    "payload: { order_id: nanoid, total: integer }",
  ),
  "unknown-named-type": explain(
    "Types begin with a capital and stand under `types`. Nothing outside of the file is read.",
    "Money: { amount: decimal, currency: Curency }",
    "Money: { amount: decimal, currency: Currency }",
  ),
  "circular-type": explain(
    "A value that has to hold itself has no end.",
    "Money: { amount: decimal, tax: Tax? }",
    "Money: { amount: decimal }",
  ),
  "empty-type": explain(
    "A type without fields would accept anything and say nothing.",
    "Money: {}",
    "Money: { amount: decimal }",
  ),
  "unused-type": explain(
    "A type that nothing uses comes out nowhere. It was forgotten, or its user is misspelt.",
    "Address: { street: string }",
  ),
  "invalid-schema": explain(
    "Schemas are compiled, and become rules of the database where that can keep them. A word that JSON Schema 2020-12 does not have would check nothing.",
    "payload: { order_id: nanoid, lines: { type: array, items: { type: strin }, minItms: 1 } }",
    "payload: { order_id: nanoid, lines: { type: array, items: { type: string }, minItems: 1 } }",
  ),
  "id-in-subject": explain(
    "Each entity and each action in the file becomes types, a durable and hooks. Which one of many is meant belongs into the id, or into the message.",
    "farm.gate.{id}.opened-3f9a77c1: { event: GateOpened, change: update, payload: {} }",
    "farm.gate.{id}.opened: { event: GateOpened, change: update, payload: { by: string } }",
  ),
  "unheard-entity": explain(
    "Another system's subjects stand in the file for those who hear them. Nobody hears these.",
    "erp.stock.{id}.counted: { event: StockCounted, change: update, payload: { count: integer } }\nerp.stock.{id}.emptied: { event: StockEmptied, change: update, payload: {} }",
  ),
  "silent-event": explain(
    "Who subscribes waits for it in vain: no row implies the event, and no hook calls its publisher.",
    "shop.order.{id}.packed: { event: OrderPacked, change: update, payload: { order_id: nanoid } }",
    "shop.order.{id}.packed: { event: OrderPacked, emit: { table: orders, on: update }, payload: { order_id: nanoid } }",
  ),
} satisfies Readonly<Record<string, Explanation>>;
